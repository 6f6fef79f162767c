"""What a NATS server, or the way to it, can do to us."""

from __future__ import annotations

from mtd.eventlog.errors import LogUnavailable


class NatsAway(LogUnavailable):
    """No server can be asked, or it didn't answer in time. Whether it did what was asked is unknown."""

    reason = "away"


class NotLetIn(NatsAway):
    """The servers don't accept who logs in, or what mtd is called there may not do this."""

    reason = "not_let_in"


class StreamFull(LogUnavailable):
    """The stream, or the account that it belongs to, has no room."""

    reason = "quota"


class WrongSequence(LogUnavailable):
    """The stream doesn't end where the sender believed: something was stored or lost in between."""

    reason = "order"


class LeaderChanged(LogUnavailable):
    """Another server leads the stream: what the one before had not confirmed may be lost, and is looked for."""

    reason = "leader"


class NotDurable(LogUnavailable):
    """A server that keeps the log confirms before it has written, or doesn't tell."""

    reason = "not_durable"


class Fenced(LogUnavailable):
    """Another process has taken the log over. This one can't get it back but by starting anew."""

    reason = "fenced"


class StreamGone(LogUnavailable):
    """The stream isn't the one that was opened, or lacks what was acknowledged."""

    reason = "stream_gone"
