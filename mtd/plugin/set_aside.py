"""Commands whose replies were given up, because they were too large or took too long: they rest, and longer each time.

What is over its caps has to be read up to them to know that it is. A router of
whose tables one is too large would send the most that we take at every poll,
for nothing; and one that goes through a million routes for longer than we wait
would do so each minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mtd.core.backoff import Backoff
from mtd.model.command import Command, Reply

_FIRST_S = 60.0
_CAP_S = 3600.0
# Of which rows a menu asks may change with time; the oldest of what nobody asks for any more is forgotten.
_KEPT = 200


@dataclass(slots=True)
class _Rest:
    reply: Reply
    backoff: Backoff
    until: float


class SetAside:
    """The commands of one device that rest, and until when (monotonic seconds)."""

    def __init__(self) -> None:
        self._rests: dict[Command, _Rest] = {}

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._rests)

    def gave_up(self, reply: Reply) -> bool:
        """Let a command rest; return whether it was answered when it was asked before."""
        rest = self._rests.get(reply.command)
        new = rest is None
        if rest is None:
            rest = self._rests[reply.command] = _Rest(reply, Backoff(_FIRST_S, _CAP_S), 0.0)
            if len(self._rests) > _KEPT:
                del self._rests[next(iter(self._rests))]
        rest.until = reply.received_at + rest.backoff.next_delay()
        return new

    def answered(self, command: Command) -> None:
        """Take note that a command was answered."""
        self._rests.pop(command, None)

    def without(self, commands: Iterable[Command], now: float) -> list[Command]:
        """Return the commands that don't rest."""
        return [command for command in commands if not self._resting(command, now)]

    def replies(self, commands: Iterable[Command], now: float) -> list[Reply]:
        """Return how those that rest were refused."""
        return [self._rests[command].reply for command in commands if self._resting(command, now)]

    def _resting(self, command: Command, now: float) -> bool:
        rest = self._rests.get(command)
        return rest is not None and now < rest.until
