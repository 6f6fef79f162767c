"""Reading configuration: TOML, checked whole, every error reported at once.

Sections are pydantic models kept by the components they configure; the
application assembles them. An unknown key is an error. A value may also come
from the environment: ``MTD__<SECTION>__<KEY>``, or a name that the model gives it in
``environment_names``, and a secret from a file, where a component offers a ``*_file`` key.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from mtd.core.errors import Misconfigured

Settings = TypeVar("Settings", bound=BaseModel)

ENVIRONMENT_PREFIX = "MTD__"


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong with the configuration."""

    where: str  # "etc/mtd.toml:12" or the name of an environment variable
    key: str  # "grpc.port"
    message: str  # what is wrong and what to do

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.message}" if self.key else f"{self.where}: {self.message}"


class ConfigInvalid(Misconfigured):
    """The configuration can't be used; ``problems`` lists all that is wrong."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load_config(
    model: type[Settings], path: Path | None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Read and check the configuration; without a path, defaults and environment.

    Raises ConfigInvalid with every problem found.
    """
    text = ""
    data: dict[str, Any] = {}
    if path is not None:
        text = _read(path)
        data = _parse(text, path)
    origins, problems = _overlay(data, environment, getattr(model, "environment_names", {}))
    try:
        settings = model.model_validate(data)
    except ValidationError as invalid:
        lines = _KeyLines(text)
        problems += [_problem(error, path, lines, origins, model) for error in invalid.errors()]
        raise ConfigInvalid(problems) from None
    if problems:
        raise ConfigInvalid(problems)
    return settings


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "give the right path with --config, or copy etc/mtd.toml there"
        raise ConfigInvalid([ConfigProblem(str(path), "", f"can't be read: {reason}; {hint}")]) from None
    except UnicodeDecodeError as error:
        raise ConfigInvalid([ConfigProblem(str(path), "", f"isn't UTF-8 text: {error.reason}")]) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{path}:{line.group(1)}" if line else str(path)
        raise ConfigInvalid([ConfigProblem(where, "", f"isn't TOML: {error}")]) from None


def _overlay(
    data: dict[str, Any], environment: Mapping[str, str], other_names: Mapping[str, str]
) -> tuple[dict[str, str], list[ConfigProblem]]:
    """Lay environment values over the file's; those with our prefix over those by ``other_names``.

    Returns which key came from which variable, and the variables that have no place.
    """
    origins: dict[str, str] = {}
    problems = []
    # An empty variable of such a general name is as good as none.
    found = [(name, key, environment[name]) for name, key in other_names.items() if environment.get(name)]
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            found.append((name, name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", "."), value))
    for name, key, value in found:
        keys = key.split(".")
        wrong = _put(data, keys, value)
        if wrong:
            problems.append(ConfigProblem(name, ".".join(keys), wrong))
        else:
            origins[".".join(keys)] = name
    return origins, problems


def _put(data: dict[str, Any], keys: Sequence[str], value: str) -> str:
    """Set a value below its sections; return why it can't be set, or an empty text."""
    place = data
    for depth, key in enumerate(keys[:-1], start=1):
        inner = place.setdefault(key, {})
        if not isinstance(inner, dict):
            return f"{'.'.join(keys[:depth])} is a value, not a section"
        place = inner
    if isinstance(place.get(keys[-1]), dict):
        return "is a section, not a value: set one of its keys"
    place[keys[-1]] = value
    return ""


def _problem(
    error: Any, path: Path | None, lines: _KeyLines, origins: Mapping[str, str], model: type[BaseModel]
) -> ConfigProblem:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    message = str(error["msg"])
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        message = f"is not a setting; known here: {', '.join(known)}" if known else "is not a setting"
    elif error["type"] == "missing":
        message = "is missing; set it"
    else:
        message = f"{message[0].lower()}{message[1:]}{_given(error['input'], model, location)}"
    if key in origins:
        return ConfigProblem(origins[key], key, message)
    where = str(path) if path is not None else "configuration"
    line = lines.find(location)
    return ConfigProblem(f"{where}:{line}" if line else where, key, message)


def _given(value: Any, model: type[BaseModel], location: Sequence[str]) -> str:
    """Return what was given, unless that could tell a secret. A section is never printed."""
    if not isinstance(value, str | int | float) or _holds_secret(model, location):
        return ""
    if isinstance(value, str) and _LOOKS_SECRET.search(value):
        return ""
    return f" (got {value!r})"


# A connection string that stands where another value belongs.
_LOOKS_SECRET = re.compile(r"://|password", re.IGNORECASE)


def _holds_secret(model: type[BaseModel], location: Sequence[str]) -> bool:
    """Whether a key, or anything in the section of that name, is a secret."""
    for depth, part in enumerate(location, start=1):
        field = model.model_fields.get(part)
        if field is None:
            return False
        inner = _submodel(field)
        if inner is None:
            return "SecretStr" in str(field.annotation)
        if depth == len(location):
            return any(_holds_secret(inner, [name]) for name in inner.model_fields)
        model = inner
    return any(_holds_secret(model, [name]) for name in model.model_fields)


def _submodel(field: FieldInfo) -> type[BaseModel] | None:
    inner = field.annotation
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _known_keys(model: type[BaseModel], location: Sequence[str]) -> list[str]:
    for part in location:
        field = model.model_fields.get(part)
        inner = _submodel(field) if field is not None else None
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


class _KeyLines:
    """Line numbers of keys in a TOML text. tomllib keeps none."""

    _HEADER = re.compile(r"^\s*\[+\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]+")
    _KEY = re.compile(r"^\s*([A-Za-z0-9_.\-\"']+)\s*=")

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        section = ""
        for number, line in enumerate(text.splitlines(), start=1):
            if header := self._HEADER.match(line):
                section = header.group(1).replace('"', "").replace("'", "")
                self._lines.setdefault(section, number)
            elif key := self._KEY.match(line):
                name = key.group(1).replace('"', "").replace("'", "")
                self._lines.setdefault(f"{section}.{name}" if section else name, number)

    def find(self, location: Sequence[str]) -> int | None:
        """Return the line of the key, or of the nearest section around it."""
        for length in range(len(location), 0, -1):
            line = self._lines.get(".".join(location[:length]))
            if line is not None:
                return line
        return None
