"""Settings of ingest."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mtd.model.device import DEFAULT_TENANT_ID

MIB = 1024 * 1024


class PushConfig(BaseModel):
    """What programs may send, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    max_values: int = Field(default=50_000, ge=1, description="Most values in one batch.")
    max_events: int = Field(default=10_000, ge=1, description="Most events in one batch.")
    new_layouts_per_hour: int = Field(
        default=1000,
        ge=1,
        description="Sets of keys that one caller may begin to send per hour: each is kept for good, and rows that "
        "always have the same keys need one.",
    )
    max_unpacked_bytes: int = Field(
        default=64 * MIB,
        ge=1024,
        description="Largest batch once it is unpacked: gzip makes little of a lot.",
    )
    values_per_s: float = Field(
        default=20_000.0,
        gt=0,
        description="Values and events per second of one key, token or collector. A batch may be larger: "
        "the next one then has to wait.",
    )
    requests_per_s: float = Field(
        default=50.0, gt=0, description="Batches and heartbeats per second of one key, token or collector."
    )
    tenant_values_per_s: float = Field(
        default=1_000_000.0,
        gt=0,
        description="Values and events per second of one tenant that has no quota of its own.",
    )
    tenant_requests_per_s: float = Field(
        default=200.0, gt=0, description="Batches and heartbeats per second of one tenant."
    )
    burst_s: float = Field(
        default=10.0, gt=0, description="Who sent nothing for so many seconds may send as much at once."
    )
    tenant_batches: int = Field(
        default=4, ge=1, description="Batches of one tenant that are worked on at a time; more are refused."
    )
    waiting_bytes: int = Field(
        default=128 * MIB,
        ge=1024,
        description="Memory for batches that are received or worked on; a caller gets a quarter of it at most.",
    )
    body_timeout_s: float = Field(
        default=60.0, gt=0, description="A batch that takes longer to arrive over HTTP is given up."
    )
    append_timeout_s: float = Field(
        default=20.0, gt=0, description="Who sends is told to try again if the log takes longer."
    )
    full_at: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="While the buffer of mtd's own observations is fuller than this, batches are refused.",
    )
    clock_tolerance_s: float = Field(
        default=300.0, gt=0, description="Signatures with a time further from mtd's clock are refused."
    )
    nonces: int = Field(
        default=500_000,
        ge=1000,
        description="Signatures that are remembered, so that none is good twice, a quarter of them of one tenant at the most; "
        "more at a time are refused.",
    )
    event_memory_days: float = Field(
        default=30.0, gt=0, description="How long an event that is sent again is recognised by its UUID."
    )
    heartbeat_interval_s: float = Field(
        default=30.0, gt=0, description="How often programs that send are asked to say that they are alive."
    )


class AppendConfig(BaseModel):
    """What collectors copy from their logs into this one's."""

    model_config = ConfigDict(extra="forbid")

    max_batch_bytes: int = Field(
        default=9 * MIB,
        ge=1024,
        le=32 * MIB,
        description="Largest batch: a little more than the largest single event of any collector, which has "
        "ingest.max_event_bytes. Collectors send larger events empty.",
    )
    window_batches: int = Field(
        default=32, ge=1, description="Batches of one stream that may wait for the log at a time."
    )
    window_bytes: int = Field(
        default=16 * MIB, ge=1024, description="Bytes of one stream that may wait for the log at a time."
    )
    max_streams: int = Field(default=2000, ge=1, description="Streams at a time; each collector has two.")
    values_per_s: float = Field(
        default=1_000_000.0,
        gt=0,
        description="Values and events per second of one collector: those of its routers, and what it sends again.",
    )
    open_timeout_s: float = Field(
        default=30.0, gt=0, description="A stream that doesn't say what it carries within this is ended."
    )
    projected_interval_s: float = Field(
        default=5.0, gt=0, description="How often collectors hear what they may forget."
    )


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
    max_body_bytes: int = Field(
        default=10_485_760, ge=1024, description="Largest body of a batch over HTTP, as it is sent."
    )
    push: PushConfig = Field(
        default_factory=PushConfig, description="What programs may send, and how much of it."
    )
    append: AppendConfig = Field(
        default_factory=AppendConfig, description="What collectors copy from their logs."
    )
    own_tenant_id: str = Field(
        default=DEFAULT_TENANT_ID, description="Tenant of events about the collector itself."
    )


ENVIRONMENT = {"INGEST_MAX_BODY_BYTES": "ingest.max_body_bytes"}
"""Names of the environment beside those that all settings have."""
