"""What can go wrong with PostgreSQL, by what the caller can do about it."""

from __future__ import annotations

from mtd.core.errors import AlreadyExists, Misconfigured, MtdError, Refused, Retryable


class StorageUnavailable(Retryable):
    """PostgreSQL is away, restarting, overloaded, or too slow for the deadline."""


class TooSlow(StorageUnavailable):
    """A statement or a transaction took longer than the configuration allows: too much was asked for, or too much runs."""

    hint = "ask for fewer series, a shorter range, fewer points or a coarser resolution"


class CommitUnknown(Retryable):
    """The connection broke while a transaction was committing: it may be stored or not."""


class StatementRejected(Refused):
    """PostgreSQL refused a statement or its data; the same again is refused again."""

    def __init__(self, message: str, sqlstate: str = "", constraint: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.constraint = constraint

    @property
    def by_data(self) -> bool:
        """Whether the values are the cause; otherwise the schema or the rights don't fit, whatever the values."""
        if self.sqlstate == "23514":  # by a CHECK, if one is named; otherwise no partition holds the row
            return bool(self.constraint)
        # 21000: two keys are the same once they are stored; 54000: one is too long for an index.
        return not self.sqlstate or self.sqlstate[:2] == "22" or self.sqlstate in ("21000", "23502", "54000")

    @property
    def no_partition(self) -> bool:
        """Whether a row found no partition that would hold it."""
        return self.sqlstate == "23514" and not self.constraint


class PartitionMissing(Retryable):
    """A partition that was there is gone; it is made again."""


class Duplicate(AlreadyExists):
    """A row with this key exists already; ``constraint`` names the key."""

    def __init__(self, message: str, constraint: str = "") -> None:
        super().__init__(message)
        self.constraint = constraint


class RowUnusable(MtdError):
    """A row holds what mtd never writes: someone else did."""


class HistoryDamaged(RowUnusable):
    """A block or a rollup can't be decoded: the disk, or somebody, changed it."""

    hint = (
        "restore the row from a backup, or delete it and lose that hour of the series:"
        " `SELECT * FROM mtd.series WHERE series_id = ...` says whose it is"
    )


class SchemaTooNew(Misconfigured):
    """The database was migrated by a newer mtd, which this one isn't compatible with."""


class SchemaTooOld(Misconfigured):
    """The database lacks migrations that this mtd needs; run ``mtd migrate``."""
