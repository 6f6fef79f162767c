"""Settings of the read side."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class QueriesConfig(BaseModel):
    """What readers of one tenant may ask for, and how long answers about all devices are kept."""

    model_config = ConfigDict(extra="forbid")

    max_scanned_points: int = Field(
        5_000_000,
        ge=1,
        description="Most stored points, or buckets of rollups, that one query of a range reads; more is refused"
        " before it is read.",
    )
    max_answer_points: int = Field(
        1_000_000, ge=1, description="Most points in the answer to one query of a range, over all its series."
    )
    max_concurrent: int = Field(
        2,
        ge=1,
        le=100,
        description="Queries of ranges that run for one tenant at a time; further ones wait. Below"
        " `database.query_pool_size`, one tenant can't take all connections from the others.",
    )
    max_waiting: int = Field(
        64,
        ge=0,
        le=10_000,
        description="Queries of ranges that wait for one tenant; further ones are refused.",
    )
    latest_cache_s: float = Field(
        10.0, gt=0, le=60, description="How long the newest values, and rankings by them, are kept."
    )
    counts_cache_s: float = Field(
        15.0, gt=0, le=60, description="How long the counts of devices by status are kept."
    )
    history_cache_s: float = Field(
        60.0, gt=0, le=60, description="How long rankings over a time and the events per day are kept."
    )
    max_cached: int = Field(
        256, ge=1, le=100_000, description="Kept answers, over all tenants; the oldest goes first."
    )
