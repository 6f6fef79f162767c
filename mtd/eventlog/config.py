"""Settings of the event log."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024


class EventLogConfig(BaseModel):
    """Where the log lives, how long it remembers, and how it commits."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(
        default=Path("events.db"), description="File of the embedded log. Its folder is created."
    )
    retention_s: float = Field(
        default=24 * 3600.0,
        gt=0,
        description="Events older than this are trimmed, once every consumer has them.",
    )
    max_bytes: int = Field(
        default=8 * 1024 * MIB,
        ge=1024,
        description="Size at which the oldest events are trimmed; if consumers still need them, appending stops.",
    )
    min_free_bytes: int = Field(
        default=64 * MIB,
        ge=0,
        description="Appending stops while the disk has less free space, so that PostgreSQL beside it survives.",
    )
    commit_interval_s: float = Field(
        default=0.1,
        ge=0,
        le=5,
        description="Least time between two commits; batches that arrive meanwhile are committed together.",
    )
    commit_bytes: int = Field(
        default=8 * MIB,
        ge=1,
        description="Waiting bytes that are committed without waiting for the interval.",
    )
    max_batch_bytes: int = Field(default=64 * MIB, ge=1024, description="Largest batch that is accepted.")
    max_waiting_batches: int = Field(
        default=1000,
        ge=1,
        description="Batches that may wait for a commit; further ones are refused as busy.",
    )
    tail_bytes: int = Field(
        default=8 * MIB,
        ge=0,
        description="Recent events kept in memory for consumers in this process, counted as stored bytes: about "
        "five times as much in memory. Consumers that are further behind read the disk.",
    )
    read_bytes: int = Field(
        default=8 * MIB, ge=1, description="Stored bytes that one read takes from the disk at most."
    )
    maintenance_interval_s: float = Field(
        default=10.0,
        gt=0,
        description="How often retention, free space and consumer positions are looked after.",
    )
    checkpoint_bytes: int = Field(
        default=16 * MIB,
        ge=4096,
        description="Size of the write-ahead file at which it is moved into the database.",
    )
    spare_bytes: int = Field(
        default=256 * MIB,
        ge=0,
        description="Trimmed space kept in the file for reuse; more is given back to the disk.",
    )
    busy_timeout_s: float = Field(
        default=5.0,
        gt=0,
        description="How long to wait for another process that reads the file at a bad moment.",
    )
    stalled_after_s: float = Field(
        default=10.0,
        gt=0,
        description="A batch that waits longer for the disk means that the log can't be appended to now.",
    )
    stop_timeout_s: float = Field(
        default=5.0, gt=0, description="How long stop() waits for the last commit before it gives up, loudly."
    )
