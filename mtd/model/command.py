"""What is asked of a router, and what it answered, whatever the transport."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Command:
    """One RouterOS command. Hashable: decoders cache what they learn by it.

    ``path`` is the whole command, such as ``/interface/print``. ``queries``
    are query words without the leading ``?``, such as ``type=ether`` or
    ``#!``. A reply over ``max_rows`` or ``max_bytes`` is cancelled.
    """

    path: str
    proplist: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str], ...] = ()
    max_rows: int = 10_000
    max_bytes: int = 8 * 1024 * 1024
    # Each poll looks its commands up a dozen times.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = (self.path, self.proplist, self.queries, self.arguments, self.max_rows, self.max_bytes)
        object.__setattr__(self, "_hash", hash(known))

    def __hash__(self) -> int:
        return self._hash


@lru_cache(maxsize=4096)
def shared_command(command: Command) -> Command:
    """Return an equal command that is the same object for all devices: it is found without comparing."""
    return command


@dataclass(slots=True)
class Rows:
    """Rows of a reply, column by column, as the raw bytes of the values.

    ``columns[key][n]`` is the value of ``key`` in row ``n``, or None where the
    row has no such key: absent is not empty.
    """

    count: int = 0
    columns: dict[str, Sequence[bytes | None]] = field(default_factory=dict)

    def column(self, key: str) -> Sequence[bytes | None]:
        """Return a column; all None if no row has the key."""
        found = self.columns.get(key)
        return found if found is not None else (None,) * self.count

    def dicts(self) -> list[dict[str, bytes]]:
        """Return the rows one by one, without their absent keys."""
        rows: list[dict[str, bytes]] = [{} for _ in range(self.count)]
        for key, values in self.columns.items():
            for row, value in zip(rows, values, strict=True):
                if value is not None:
                    row[key] = value
        return rows


CANCELLED_TOO_LARGE = -1
CANCELLED_TIMED_OUT = -2


@dataclass(frozen=True, slots=True)
class Trap:
    """An error that the router reported for one command (``!trap``).

    Categories below 0 aren't RouterOS's: we cancelled the command, because its
    reply went over its limits (-1) or over its deadline (-2).
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


@dataclass(slots=True)
class Reply:
    """The whole answer to one command.

    ``received_at`` is the collector's monotonic clock in seconds, and
    ``received_us`` its wall clock in microseconds since the epoch, both taken
    when the first byte of the answer arrived: the router read its counters
    just before. ``done`` holds the attributes of the final ``!done`` (``ret``
    of ``add`` or of ``count-only``).
    """

    command: Command
    rows: Rows
    received_at: float
    received_us: int
    duration_s: float
    size_bytes: int = 0
    trap: Trap | None = None
    done: dict[str, bytes] = field(default_factory=dict)
