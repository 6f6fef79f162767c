"""Settings of the event log."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MIB = 1024 * 1024

SYNC_LINE = "jetstream { sync_interval: always }"
SYNC_HINT = (
    f"put `{SYNC_LINE}` into nats-server.conf of each server (beside store_dir), and restart them one by one"
)
"""What makes NATS servers write before they confirm."""


class Backend(StrEnum):
    """What keeps the log."""

    SQLITE = "sqlite"
    JETSTREAM = "jetstream"


def _of_nats(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("nats", "tls") or not parts.hostname:
        raise ValueError("an address looks like nats://10.0.0.1:4222, or tls://nats-1.example.net:4222")
    if parts.username or parts.password:
        raise ValueError("name who logs in by user and password_file, or by credentials_file")
    return url


def _of_http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address looks like http://10.0.0.1:8222")
    return url.rstrip("/")


class NatsConfig(BaseModel):
    """How the NATS servers are reached, and as whom."""

    model_config = ConfigDict(extra="forbid")

    servers: list[Annotated[str, AfterValidator(_of_nats)]] = Field(
        default=["nats://127.0.0.1:4222"],
        min_length=1,
        description="Addresses of the NATS servers: all of a cluster. With tls:// nothing is said in the clear.",
    )
    monitoring: list[Annotated[str, AfterValidator(_of_http)]] = Field(
        default=["http://127.0.0.1:8222"],
        description="Addresses of the servers' monitoring (http_port, https_port), of each one: what they say there"
        " of how they write to their disks decides whether the log is durable.",
    )
    credentials_file: Path | None = Field(
        default=None, description="File with the JWT and the seed by which mtd logs in (.creds)."
    )
    user: str = Field(default="", description="Who logs in by a password. Goes with password_file.")
    password_file: Path | None = Field(default=None, description="File with the password.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="PEM of the CAs that the servers are checked by; empty: those of the system.",
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM of the certificate that mtd shows, where servers ask for one."
    )
    tls_key_file: Path | None = Field(default=None, description="Its private key, PEM.")
    connect_timeout_s: float = Field(
        default=2.0, gt=0, le=60, description="How long connecting to one server may take."
    )
    request_timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="How long a server may take to answer, and to confirm that a batch is stored.",
    )

    @model_validator(mode="after")
    def _halves_are_whole(self) -> Self:
        if bool(self.user) != (self.password_file is not None):
            raise ValueError("user and password_file go together")
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file go together")
        return self

    @property
    def with_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.tls_ca_file is not None or any(url.startswith("tls:") for url in self.servers)


class JetStreamConfig(NatsConfig):
    """The log as a stream of NATS JetStream."""

    name: str = Field(
        default="",
        max_length=64,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="Name of this hub's log, by which its stream is found; empty: daemon.collector_id. Each hub has its own.",
    )
    stream_prefix: str = Field(
        default="mtd",
        max_length=32,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="What the names of all streams and buckets of mtd begin with.",
    )
    replicas: int = Field(
        default=1, ge=1, le=5, description="How many servers keep each batch: 1, or 3 in a cluster."
    )
    accept_unsynced: bool = Field(
        default=False,
        description="Go on with servers that confirm batches before they are on the disk. A power cut then takes"
        " acknowledged events along: only for trying it out.",
    )
    recover_within_s: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="Batches wait so long for a lost connection or a new leader before they are refused as unavailable.",
    )
    chunk_bytes: int = Field(
        default=MIB // 2,
        ge=1024,
        description="Batches larger than this, or than the servers' max_payload, are stored as several messages.",
    )
    max_in_flight_messages: int = Field(
        default=256, ge=1, le=10_000, description="Messages sent ahead of their confirmation."
    )
    max_in_flight_bytes: int = Field(
        default=16 * MIB, ge=MIB, description="Bytes sent ahead of their confirmation."
    )
    durability_interval_s: float = Field(
        default=60.0, gt=0, description="How often the servers are asked again how they write to their disks."
    )
    index_interval_s: float = Field(
        default=300.0,
        gt=0,
        description="How often what is known of the stream's batches is kept beside the data, so that a start reads"
        " only what came since.",
    )


class EventLogConfig(BaseModel):
    """Where the log lives, how long it remembers, and how it commits."""

    model_config = ConfigDict(extra="forbid")

    backend: Backend = Field(
        default=Backend.SQLITE,
        description="What keeps the log: sqlite, a file of this process, or jetstream, a stream on NATS servers.",
    )
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
        description="Recent events kept in memory at most for consumers in this process that aren't done with them, "
        "counted as stored bytes: about five times as much in memory. Consumers that are further behind read the disk.",
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
    jetstream: JetStreamConfig = Field(
        default_factory=JetStreamConfig, description="The log as a stream, where backend is jetstream."
    )
