"""Routers in a CSV file: which columns there are, and what their cells mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from mtd.cli.device_settings import NUMBERS, SECRETS, TEXTS, TIERS, WORDS, ways_from
from mtd.client import requests
from mtd.client.errors import MtdClientError

REQUIRED = ("name", "host", "username", "password")
LABEL, INTERVAL, T0 = "label:", "interval:", "t0:"
GROUPS = "groups"
_T0_KEYS = ("interfaces", "metrics", "pins")
COLUMNS = frozenset(
    {*TEXTS, *NUMBERS, *SECRETS, "enabled", "ways", GROUPS}
    | {f"{INTERVAL}{tier}" for tier in TIERS}
    | {f"{T0}{key}" for key in _T0_KEYS}
)
SEPARATOR = "|"  # a name of an interface, or of a group, may hold all else that separates
_DELIMITERS = ",;\t"
_SEP = "sep="  # what Excel writes and reads as a first line
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a line. ``column`` is empty if it is about the line as a whole."""

    line: int
    column: str
    name: str
    error: str


class CellRefused(Exception):
    """A cell that can't be read."""

    def __init__(self, column: str, error: str) -> None:
        super().__init__(error)
        self.column = column


@dataclass(slots=True)
class Row:
    """One line of the file. ``settings`` are those of its cells that say something, as the client takes them."""

    line: int
    cells: Mapping[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the name of the router."""
        return self.cells.get("name", "").strip()

    def wrong(self, column: str, error: str) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(self.line, column, self.name, error))

    def read(self) -> None:
        """Read the cells; what can't be read is noted, each with its column."""
        for column, text in self.cells.items():
            if not text:
                continue
            try:
                self._take(column, text)
            except CellRefused as refused:
                self.wrong(refused.column, str(refused))

    def _take(self, column: str, text: str) -> None:
        kind, _, key = column.partition(":")
        if kind == "label":
            self.settings.setdefault("labels", {})[key] = text
        elif kind == "interval":
            self.settings.setdefault("intervals_s", {})[key] = _number(column, text, float)
        elif kind == "t0":
            value = _names(text) if key == "pins" else text.strip()
            self.settings.setdefault("t0", {})[key] = value
        else:
            self.settings[column] = _value(column, text)


def read_rows(file: Path, *, required: Sequence[str] = REQUIRED) -> list[Row]:
    """Return the lines of a file behind its first, their cells read.

    UTF-8, with or without a mark at its beginning; separated by commas,
    semicolons or tabs. Raises ClickException if it isn't what it should be.
    """
    return rows_in(_text_of(file), file, required=required)


def rows_in(text: str, file: Path, *, required: Sequence[str] = REQUIRED) -> list[Row]:
    """Return the rows of a text, which is that of a file."""
    line = 1
    if text[: len(_SEP)].lower() == _SEP:
        head, _, text = text.partition("\n")
        delimiter, line = head.strip()[len(_SEP) :] or ",", 2
        if len(delimiter) > 1:
            raise click.ClickException(
                f"{file}:1: cells are separated by one character, not by {delimiter!r}"
            )
    else:
        first = text.partition("\n")[0]
        delimiter = max(_DELIMITERS, key=first.count)
    start = line
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns = [column.strip() for column in next(reader, [])]
        _check_columns(file, start, columns, required)
        rows = []
        for cells in reader:
            line = start + reader.line_num - 1
            if any(cells):
                rows.append(_row(line, columns, cells))
    except csv.Error as error:
        raise click.ClickException(f"{file}: is not CSV behind line {line}: {error}") from None
    _tell_doubles(rows)
    return rows


def _text_of(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise click.ClickException(f"{file} is larger than {_MAX_BYTES:,} bytes: import it in parts")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(
            f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8"
        ) from None
    except OSError as error:
        raise click.ClickException(f"{file} can't be read: {error.strerror}") from None


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    padded = [*cells, *([""] * (len(columns) - len(cells)))]
    row = Row(line, dict(zip(columns, padded, strict=False)))
    if any(padded[len(columns) :]):
        row.wrong("", f"it has {len(cells)} cells, but there are {len(columns)} columns")
    row.read()
    return row


def _tell_doubles(rows: Sequence[Row]) -> None:
    first: dict[str, int] = {}
    for row in rows:
        before = first.setdefault(row.name, row.line) if row.name else row.line
        if before != row.line:
            row.wrong("name", f"the name is on line {before} already")


def _check_columns(file: Path, line: int, columns: Sequence[str], required: Sequence[str]) -> None:
    problems = [f"column {name!r} is missing" for name in required if name not in columns]
    problems += [
        f"column {name!r} is not known"
        for name in columns
        if name not in COLUMNS and not (name.startswith(LABEL) and name != LABEL)
    ]
    doubled = {name for name in columns if columns.count(name) > 1}
    problems += [f"column {name!r} is there twice" for name in sorted(doubled)]
    if problems:
        raise click.ClickException(f"{file}:{line}: {'; '.join(problems)}")


def _value(column: str, text: str) -> Any:
    if column in SECRETS:
        return text
    text = text if column == "notes" else text.strip()
    if column in NUMBERS:
        return _number(column, text, NUMBERS[column])
    if column == "enabled":
        if text.lower() not in WORDS:
            raise CellRefused(column, f"{text!r} is neither true nor false")
        return WORDS[text.lower()]
    if column == GROUPS:
        return _names(text)
    value: Any = ways_from(text) if column == "ways" else text
    try:
        requests.settings_message({column: value})  # words that there are not are told with their column
    except MtdClientError as error:
        raise CellRefused(column, error.message) from None
    return value


def _number(column: str, text: str, convert: Any) -> Any:
    try:
        # Where Excel separates cells by semicolons, it writes 2,5.
        return convert(text.strip().replace(",", ".") if convert is float else text.strip())
    except ValueError:
        raise CellRefused(column, f"{text!r} is not a number") from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(SEPARATOR) if name.strip()]


def refusals(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the daemon would refuse of the settings of a new router: column, and why."""
    rest = dict(settings)
    try:
        call = requests.create_device(rest.pop("password", ""), rest)
    except MtdClientError as error:
        yield "", error.message
        return
    try:
        from mtd.api.grpc.convert import settings_of
        from mtd.api.grpc.ways import secrets_of
        from mtd.core.errors import Refused
        from mtd.storage.stores.device_secrets import refuse_misfit
    except ModuleNotFoundError:
        return  # a machine with the client alone: the daemon will tell
    try:
        refuse_misfit(settings_of(call.request.settings), secrets_of(call.request.secrets))
    except Refused as refused:
        for text in str(refused).split("; "):
            yield column_in(text), text


def column_in(text: str) -> str:
    """Return the column that a refusal begins with, if it names one."""
    word = text.replace(":", " ").replace(".", " ").split(" ", 1)[0]
    return word if word in COLUMNS else ""
