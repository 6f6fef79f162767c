"""A collector of subscribers for benches and tests: sessions as a table, with counts, events and private fields."""

from __future__ import annotations

from mtd.model.metric import Tier, Unit
from mtd.plugin import (
    Collector,
    Column,
    Counted,
    DerivedRate,
    Labels,
    Menu,
    Moment,
    RowEvent,
    TableKind,
    Tally,
    columns,
)

TABLE = "bench_session"

SESSIONS = Menu(
    name="sessions",
    path="/ppp/active",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table=TABLE,
    row_key=".id",
    scope="bench",
    labels=Labels(),
    fields=(
        *columns("name", "service", "caller-id", "address", "session-id"),
        Moment(field="uptime", name="since"),
        Column(field="limit-bytes-in", volatile=True),
    ),
    private=("name", "caller-id", "address"),
    appears=RowEvent(event_type="bench.session.started", entity_type="session", message="{label} is online"),
    vanishes=RowEvent(event_type="bench.session.ended", entity_type="session", message="{label} is gone"),
    tallies=(
        Tally(key="bench.sessions", description="Sessions that are there.", since="1"),
        Tally(
            key="bench.started_total",
            description="Sessions that began.",
            since="1",
            counts=Counted.APPEARED,
            rate=DerivedRate(
                key="bench.started_per_s",
                unit=Unit.EVENTS_PER_SECOND,
                description="Sessions that begin.",
                since="1",
            ),
        ),
        Tally(
            key="bench.ended_total", description="Sessions that ended.", since="1", counts=Counted.VANISHED
        ),
        Tally(
            key="bench.sessions_by_service",
            description="Sessions by service.",
            since="1",
            by="service",
            scope="bench",
        ),
    ),
    max_rows=50_000,
    max_bytes=16 * 1024 * 1024,
    max_instances=50_000,
)

COLLECTOR = Collector(name="bench", api=1, description="Sessions of a concentrator.", menus=(SESSIONS,))
