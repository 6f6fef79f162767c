"""What the doors refuse by themselves."""

from __future__ import annotations

from mtd.core.errors import Refused, Retryable


class StreamsClosed(Retryable):
    """The door is closing."""

    hint = "call again: the daemon is restarting"


class TooManyStreams(Retryable):
    """As many streams are open as the configuration allows."""

    hint = "close a stream, or raise grpc.max_streams"


class TooManyRequests(Retryable):
    """As many requests with ids are being done as may be."""

    hint = "send it again in a moment, with the same request_id"


class PositionBeyondEnd(Refused):
    """A reader wants to resume behind an event that isn't stored here."""

    hint = "the database was replaced or restored: begin at 0, or with new events only"
