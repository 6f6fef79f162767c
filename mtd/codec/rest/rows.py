"""JSON of REST as rows, read while it comes.

An answer is a list of flat objects, one for each row; or one object, which is
what the API says with ``!done``, or the row of a menu that has only one.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import Any

from mtd.codec.rest.text import loads, raw
from mtd.model.command import Command, Rows

# Possessive: what doesn't match is known after one pass, however it is made.
_ROW = re.compile(rb'[\s,]*+(\{(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+\})', re.DOTALL)
_SPACE = re.compile(rb"[\s,]*+")
_RET = "ret"


class TooMuch(Exception):
    """An answer went over the limits of its command; the text says which."""


class NotRows(Exception):
    """What came isn't what RouterOS sends."""


class _State(enum.Enum):
    START = enum.auto()
    ROWS = enum.auto()
    OBJECT = enum.auto()
    END = enum.auto()


class RowReader:
    """Takes the bytes of one answer; gives rows in the shape that the API's have.

    A row over ``row_bytes`` is refused: it is held until it is whole.
    """

    def __init__(self, command: Command, row_bytes: int = 256 * 1024) -> None:
        self.size_bytes = 0
        self.count = 0
        self._command = command
        self._row_bytes = row_bytes
        self._state = _State.START
        self._buffer = bytearray()
        self._columns: dict[str, list[bytes | None]] = {key: [] for key in command.proplist}
        self._done: dict[str, bytes] = {}

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises TooMuch and NotRows."""
        self.size_bytes += len(data)
        if self.size_bytes > self._command.max_bytes:
            raise TooMuch(f"over {self._command.max_bytes} bytes")
        self._buffer += data
        if self._state is _State.START:
            self._begin()
        if self._state is _State.ROWS:
            self._take_rows()
        if self._state is _State.END and self._buffer.strip():
            raise NotRows("there is more behind the end of the answer")
        if len(self._buffer) > self._row_bytes:
            raise TooMuch(f"a row over {self._row_bytes} bytes")

    def finish(self) -> tuple[Rows, dict[str, bytes]]:
        """Return the rows, and what ``!done`` says over the API. Raises TooMuch and NotRows."""
        if self._state is _State.OBJECT:
            self._take_object(bytes(self._buffer))
        elif self._state is not _State.END:
            raise NotRows("the answer ends before its rows do")
        return Rows(self.count, {key: tuple(column) for key, column in self._columns.items()}), self._done

    def _begin(self) -> None:
        found = self._buffer.lstrip()
        if not found:
            return
        if not found.startswith((b"[", b"{")):
            raise NotRows("the answer isn't JSON of RouterOS")
        self._buffer = found
        self._state = _State.OBJECT
        if found.startswith(b"["):
            self._state = _State.ROWS
            del found[:1]

    def _take_rows(self) -> None:
        buffer, end, count = self._buffer, 0, 0
        while (row := _ROW.match(buffer, end)) is not None:
            end = row.end()
            count += 1
        if count:
            self._count(count)
            self._add(self._objects(b"[" + bytes(buffer[:end]).lstrip(b", \t\r\n") + b"]"))
        space = _SPACE.match(buffer, end)
        rest = end if space is None else space.end()
        if buffer[rest : rest + 1] == b"]":
            end, self._state = rest + 1, _State.END
        elif rest < len(buffer) and buffer[rest : rest + 1] != b"{":
            raise NotRows("the answer isn't a list of rows")
        del buffer[:end]

    def _take_object(self, data: bytes) -> None:
        found = self._objects(b"[" + data + b"]")
        if len(found) != 1:
            raise NotRows("there is more behind the end of the answer")
        if _RET in found[0]:
            self._done = self._done_of(found[0])
        elif found[0]:
            self._count(1)
            self._add(found)

    @staticmethod
    def _done_of(told: dict[str, Any]) -> dict[str, bytes]:
        try:
            return {key: text for key, value in told.items() if (text := raw(value)) is not None}
        except ValueError as error:
            raise NotRows("the answer isn't JSON of RouterOS") from error

    def _count(self, more: int) -> None:
        if self.count + more > self._command.max_rows:
            raise TooMuch(f"over {self._command.max_rows} rows")

    @staticmethod
    def _objects(data: bytes) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = loads(data)
        except ValueError as error:
            raise NotRows("the answer isn't JSON of RouterOS") from error
        return found

    def _add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Put rows below the columns. Keys that weren't asked for stay out: some versions send all."""
        columns = self._columns
        if not self._command.proplist:
            for key in dict.fromkeys(key for row in rows for key in row):
                if key not in columns:
                    columns[key] = [None] * self.count
        try:
            for key, column in columns.items():
                column += [raw(row.get(key)) for row in rows]
        except ValueError as error:
            raise NotRows("the answer isn't JSON of RouterOS") from error
        self.count += len(rows)
