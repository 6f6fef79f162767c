"""What a menu is to the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.lab.menus.ready import ReadyTable
    from mtd.lab.state import RouterState

Row = dict[bytes, bytes]
PRINT_COMMANDS = frozenset({"print", "getall", "listen"})


class CommandError(Exception):
    """The router answers with ``!trap``."""

    def __init__(self, message: str | bytes, category: int | None = None) -> None:
        super().__init__(message)
        self.message = message if isinstance(message, bytes) else message.encode()
        self.category = category


RowSource = Callable[["RouterState", int], list[Row]]
Action = Callable[["RouterState", int, Mapping[bytes, bytes]], list[Row]]
StreamMaker = Callable[["RouterState", int, Mapping[bytes, bytes]], Iterator[tuple[list[Row], float]]]
"""Makes rows, each with the seconds until the next ones; CommandError if the words are wrong."""


@dataclass(slots=True)
class Menu:
    """A path of the console.

    ``rows`` gives the rows at a tick. ``actions`` do something once;
    ``monitors`` give rows again and again until cancelled, unless asked once;
    ``streams`` give rows that go on from those before, at their own pace.
    ``ready`` is a quick way to the same rows, for a menu that has very many.
    """

    path: str
    rows: RowSource
    actions: dict[str, Action] = field(default_factory=dict)
    monitors: dict[str, Action] = field(default_factory=dict)
    streams: dict[str, StreamMaker] = field(default_factory=dict)
    ready: ReadyTable | None = None

    def commands(self) -> Iterator[str]:
        """Return the names of all commands."""
        yield from PRINT_COMMANDS
        yield from self.actions
        yield from self.monitors
        yield from self.streams


def row(**values: str | bytes | int | None) -> Row:
    """Return a row; ``_`` in a key stands for ``-``, and None leaves the key out."""
    return {key.replace("_", "-").encode(): text(value) for key, value in values.items() if value is not None}


def text(value: str | bytes | int) -> bytes:
    """Return a value as the wire shows it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def nothing(_state: RouterState, _tick: int) -> list[Row]:
    """Return no rows: the menu exists and is empty."""
    return []


def numbered(rows: list[Row]) -> list[Row]:
    """Return rows with ids *1, *2, ... in front."""
    return [{b".id": b"*%X" % (number + 1)} | content for number, content in enumerate(rows)]
