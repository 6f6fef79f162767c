"""Settings of the audit log."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mtd.security.audit_chain import LEAST_DAYS


class AuditConfig(BaseModel):
    """Who did what: how long it is kept, and how it is guarded."""

    model_config = ConfigDict(extra="forbid")

    keep_days: int = Field(
        730,
        ge=LEAST_DAYS,
        le=36500,
        description="Days that entries of the audit log are kept.",
    )
    anchor_interval_s: float = Field(
        300.0,
        gt=0,
        description="Seconds after which the end of the audit log is noted in the file `audit.anchors` of the data folder,"
        " if it has moved: what is cut off in PostgreSQL behind the last note shows.",
    )
    coalesce_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds for which refusals that are alike (who, from where, what, why) become one entry with their"
        " number; longer, up to ten minutes, the longer they go on.",
    )
    store_timeout_s: float = Field(
        2.0,
        gt=0,
        description="Seconds after which entries that PostgreSQL doesn't take go to files in the data folder, and from there"
        " to PostgreSQL when it is back.",
    )
    max_waiting: int = Field(
        10_000,
        ge=100,
        description="Entries that wait to be written. More are refused, and so is what they are about.",
    )
    spool_max_mb: int = Field(
        256,
        ge=1,
        description="Size of those files, in MiB, at which what is to be audited is refused until PostgreSQL is back.",
    )
