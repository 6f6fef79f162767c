"""Settings of the projections."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProjectionsConfig(BaseModel):
    """How events are grouped into transactions."""

    model_config = ConfigDict(extra="forbid")

    batch_events: int = Field(
        2048,
        ge=1,
        le=10_000,
        description="Most events in one transaction: as many as wait, up to this. Eight log lines count as one, and so do 4 KiB "
        "of a table, a document, lines or flows. A transaction takes its "
        "time however few it holds, so that small ones never catch up on a busy machine.",
    )
    read_ahead_batches: int = Field(
        64, ge=1, description="Batches of the log that are read ahead; then it waits."
    )
    read_ahead_events: int = Field(
        4096,
        ge=1,
        description="Events that are read ahead, counted as in a transaction, in however few batches: one of an overloaded "
        "second holds hundreds.",
    )
    slice_s: float = Field(
        0.003,
        gt=0,
        le=0.1,
        description="Longest stretch of computing before other work of the loop gets its turn.",
    )
    max_ahead_s: float = Field(
        300.0,
        ge=0,
        description="How far a collector's clock may be ahead of the hub's; events beyond are dropped.",
    )
    join_window_s: float = Field(
        90.0,
        ge=0,
        le=3600,
        description="A poll and a log line that tell the same of a thing within so many seconds are one event. Longer than what "
        "both can tell is polled apart. What tells no state and comes again within it is one event as well. 0: each for itself.",
    )
    retry_first_s: float = Field(0.2, gt=0, description="Wait after the first failed transaction.")
    retry_cap_s: float = Field(10.0, gt=0, description="Longest wait between tries.")
    poisoned_in_a_row: int = Field(
        100,
        ge=0,
        description="Events in a row that a projection can't take before it is held to be its own fault and "
        "waits, instead of putting aside one after the other; 0: never.",
    )
    redundant_days: float = Field(
        3.0,
        gt=0,
        le=90,
        description="Of a device that two collectors poll at a time, this long it is known which poll of an interval was"
        " kept; what a collector brings later than that is left out. Longer than event logs are kept.",
    )
    ahead_after_s: float = Field(
        5.0,
        gt=0,
        description="While the projections are further behind than this, the newest values are shown at once, "
        "and history follows in its order.",
    )
    ahead_interval_s: float = Field(
        1.0, gt=0, description="How often the newest values are shown while there is a backlog."
    )
    ahead_events: int = Field(
        10_000,
        ge=1,
        description="How many of the newest events are looked through for that: those of some seconds, of all routers.",
    )
    settle_s: float = Field(
        3.0,
        ge=0,
        description="Age at which a commit counts as being on disk: at least three times wal_writer_delay of the server.",
    )
