"""Writes what the code knows about itself: settings, metrics, commands, and the protocol.

Writes docs/reference/*.md, docs/api/*.md, etc/mtd.toml and Grafana's dashboards. With ``--check`` it
writes nothing and fails if one of them is not what it would write.
"""

from __future__ import annotations

import argparse
import difflib
import enum
import importlib
import inspect
import json
import os
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # from wherever it is run
api_docs: Any = importlib.import_module("scripts.api_docs")
dashboards: Any = importlib.import_module("scripts.dashboards")
process_docs: Any = importlib.import_module("scripts.process_docs")

WIDTH = 100
NOTICE = "<!-- Written by scripts/gen_docs.py: change the code instead. -->\n"
# A default that one of these works out is another one on each machine.
MACHINE_MODULES = ("_socket", "socket", "os", "posix", "platform")
# Stands for a name that those who configure choose.
ANY_NAME = "NAME"
LIMITS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}", "max_length": "length ≤ {}"}


def main() -> int:
    """Write the files, or compare them; return 1 if one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether the files are fresh")
    check = parser.parse_args().check
    forget_environment(os.environ.pop)
    stale = 0
    written = documents()
    for name, text in written.items():
        path = ROOT / name
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        if check:
            stale = 1
            sys.stdout.writelines(
                difflib.unified_diff(
                    old.splitlines(True), text.splitlines(True), name, "as the code has it", n=1
                )
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    for left in leftovers(written):
        stale = 1
        print(f"{left} is of a package that there isn't any more: remove it")
    if stale:
        print("docs are stale: run `make docs` and commit what it changed")
    return stale


def forget_environment(forget: Callable[[str], object]) -> None:
    """Take mtd's variables away: defaults are documented as they are without them."""
    for name in [name for name in os.environ if name.startswith("MTD_")]:
        forget(name)


# ---------------------------------------------------------------- settings


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield (dotted name, model) of the settings and of each section within, outer ones first."""
    yield prefix, model
    for name, field in model.model_fields.items():
        inner = submodel(field) or named_model(field)
        if inner is not None:
            dotted = f"{prefix}.{name}" if prefix else name
            yield from sections(inner, dotted if submodel(field) else f"{dotted}.{ANY_NAME}")


def named_model(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of each value of a field that is a table of sections with names of their own."""
    parts = typing.get_args(field.annotation)
    named = isinstance(typing.get_origin(field.annotation), type) and len(parts) == 2
    return parts[1] if named and isinstance(parts[1], type) and issubclass(parts[1], BaseModel) else None


def submodel(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a field that is a section of its own."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def values(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a section that are values."""
    return {name: field for name, field in model.model_fields.items() if submodel(field) is None}


def type_words(kind: Any) -> str:
    """Say in words what a value may be."""
    origin = typing.get_origin(kind)
    if origin is Literal:
        return " or ".join(f'"{choice}"' for choice in typing.get_args(kind))
    if origin is typing.Annotated:
        return type_words(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_words(part) for part in typing.get_args(kind) if part is not type(None))
    if origin is not None:
        inside = [type_words(part) for part in typing.get_args(kind) if part is not Ellipsis]
        return "table" if issubclass(origin, Mapping) else f"list of {inside[0]}"
    names = {
        "str": "text",
        "int": "integer",
        "float": "number",
        "bool": "true or false",
        "Path": "path",
        "SecretStr": "text, secret",
    }
    name = getattr(kind, "__name__", str(kind))
    if isinstance(kind, enum.EnumType):
        members: list[enum.Enum] = list(kind)
        return " or ".join(f'"{member.value}"' for member in members)
    return names.get(name, name)


def limits(field: FieldInfo) -> str:
    """Return the limits of a value, such as "> 0, ≤ 100"."""
    parts = (
        LIMITS[name].format(getattr(item, name))
        for item in field.metadata
        for name in LIMITS
        if getattr(item, name, None) is not None
    )
    return ", ".join(parts)


def toml_value(value: Any) -> str | None:
    """Return a default as TOML writes it; None if there is none."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ", ".join(str(toml_value(item)) for item in value) + "]"
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
            if value
            else "{}"
        )
    return json.dumps(str(getattr(value, "value", value)), ensure_ascii=False)


def default_of(field: FieldInfo) -> str | None:
    """Return the default of a field as TOML; None if it has none, or one that depends on the machine."""
    factory = field.default_factory
    if field.is_required() or getattr(factory, "__module__", "mtd") in MACHINE_MODULES:
        return None
    return toml_value(field.get_default(call_default_factory=True))


def summary(thing: Any) -> str:
    """Return the first paragraph of a docstring as one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n", maxsplit=1)[0].split())


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    parts = [NOTICE, "# Settings\n", "How they are read: [configuration](../configuration.md).\n"]
    for name, model in sections(load_settings()):
        if not values(model):
            continue
        parts += [f"## `[{name}]`\n" if name else "## Top level\n", f"{summary(model)}\n"]
        parts += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
        for key, field in values(model).items():
            allowed = ", ".join(filter(None, [type_words(field.annotation), limits(field)]))
            default = default_of(field)
            shown = (
                f"`{default}`" if default is not None else "must be set" if field.is_required() else "not set"
            )
            cells = [f"`{key}`", allowed, shown, field.description or ""]
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def example_config() -> str:
    """Return etc/mtd.toml: every setting with its default, commented out."""
    parts = [
        "# Configuration of mtd: every setting with its default. Remove the # of a line to change it.",
        "# `mtd check --config FILE` tells every error at once. Written by scripts/gen_docs.py.",
        "",
    ]
    for name, model in sections(load_settings()):
        if not values(model) or ANY_NAME in name:
            continue
        if name:
            parts += [*comment(summary(model)), f"[{name}]", ""]
        for key, field in values(model).items():
            default = default_of(field)
            parts += comment(field.description or "")
            parts += [f"# {key} = {default}" if default is not None else f"# {key} = ...", ""]
    return "\n".join(parts).rstrip() + "\n"


def comment(text: str) -> list[str]:
    """Return text as comment lines."""
    return [f"## {line}" for line in textwrap.wrap(text, WIDTH - 3)]


def load_settings() -> type[BaseModel]:
    """Return the model of the whole configuration."""
    from mtd.app.config import Settings

    return Settings


# ---------------------------------------------------------------- the process


def metrics_page() -> str:
    """Return docs/reference/metrics.md: what the process says about itself at /metrics."""
    return str(process_docs.metrics_page(NOTICE))


def queues_page() -> str:
    """Return docs/reference/queues.md: what waits where in the process."""
    return str(process_docs.queues_page(NOTICE))


# ---------------------------------------------------------------- commands


def commands_page() -> str:
    """Return docs/reference/commands.md: the help of every command."""
    from mtd.cli import main as program

    parts = [NOTICE, "# Commands\n"]
    for name, context in commands(program, "mtd"):
        help_text = "\n".join(line.rstrip() for line in context.get_help().splitlines())
        parts += [f"## `{name}`\n", f"```text\n{help_text}\n```\n"]
    return "\n".join(parts).rstrip() + "\n"


def commands(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[str, click.Context]]:
    """Yield (full name, context) of a command and of those below it."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, parent, info_name=name, **settings)
    yield context.command_path, context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None, f"{context.command_path} lists {child} but hasn't got it"
            yield from commands(found, child, context)


DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "docs/reference/settings.md": settings_page,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/queues.md": queues_page,
    "docs/reference/commands.md": commands_page,
    "etc/mtd.toml": example_config,
    **dashboards.documents(),
}


def documents() -> dict[str, str]:
    """Return all documents by their paths."""
    return {**{name: write() for name, write in DOCUMENTS.items()}, **api_docs.pages()}


def leftovers(names: Mapping[str, str]) -> list[Path]:
    """Return pages of the protocol that nothing writes any more."""
    there = sorted((ROOT / api_docs.FOLDER).glob("*.md"))
    return [path for path in there if str(path.relative_to(ROOT)) not in names]


if __name__ == "__main__":
    raise SystemExit(main())
