"""What the tests of the log on JetStream share."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.jetstream.log import JetStreamEventLog
from mtd.testing.nats import NatsServers


def config_of(
    servers: NatsServers, folder: Path, stream: dict[str, Any] | None = None, **changes: Any
) -> EventLogConfig:
    return EventLogConfig(
        backend="jetstream",
        path=folder / "log" / "events.db",
        jetstream=servers.settings(**(stream or {})),
        **changes,
    )


def name_of(folder: Path) -> str:
    """Return the name of the log that belongs to a test's folder."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def new_log(
    servers: NatsServers, folder: Path, stream: dict[str, Any] | None = None, **changes: Any
) -> JetStreamEventLog:
    return JetStreamEventLog(config_of(servers, folder, stream, **changes), name_of(folder))
