"""Settings of ingest."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mtd.model.device import DEFAULT_TENANT_ID

MIB = 1024 * 1024


class IngestConfig(BaseModel):
    """How observations are checked, buffered and passed to the event log."""

    model_config = ConfigDict(extra="forbid")

    flush_interval_s: float = Field(
        default=0.1, gt=0, le=5, description="How long an event waits at most before it is passed to the log."
    )
    flush_events: int = Field(
        default=5000,
        ge=1,
        description="Buffered events that are passed on without waiting; also the largest batch.",
    )
    flush_bytes: int = Field(
        default=4 * MIB,
        ge=1024,
        description="Buffered bytes that are passed on without waiting; also the largest batch.",
    )
    buffer_events: int = Field(
        default=200_000,
        ge=1,
        description="Events kept while the log can't take them; beyond, the least urgent go.",
    )
    buffer_bytes: int = Field(
        default=256 * MIB,
        ge=1024,
        description="Bytes kept while the log can't take them; beyond, the least urgent go.",
    )
    retry_first_s: float = Field(
        default=0.1, gt=0, description="Wait before the first retry of a failed append."
    )
    retry_cap_s: float = Field(
        default=2.0, gt=0, description="Longest wait before a retry of a failed append."
    )
    append_patience_s: float = Field(
        default=10.0, gt=0, description="An append that takes longer is reported as an outage of the log."
    )
    report_interval_s: float = Field(
        default=60.0,
        gt=0,
        description="How often a lasting outage of the log, or loss of events, is reported again.",
    )
    stop_timeout_s: float = Field(
        default=3.0, gt=0, description="How long stopping waits for the log to take what is buffered."
    )
    redeclare_interval_s: float = Field(
        default=3600.0, gt=0, description="How often the layouts in use are declared again in the log."
    )
    document_memory_s: float = Field(
        default=48 * 3600.0,
        gt=0,
        description="How long an unchanged document is recognised after it was last seen.",
    )
    max_future_s: float = Field(
        default=300.0,
        ge=0,
        description="Observations dated further ahead of the collector's clock are refused.",
    )
    max_series: int = Field(default=20_000, ge=1, description="Most series in one frame.")
    max_table_rows: int = Field(default=50_000, ge=1, description="Most rows in one change of a table.")
    max_state_changes: int = Field(default=1000, ge=1, description="Most state changes in one observation.")
    max_event_bytes: int = Field(default=8 * MIB, ge=1024, description="Largest single event.")
    own_tenant_id: str = Field(
        default=DEFAULT_TENANT_ID, description="Tenant of events about the collector itself."
    )
