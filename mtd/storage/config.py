"""Settings of the storage."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from mtd.storage.dsn import with_password


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
    max_connections: int = Field(
        60,
        ge=10,
        le=1000,
        description="Most connections at a time: of a daemon up to thirty, and what else asks.",
    )
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
    """Partitions of the big tables, and how long events are kept."""

    model_config = ConfigDict(extra="forbid")

    ahead_hours: int = Field(
        48, ge=1, le=336, description="Hours for which partitions of frames, one an hour, are made ahead."
    )
    ahead_days: int = Field(
        7,
        ge=1,
        le=60,
        description="Days for which the other partitions are made ahead, and for which times in the future are taken in.",
    )
    telemetry_days: int | None = Field(
        None,
        ge=1,
        le=3650,
        description="Former name of `raw_days` in `[database.retention]`, where it belongs now; works as before.",
    )
    events_months: int = Field(24, ge=1, le=240, description="Months that events and device health are kept.")
    interval_s: float = Field(600.0, gt=0, description="Seconds between rounds of maintenance.")


# Not as if a month, a day or an hour followed: partitions of the class before that are called so.
_CLASS_NAME = re.compile(r"(?!.*_\d{6,}$)[a-z][a-z0-9_]{0,15}")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class RetentionClassConfig(BaseModel):
    """Series that are kept for a time of their own. What isn't set is as for the others."""

    model_config = ConfigDict(extra="forbid")

    metrics: list[str] = Field(
        default_factory=list, description="Catalogue keys with wildcards, such as `iface.*`; all if empty."
    )
    tenants: list[str] = Field(default_factory=list, description="Names or ids of tenants; all if empty.")
    raw_days: int | None = Field(None, ge=1, le=36500, description="Days that each value is kept.")
    rollup_10s_days: int | None = Field(None, ge=1, le=36500, description="Days that 10 s rollups are kept.")
    rollup_1m_days: int | None = Field(None, ge=1, le=36500, description="Days that 1 min rollups are kept.")
    rollup_5m_days: int | None = Field(None, ge=1, le=36500, description="Days that 5 min rollups are kept.")

    @model_validator(mode="after")
    def _says_which(self) -> RetentionClassConfig:
        if not (self.metrics or self.tenants):
            raise ValueError(
                "a retention class needs metrics or tenants; what all have is set outside of classes"
            )
        return self


class RetentionConfig(BaseModel):
    """How long telemetry is kept, and when what is older is dropped."""

    model_config = ConfigDict(extra="forbid")

    raw_days: int = Field(90, ge=1, le=36500, description="Days that each value is kept.")
    rollup_10s_days: int = Field(180, ge=1, le=36500, description="Days that 10 s rollups are kept.")
    rollup_1m_days: int = Field(730, ge=1, le=36500, description="Days that 1 min rollups are kept.")
    rollup_5m_days: int = Field(1825, ge=1, le=36500, description="Days that 5 min rollups are kept.")
    logs_days: int = Field(30, ge=1, le=36500, description="Days that lines of devices' logs are kept.")
    flows_days: int = Field(3, ge=1, le=36500, description="Days that flow records are kept as they came.")
    flow_sums_1m_days: int = Field(
        14, ge=1, le=36500, description="Days that sums of flows by the minute are kept."
    )
    flow_sums_1h_days: int = Field(
        400, ge=1, le=36500, description="Days that sums of flows by the hour are kept."
    )
    drop_between: list[str] = Field(
        default_factory=lambda: ["02:00", "05:00"],
        description="Local times of day between which partitions past their retention are dropped; at any time if empty."
        " What is overdue by two days is dropped at any time.",
    )
    classes: dict[str, RetentionClassConfig] = Field(
        default_factory=dict,
        description="Classes of series with figures of their own, by name, each a table"
        " `[database.retention.classes.NAME]`. A series belongs to the first that matches, for the hours to come.",
    )

    @field_validator("drop_between")
    @classmethod
    def _two_times(cls, times: list[str]) -> list[str]:
        if times and (len(times) != 2 or not all(map(_TIME_OF_DAY.fullmatch, times)) or times[0] == times[1]):
            raise ValueError('two different times of day, such as ["02:00", "05:00"], or none')
        return times

    @field_validator("classes")
    @classmethod
    def _names_of_tables(cls, classes: dict[str, RetentionClassConfig]) -> dict[str, RetentionClassConfig]:
        for name in classes:
            if not _CLASS_NAME.fullmatch(name) or name == "standard":
                raise ValueError(
                    f"the class {name!r} can't be called so: up to 16 of a to z, 0 to 9 and _, a letter first,"
                    " not standard, which is what no class matches, and no number like a date's at the end"
                )
        return classes


class CompactionConfig(BaseModel):
    """How closed hours of telemetry become blocks."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(
        True,
        description="Whether closed hours become blocks. Off: frames stay as they came, six times as large.",
    )
    close_after_s: float = Field(
        300.0, ge=0, description="Seconds after the end of an hour before it is compacted."
    )
    late_wait_s: float = Field(
        120.0,
        ge=0,
        description="Seconds that frames of an hour that is compacted already wait for others, so that what an edge "
        "brings after an outage is merged at once and not a handful at a time.",
    )
    cpu_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Most of one core that compaction takes, PostgreSQL's part included: it sleeps between its units.",
    )
    interval_s: float = Field(30.0, gt=0, description="Seconds between looks at what is due.")
    late_alarm_s: float = Field(
        10_800.0,
        gt=0,
        description="Age of a closed hour that waits to be compacted at which `/readyz` complains.",
    )


class FlowSumsConfig(BaseModel):
    """How flow records are summed up by the minute and by the hour."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(
        True,
        description="Whether flow records are summed up. Off: only the records themselves are kept, while they are.",
    )
    close_after_s: float = Field(
        15.0, ge=0, description="Seconds after the end of a minute before it is summed up."
    )
    late_wait_s: float = Field(
        5.0,
        ge=0,
        description="Seconds in which nothing more of a minute came before it is summed up, so that what an edge brings"
        " after an outage is summed up at once and not again and again.",
    )
    interval_s: float = Field(5.0, gt=0, description="Seconds between looks at what is due.")
    late_alarm_s: float = Field(
        900.0,
        gt=0,
        description="Age of a minute that waits to be summed up at which `/readyz` complains.",
    )


class BlocksConfig(BaseModel):
    """Blocks of closed hours."""

    model_config = ConfigDict(extra="forbid")

    dense_after_days: int = Field(
        0,
        ge=0,
        le=36500,
        description="Days after which blocks become dense: half the size, but no longer in the view `telemetry`, so that"
        " only mtd reads them; never if 0.",
    )


ENVIRONMENT = {
    "DATABASE_URL": "database.dsn",
    "POSTGRES_PASSWORD_FILE": "database.password_file",
}
"""Names that the environment may have, as other programs' configurations do, and which settings they are."""


class StorageConfig(BaseModel):
    """Where PostgreSQL is and how it is used."""

    model_config = ConfigDict(extra="forbid")

    dsn: SecretStr = Field(
        SecretStr(""), description="Connection string of a PostgreSQL >= 15; mtd runs its own if empty."
    )
    dsn_file: Path | None = Field(None, description="File that holds the connection string.")
    password_file: Path | None = Field(
        None, description="File that holds the password of the connection string, which has none itself then."
    )
    door_dsn: SecretStr = Field(
        SecretStr(""),
        description="Connection string of a login for doors (API, console) that can become the role `mtd_door` and"
        " nothing else, so that what they do can't pass the walls between tenants. If empty, they use `dsn` and lay its"
        " rights down; the PostgreSQL that mtd runs itself has such a login.",
    )
    door_dsn_file: Path | None = Field(
        None, description="File that holds the connection string of the doors' login."
    )
    embedded: EmbeddedConfig = Field(default_factory=EmbeddedConfig, description="The embedded PostgreSQL.")
    partitions: PartitionsConfig = Field(
        default_factory=PartitionsConfig, description="Partitions of the big tables."
    )
    retention: RetentionConfig = Field(
        default_factory=RetentionConfig, description="How long telemetry is kept."
    )
    blocks: BlocksConfig = Field(default_factory=BlocksConfig, description="Blocks of closed hours.")
    compaction: CompactionConfig = Field(
        default_factory=CompactionConfig, description="How closed hours of telemetry become blocks."
    )
    flow_sums: FlowSumsConfig = Field(
        default_factory=FlowSumsConfig,
        description="How flow records are summed up by the minute and by the hour.",
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
    idle_transaction_timeout_s: float = Field(
        8.0,
        gt=0,
        description="Longest time that the server waits for the next statement of a transaction, then ends it: a process"
        " that is held up in the middle of one has locks that others wait for.",
    )
    transaction_deadline_s: float = Field(
        30.0, gt=0, description="Longest transaction, waiting for a connection and tries included."
    )
    retry_first_s: float = Field(0.05, gt=0, description="Wait after the first failure of a transaction.")
    retry_cap_s: float = Field(2.0, gt=0, description="Longest wait between tries.")

    @field_validator("dsn_file", "door_dsn_file", "password_file")
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
            raise ValueError("the file is empty; it should hold a connection string, or a password")
        return path

    @model_validator(mode="after")
    def _one_dsn(self) -> StorageConfig:
        if self.dsn.get_secret_value() and self.dsn_file is not None:
            raise ValueError("set dsn or dsn_file, not both")
        if self.door_dsn.get_secret_value() and self.door_dsn_file is not None:
            raise ValueError("set door_dsn or door_dsn_file, not both")
        return self

    @model_validator(mode="after")
    def _doors_of_the_same_database(self) -> StorageConfig:
        has_dsn = bool(self.dsn.get_secret_value()) or self.dsn_file is not None
        if not has_dsn and (self.door_dsn.get_secret_value() or self.door_dsn_file is not None):
            raise ValueError(
                "door_dsn is for a PostgreSQL of your own: set dsn, too, or leave both to the one that mtd runs"
            )
        return self

    @model_validator(mode="after")
    def _one_retention(self) -> StorageConfig:
        days = self.partitions.telemetry_days
        if days is not None:
            if "raw_days" in self.retention.model_fields_set and self.retention.raw_days != days:
                raise ValueError(
                    "partitions.telemetry_days is the former name of retention.raw_days: set the latter only"
                )
            self.retention = self.retention.model_copy(update={"raw_days": days})
        return self

    def for_queries(self) -> StorageConfig:
        """Return the settings of the pool for readers."""
        return self.model_copy(
            update={"pool_size": self.query_pool_size, "statement_timeout_s": self.query_statement_timeout_s}
        )

    def read_dsn(self) -> str:
        """Return the connection string; empty if mtd is to run its own PostgreSQL."""
        dsn = self.dsn.get_secret_value()
        if self.dsn_file is not None:
            dsn = self.dsn_file.read_text(encoding="utf-8").strip()
        if not dsn or self.password_file is None:
            return dsn
        password = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        return with_password(dsn, password)

    def read_door_dsn(self) -> str:
        """Return the connection string of the doors' login; empty if there is none."""
        if self.door_dsn_file is not None:
            return self.door_dsn_file.read_text(encoding="utf-8").strip()
        return self.door_dsn.get_secret_value()
