"""Settings of the doors."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from mtd.api.loopback import DoorHost
from mtd.api.tls.config import DoorTls, DoorTlsField, GrpcTls, GrpcTlsField

MIB = 1024 * 1024


class GrpcConfig(BaseModel):
    """The gRPC door."""

    model_config = ConfigDict(extra="forbid")

    tls: GrpcTlsField = Field(default_factory=GrpcTls, description='TLS; `tls = "internal"` switches it on.')
    host: DoorHost = Field(
        default="127.0.0.1",
        description="Address to listen on: without TLS loopback only; 0.0.0.0 or :: for all of this machine.",
    )
    port: int = Field(default=50051, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    unary_deadline_s: float = Field(
        default=30.0, gt=0, description="Deadline of calls whose caller gives none; streams have none."
    )
    longest_deadline_s: float = Field(
        default=300.0,
        gt=0,
        description="Longest deadline of calls, whatever their callers ask for; streams have none.",
    )
    stream_answer_deadline_s: float = Field(
        default=60.0, gt=0, description="Longest wait until a stream says something, if only that it began."
    )
    first_message_deadline_s: float = Field(
        default=30.0, gt=0, description="Longest wait for the first message of a caller that streams."
    )
    backend_deadline_s: float = Field(
        default=30.0, gt=0, description="Longest wait of a stream for one answer of the database."
    )
    stop_grace_s: float = Field(
        default=2.0, ge=0, description="How long running calls may go on when the door closes."
    )
    max_concurrent_calls: int = Field(
        default=1000, ge=1, description="Calls and streams at a time; further ones get RESOURCE_EXHAUSTED."
    )
    max_streams: int = Field(
        default=200, ge=1, description="Streams of values and of events at a time, each kind for itself."
    )
    stream_batch_bytes: int = Field(
        default=256 * 1024,
        ge=1,
        le=2 * MIB,
        description="Updates that are ready at once go in messages of about this size: a message costs "
        "more than what is in it. Clients accept 4 MiB by default.",
    )
    max_receive_bytes: int = Field(default=4 * MIB, ge=1024, description="Largest request.")
    max_send_bytes: int = Field(default=64 * MIB, ge=1024, description="Largest response.")
    keepalive_s: float = Field(
        default=30.0, gt=0, description="A silent connection is pinged after this many seconds."
    )
    keepalive_timeout_s: float = Field(
        default=10.0, gt=0, description="A ping that isn't answered in time ends the connection."
    )
    min_client_ping_s: float = Field(
        default=10.0, gt=0, description="Clients that ping more often than this are sent away."
    )
    max_points_per_answer: int = Field(
        default=1_000_000,
        ge=1000,
        description="Most points of a QueryRange over all its series; more is refused.",
    )
    max_patterns: int = Field(default=1000, ge=1, description="Most patterns of one kind in a selector.")
    max_unused_layouts: int = Field(
        default=5000,
        ge=1,
        description="Layouts kept in memory although no device uses them now; they are read again on need.",
    )
    event_tail: int = Field(
        default=4096, ge=1, description="Newest events kept in memory for streams that are up to date."
    )
    event_page: int = Field(default=1000, ge=1, description="Events read from the database at a time.")
    event_read_interval_s: float = Field(
        default=0.1, ge=0, description="Least time between two reads of new events, shared by all streams."
    )


class HttpConfig(BaseModel):
    """The HTTP door: health, readiness, metrics of the process and of routers, the console."""

    model_config = ConfigDict(extra="forbid")

    tls: DoorTlsField = Field(default_factory=DoorTls, description='TLS; `tls = "internal"` switches it on.')
    host: DoorHost = Field(
        default="127.0.0.1",
        description="Address to listen on: without TLS loopback only; 0.0.0.0 or :: for all of this machine.",
    )
    port: int = Field(default=9470, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    allowed_hosts: list[str] = Field(
        default=[],
        description="Names, with a port where it isn't 80 or 443, by which browsers and scrapers may call the door "
        "beside this machine's own (localhost, 127.0.0.1): those of a proxy or of the near end of a tunnel. Who calls by "
        "them is taken for nobody until they say who they are, `security.trust_loopback` or not.",
    )
    max_connections: int = Field(
        default=500, ge=1, description="Connections at a time, open consoles included; more are closed."
    )
    idle_timeout_s: float = Field(default=30.0, gt=0, description="A silent connection is closed after this.")
    stop_timeout_s: float = Field(default=2.0, gt=0, description="Longest wait for the port to close.")
    device_stale_intervals: float = Field(
        default=3.0,
        ge=1,
        description="Values of routers that are older than this many of their polls' intervals aren't given "
        "to Prometheus: two polls may fail before a graph has a gap.",
    )
    device_stale_min_s: float = Field(
        default=10.0,
        ge=0,
        description="Younger values of routers are given to Prometheus in any case: at an interval of a "
        "second, a moment's delay of the database would be a gap.",
    )
