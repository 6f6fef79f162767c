"""Errors of the projections."""

from __future__ import annotations

from mtd.core.errors import Misconfigured, Refused, Retryable


class OutOfBounds(Refused):
    """An event's time is so wrong that no table takes it; it is dropped and counted."""


class PositionMoved(Retryable):
    """Another projector, or our own commit whose answer got lost, moved the position."""


class CantProject(Misconfigured):
    """A projection can't write whatever the events are: the schema or the rights aren't as they should be."""


class Poisoned(Refused):
    """A projection can't write a batch because of what is in it."""

    def __init__(self, projection: str, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.projection = projection
