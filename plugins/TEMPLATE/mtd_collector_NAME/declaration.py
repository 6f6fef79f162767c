"""What is read, and what it means. The example reads the queue tree: replace it."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Counter,
    DerivedRate,
    Gauge,
    Labels,
    Menu,
    RowEvent,
    State,
    StateEvent,
    TableKind,
    columns,
)

# Numbers of each row, often: a frame of counters, gauges and states.
TRAFFIC = Menu(
    name="traffic",
    path="/queue/tree",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key=".id",
    scope="NAME",
    fields=(
        Counter(
            field="bytes",
            key="NAME.sent_bytes_total",
            unit=Unit.BYTES,
            description="Bytes that left the queue.",
            since="1",
            rate=DerivedRate(
                key="NAME.sent_bps",
                unit=Unit.BITS_PER_SECOND,
                scale=8.0,
                description="Bits that left the queue, per second.",
                since="1",
            ),
        ),
        Counter(
            field="dropped",
            key="NAME.dropped_packets_total",
            unit=Unit.PACKETS,
            description="Packets that the queue dropped.",
            since="1",
        ),
        State(
            field="invalid",
            key="NAME.validity_state",
            description="Whether the queue can work as it is configured.",
            since="1",
            states={"invalid": 0, "valid": 1},
            words={"true": "invalid", "false": "valid"},
            event=StateEvent(
                event_type="NAME.validity.changed",
                entity_type="queue",
                message="queue {label} is {new}",
                severities={"invalid": Severity.WARNING},
            ),
        ),
    ),
)

# What there is, less often: a table of the current state. It teaches the names of the rows.
TABLE = Menu(
    name="table",
    path="/queue/tree",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="NAME",
    row_key=".id",
    scope="NAME",
    labels=Labels(name="name", comment="comment"),
    fields=(
        Column(
            field="name",
            event=StateEvent(
                event_type="NAME.renamed", entity_type="queue", message="{old} is called {new} now"
            ),
        ),
        *columns("comment", "parent", "max-limit", "disabled"),
    ),
    appears=RowEvent(event_type="NAME.added", entity_type="queue", message="queue {label} was added"),
    vanishes=RowEvent(event_type="NAME.removed", entity_type="queue", message="queue {label} is gone"),
)

# How many there are: the router counts, and sends one number.
COUNT = Menu(
    name="count",
    path="/queue/tree",
    kind=TableKind.COUNT_ONLY,
    tier=Tier.T3,
    fields=(
        Gauge(
            field="count", key="NAME.queues", unit=Unit.COUNT, description="Queues in the tree.", since="1"
        ),
    ),
)

COLLECTOR = Collector(
    name="NAME",
    api=1,
    description="Say in a few words what is collected",
    menus=(TRAFFIC, TABLE, COUNT),
)
