"""What is read of containers, and what it means. Never their environment or commands: secrets stand there."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Gauge,
    Labels,
    Menu,
    Parse,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
    snapshot,
)
from mtd_collector_containers.status import FLAGS, TITLE_FIELDS, one_state

PATH = "/container"
SCOPE = "containers"

STATE = State(
    field="state",
    key="containers.state",
    description="What the container does.",
    since="1",
    states={
        "stopped": 0,
        "running": 1,
        "starting": 2,
        "stopping": 3,
        "extracting": 4,
        "failed": 5,
        "deleting": 6,
    },
    words={
        "stopped": "stopped",
        "running": "running",
        "starting": "starting",
        "stopping": "stopping",
        "extracting": "extracting",
        "downloading": "extracting",
        "downloading/extracting": "extracting",
        "failed": "failed",
        "error": "failed",
        "deleting": "deleting",
    },
    event=StateEvent(
        event_type="container.state.changed",
        entity_type="container",
        message="container {label} went from {old} to {new}",
        messages={
            "running": "container {label} runs",
            "stopped": "container {label} stopped",
            "failed": "container {label} failed",
        },
        severities={"stopped": Severity.WARNING, "failed": Severity.WARNING},
    ),
)

HEALTH = State(
    field="health",
    key="containers.health_state",
    description="What the container's own check says of its health. Absent without one, and before version 7.22.",
    since="1",
    states={"unhealthy": 0, "healthy": 1, "starting": 2},
    event=StateEvent(
        event_type="container.health.changed",
        entity_type="container",
        message="container {label} is {new}",
        messages={"healthy": "container {label} is healthy again"},
        severities={"unhealthy": Severity.WARNING},
    ),
)

STATES = Menu(
    name="states",
    path=PATH,
    kind=TableKind.METRICS,
    tier=Tier.T2,
    requires="container",
    row_key=".id",
    scope=SCOPE,
    reads=("status", *FLAGS, "memory-current", "restart-count"),
    transform=one_state,
    max_rows=200,
    max_bytes=262_144,
    fields=(
        STATE,
        HEALTH,
        Gauge(
            field="memory-current",
            key="containers.memory_bytes",
            unit=Unit.BYTES,
            description="Memory that the container uses. Since version 7.20.",
            since="1",
            parse=Parse.SIZE,
            expected_min=0.0,
        ),
        Gauge(
            field="restart-count",
            key="containers.restarts",
            unit=Unit.COUNT,
            description="Times that the router started it again by its policy. Since version 7.20.",
            since="1",
            expected_min=0.0,
        ),
    ),
)

TABLE = Menu(
    name="table",
    path=PATH,
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    requires="container",
    table="container",
    row_key=".id",
    scope=SCOPE,
    labels=Labels(name="title"),
    reads=(*TITLE_FIELDS, "status", *FLAGS, "interface", "os", "arch"),
    transform=one_state,
    max_rows=200,
    max_bytes=262_144,
    fields=(
        *columns("title", "name", "comment", "hostname"),
        Column(
            field="tag",
            event=StateEvent(
                event_type="container.image.changed",
                entity_type="container",
                message="container {label} has image {new} instead of {old}",
            ),
        ),
        *columns("remote-image", "repo", "state", "health", "interface", "os", "arch"),
    ),
    appears=RowEvent(
        event_type="container.added", entity_type="container", message="container {label} was added"
    ),
    vanishes=RowEvent(
        event_type="container.removed",
        entity_type="container",
        message="container {label} is gone",
        severity=Severity.WARNING,
    ),
)

SNAPSHOTS = (
    snapshot(
        "containers.container",
        PATH,
        *TITLE_FIELDS,
        "interface",
        "root-dir",
        "layer-dir",
        "mounts",
        "mountlists",
        "envlist",
        "envlists",
        "workdir",
        "dns",
        "domain-name",
        "hosts",
        "devices",
        "user",
        "privileged",
        "start-on-boot",
        "stop-signal",
        "stop-on-unhealthy",
        "restart-policy",
        "restart-max-count",
        "restart-interval",
        "memory-high",
        "memory-max",
        "cpu-list",
        "logging",
        row_key=".id",
        requires="container",
    ),
    snapshot(
        "containers.config",
        "/container/config",
        "registry-url",
        "ram-high",
        "memory-high",
        "memory-max",
        "tmpdir",
        "layer-dir",
        requires="container",
    ),
    snapshot(
        "containers.mounts",
        "/container/mounts",
        "name",
        "list",
        "src",
        "dst",
        "mode",
        "comment",
        row_key=".id",
        requires="container",
    ),
)

COLLECTOR = Collector(
    name="containers",
    api=1,
    description="Containers: states, health, memory, settings",
    menus=(STATES, TABLE, *SNAPSHOTS),
)
