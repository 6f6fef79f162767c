"""Commands that documents tell one to give can be given: they are there, with these options, and nothing is missing."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mtd.cli import main

ROOT = Path(__file__).resolve().parents[2]
# The reference is written from the commands themselves.
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "plugins/**/*.md")
    for path in ROOT.glob(pattern)
    if not {".venv", "reference"} & set(path.parts)
)
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`(mtd [a-z][^`]*)`")
UNSET = click.Argument(["one"]).default  # how click says that nothing was given
# What looks like a command, and is the beginning of what is hashed.
NO_COMMANDS = {"mtd audit entry 1"}
ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "(", ")"}


def in_blocks(text: str) -> Iterator[str]:
    """Yield the commands of shell blocks, one by one."""
    for line in "".join(BLOCK.findall(text)).replace("\\\n", " ").splitlines():
        for words in _split(line):
            given = list(itertools.dropwhile(lambda word: word == "sudo" or "=" in word, words))
            given = given[2:] if given[:1] == ["-u"] else given
            if given[:1] == ["mtd"]:
                yield shlex.join(given)


def _split(line: str) -> Iterator[list[str]]:
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    words: list[str] = []
    for word in reader:
        if word in ENDS:
            yield words
            words = []
        else:
            words.append(word)
    yield words


def in_text(text: str) -> Iterator[str]:
    """Yield what stands in backquotes, outside of blocks."""
    found = {" ".join(quoted.split()) for quoted in QUOTED.findall(FENCED.sub("", text))}
    yield from sorted(found - NO_COMMANDS)


def wrong_with(text: str, *, whole: bool) -> str | None:
    """Return what is wrong with a command. One that is only named, without any argument, need not be ``whole``."""
    found: click.Command = main
    context = click.Context(main, **main.context_settings)
    words = next(_split(text))[1:]
    while isinstance(found, click.Group) and words:
        name = words.pop(0)
        inner = found.get_command(context, name)
        if inner is None:
            return f"there is no {name!r}"
        found, context = (
            inner,
            click.Context(inner, info_name=name, parent=context, **inner.context_settings),
        )
    if isinstance(found, click.Group):
        return "which of its commands?" if whole else None
    if words == ["--help"] or not (words or whole):
        return None
    only_options = not whole and all(word.startswith("-") for word in words)
    try:
        given, left, _ = found.make_parser(context).parse_args(list(words))
    except click.BadOptionUsage as error:  # an option that is named without its value
        return None if only_options else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    missing = [
        param.opts[0]
        for param in found.params
        if param.required and not param.envvar and param.value_is_missing(given.get(param.name or "", UNSET))
    ]
    if missing and not only_options:
        return f"{missing} is missing"
    return f"{left} is too much" if left else None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_can_be_given_as_they_stand(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    wrong = [
        f"{command}: {problem}"
        for commands, whole in ((in_blocks(text), True), (in_text(text), False))
        for command in commands
        if (problem := wrong_with(command, whole=whole)) is not None
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("mtd collector sites edge-1 --site north", "--site"),
        ("mtd device cost", "cost"),
        ("mtd ca issue hub-b", "server"),
        ("mtd device test", "missing"),
        ("mtd device test a b c --nonsense", "nonsense"),
    ],
)
def test_what_could_not_be_given_is_found(command: str, says: str) -> None:
    assert says in (wrong_with(command, whole=True) or "")


def test_blocks_are_read_as_a_shell_does() -> None:
    text = "```sh\nMTD_SERVER=a:1 mtd user list | jq . # mtd nonsense\nsudo -u mtd mtd enroll \\\n --server 'a b'\n```\n"
    assert list(in_blocks(text)) == ["mtd user list", "mtd enroll --server 'a b'"]
