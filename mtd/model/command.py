"""What is asked of a router, and what it answered, whatever the transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mtd.model.device import Way
from mtd.model.numbers import Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What the rows of an answer look like, whichever rows were asked for: decoders learn by it.

    One object for each, so that it is found without comparing.
    """

    path: str
    proplist: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def _shape(path: str, proplist: tuple[str, ...], arguments: tuple[tuple[str, str], ...]) -> Shape:
    return Shape(path, proplist, arguments)


# Arguments that say which rows, not what is in them.
_CHOOSE_ROWS = frozenset({"numbers"})


@dataclass(frozen=True, slots=True)
class Command:
    """One RouterOS command. Hashable: decoders cache what they learn by it.

    ``path`` is the whole command, such as ``/interface/print``. ``queries``
    are query words without the leading ``?``, such as ``type=ether`` or
    ``#!``. A reply over ``max_rows`` or ``max_bytes`` is cancelled. ``document``:
    it reads nothing but documents, such as what the router is set to.
    """

    path: str
    proplist: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    max_rows: int = 10_000
    max_bytes: int = 8 * 1024 * 1024
    document: bool = False
    # Each poll looks its commands up a dozen times.
    _hash: int = field(init=False, repr=False, compare=False)
    shape: Shape = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = (self.path, self.proplist, self.queries, self.arguments, self.max_rows, self.max_bytes)
        object.__setattr__(self, "_hash", hash(known))
        telling = tuple(pair for pair in self.arguments if pair[0] not in _CHOOSE_ROWS)
        object.__setattr__(self, "shape", _shape(self.path, self.proplist, telling))

    def __hash__(self) -> int:
        return self._hash


@lru_cache(maxsize=4096)
def shared_command(command: Command) -> Command:
    """Return an equal command that is the same object for all devices: it is found without comparing."""
    return command


class Rows:
    """Rows of a reply, column by column, as the raw bytes of the values.

    ``columns[key][n]`` is the value of ``key`` in row ``n``, or None where the
    row has no such key: absent is not empty. A key that no row has may be among
    the columns all the same, if other routers send it. Columns of ``numbers``
    were parsed already; their text is cut out when somebody asks for it.
    """

    __slots__ = ("_columns", "count", "numbers")

    def __init__(
        self,
        count: int = 0,
        columns: Mapping[str, Sequence[bytes | None]] | None = None,
        numbers: Numbers | None = None,
    ) -> None:
        self.count = count
        self.numbers = numbers
        self._columns: dict[str, Sequence[bytes | None]] = {} if columns is None else dict(columns)

    @property
    def columns(self) -> dict[str, Sequence[bytes | None]]:
        """All columns that any row has."""
        if self.numbers is not None:
            for name in self.numbers.names:
                self.column(name)
        return self._columns

    def column(self, key: str) -> Sequence[bytes | None]:
        """Return a column; all None if no row has the key."""
        found = self._columns.get(key)
        if found is not None:
            return found
        text = self.numbers.text(key) if self.numbers is not None else None
        if text is None:
            return (None,) * self.count
        self._columns[key] = text
        return text

    def dicts(self) -> list[dict[str, bytes]]:
        """Return the rows one by one, without their absent keys."""
        rows: list[dict[str, bytes]] = [{} for _ in range(self.count)]
        for key, values in self.columns.items():
            for row, value in zip(rows, values, strict=True):
                if value is not None:
                    row[key] = value
        return rows

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows):
            return NotImplemented
        return self.count == other.count and self.columns == other.columns

    __hash__ = None  # type: ignore[assignment]  # it holds lists

    def __repr__(self) -> str:
        return f"Rows(count={self.count}, columns={self.columns!r})"


CANCELLED_TOO_LARGE = -1
CANCELLED_TIMED_OUT = -2
NOT_SERVED = -3
NO_LOGIN = -4


@dataclass(frozen=True, slots=True)
class Trap:
    """An error that the router reported for one command (``!trap``).

    Categories below 0 aren't RouterOS's: we cancelled the command, because its
    reply went over its limits (-1) or over its deadline (-2); or we didn't ask,
    because the way that serves has no words for the command (-3), or because
    the login for what it reads doesn't work (-4).
    """

    message: str
    category: int | None = None

    @property
    def no_such_command(self) -> bool:
        """Whether the menu doesn't exist on this version, model or package set."""
        return self.message.startswith("no such command")

    @property
    def not_permitted(self) -> bool:
        """Whether the user lacks the right."""
        return self.message.startswith("not enough permissions")

    @property
    def too_large(self) -> bool:
        """Whether we cancelled the command because its reply went over its limits."""
        return self.category == CANCELLED_TOO_LARGE

    @property
    def timed_out(self) -> bool:
        """Whether we cancelled the command at its deadline."""
        return self.category == CANCELLED_TIMED_OUT

    @property
    def not_served(self) -> bool:
        """Whether no way that is open could ask: it says nothing about the router."""
        return self.category == NOT_SERVED

    @property
    def no_login(self) -> bool:
        """Whether it wasn't asked because the login that is meant for it doesn't work; the message says why."""
        return self.category == NO_LOGIN


@dataclass(slots=True)
class Reply:
    """The whole answer to one command.

    ``received_at`` is the collector's monotonic clock in seconds, and
    ``received_us`` its wall clock in microseconds since the epoch, both taken
    when the first byte of the answer arrived: the router read its counters
    just before. ``done`` holds the attributes of the final ``!done`` (``ret``
    of ``add`` or of ``count-only``). ``way`` is how the device was asked;
    ``sent_bytes`` is 0 where that can't be told command by command.
    """

    command: Command
    rows: Rows
    received_at: float
    received_us: int
    duration_s: float
    size_bytes: int = 0
    trap: Trap | None = None
    done: dict[str, bytes] = field(default_factory=dict)
    way: Way = Way.API
    sent_bytes: int = 0
