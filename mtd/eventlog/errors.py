"""What can go wrong with a log, by what the caller can do about it."""

from __future__ import annotations

from mtd.core.errors import Refused, Retryable


class LogUnavailable(Retryable):
    """Nothing can be appended now: disk full, I/O error, quota, or too much waiting.

    What was passed is not acknowledged. It may be appended again; with the
    same ``batch_id`` it is stored once, whatever became of the first attempt.
    """


class FileDamaged(LogUnavailable):
    """The file can't be read as a database any more, at least in part."""


class SourceStored(Refused):
    """Events of a batch were stored before, from the same positions of the log that they come from."""


class PositionBeyondEnd(Refused):
    """A reader is ahead of the log: the log was put back from an older copy."""


class LogDamaged(Refused):
    """A stored batch doesn't match its checksum. A reader may go on behind ``last_seq``."""

    def __init__(self, first_seq: int, last_seq: int, detail: str) -> None:
        super().__init__(f"events {first_seq} to {last_seq} of the log are damaged: {detail}")
        self.first_seq = first_seq
        self.last_seq = last_seq
