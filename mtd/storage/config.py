"""Settings of the storage."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class EmbeddedConfig(BaseModel):
    """The PostgreSQL that mtd brings along and runs itself."""

    model_config = ConfigDict(extra="forbid")

    port: int = Field(0, ge=0, le=65535, description="TCP port on 127.0.0.1; a free one if 0.")
    os_user: str = Field(
        "",
        description="When mtd runs as root: user that PostgreSQL runs as; `postgres`, else `nobody` if empty.",
    )
    fallback_dir: Path = Field(
        Path("/var/lib/mtd-postgres"),
        description="When mtd runs as root: where the data goes if that user can't reach the data folder.",
    )
    shared_buffers_mb: int = Field(
        0,
        ge=0,
        le=65536,
        description="PostgreSQL's own cache in MiB; an eighth of the memory, 64 to 1024, if 0.",
    )
    max_connections: int = Field(40, ge=10, le=1000, description="Most connections at a time.")
    max_wal_mb: int = Field(2048, ge=128, description="Write-ahead log between checkpoints, in MiB.")
    durable: bool = Field(
        True,
        description="Whether PostgreSQL waits for the disk. Off is for tests: a power cut loses the data.",
    )
    start_timeout_s: float = Field(60.0, gt=0, description="Longest start, recovery after a crash included.")
    stop_timeout_s: float = Field(
        3.0,
        gt=0,
        description="Longest orderly stop, which writes all buffers; after it the server is stopped at once, and replays"
        " its log at the next start.",
    )
    log_max_bytes: int = Field(
        16 * 1024 * 1024, ge=65536, description="Size at which the server's log is turned over."
    )


class PartitionsConfig(BaseModel):
    """Partitions of the big tables, and how long they are kept."""

    model_config = ConfigDict(extra="forbid")

    ahead_days: int = Field(7, ge=1, le=60, description="Days for which partitions are made ahead.")
    telemetry_days: int = Field(90, ge=1, le=3650, description="Days that raw telemetry is kept.")
    events_months: int = Field(24, ge=1, le=240, description="Months that events and device health are kept.")
    interval_s: float = Field(600.0, gt=0, description="Seconds between rounds of maintenance.")


class StorageConfig(BaseModel):
    """Where PostgreSQL is and how it is used."""

    model_config = ConfigDict(extra="forbid")

    dsn: SecretStr = Field(
        SecretStr(""), description="Connection string of a PostgreSQL >= 15; mtd runs its own if empty."
    )
    dsn_file: Path | None = Field(None, description="File that holds the connection string.")
    embedded: EmbeddedConfig = Field(default_factory=EmbeddedConfig, description="The embedded PostgreSQL.")
    partitions: PartitionsConfig = Field(
        default_factory=PartitionsConfig, description="Partitions and retention."
    )
    pool_size: int = Field(6, ge=2, le=100, description="Connections kept open.")
    query_pool_size: int = Field(
        3,
        ge=1,
        le=100,
        description="Connections kept open for readers, apart from the others: what they ask never holds up the projections.",
    )
    query_statement_timeout_s: float = Field(10.0, gt=0, description="Longest single statement of a reader.")
    connect_timeout_s: float = Field(
        5.0, gt=0, description="Longest attempt to connect, all addresses of the host together."
    )
    statement_timeout_s: float = Field(30.0, gt=0, description="Longest single statement.")
    transaction_deadline_s: float = Field(
        30.0, gt=0, description="Longest transaction, waiting for a connection and tries included."
    )
    retry_first_s: float = Field(0.05, gt=0, description="Wait after the first failure of a transaction.")
    retry_cap_s: float = Field(2.0, gt=0, description="Longest wait between tries.")

    @field_validator("dsn_file")
    @classmethod
    def _can_be_read(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"the file can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError("the file isn't UTF-8 text") from None
        if not text.strip():
            raise ValueError("the file is empty; it should hold a connection string")
        return path

    @model_validator(mode="after")
    def _one_dsn(self) -> StorageConfig:
        if self.dsn.get_secret_value() and self.dsn_file is not None:
            raise ValueError("set dsn or dsn_file, not both")
        return self

    def for_queries(self) -> StorageConfig:
        """Return the settings of the pool for readers."""
        return self.model_copy(
            update={"pool_size": self.query_pool_size, "statement_timeout_s": self.query_statement_timeout_s}
        )

    def read_dsn(self) -> str:
        """Return the connection string; empty if mtd is to run its own PostgreSQL."""
        if self.dsn_file is not None:
            return self.dsn_file.read_text(encoding="utf-8").strip()
        return self.dsn.get_secret_value()
