"""Names of things that aren't interfaces: as the tables of any collector tell them."""

from __future__ import annotations

from mtd.api.config import HttpConfig
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.http.device_metrics import DeviceMetrics
from mtd.api.http.exposition import Format
from mtd.model.catalogue import Catalogue
from mtd.model.device import InterfaceNaming
from mtd.model.events import table_event
from mtd.model.labels import LabelSource, label_sources
from mtd.model.layout import Layout, Series
from mtd.model.metric import DEFAULT_INTERVAL_S, Kind, Lane, Metric, Tier, Unit
from mtd.model.observation import KeyRange, TableChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.queries.records import InstanceName
from mtd.testing import run_async
from tests.unit.api.fakes import TENANT, FakeTelemetry, declared, device, frame, numbered, origin
from tests.unit.api.prometheus_kit import Clock, key, samples_of, view

NOW_US = 1_000_000_000_000
LOAD = Metric("ups.load_pct", Unit.PERCENT, Kind.GAUGE, Tier.T1, "Load.", "1", scope="ups")
TITLED = LabelSource("ups", "ups", name="title", comment="place")
SESSIONS = LabelSource("session", "session")
CATALOGUE = Catalogue.assemble([("acme", [LOAD])], [TITLED, SESSIONS])
LAYOUT = Layout.of("t1", (Series(LOAD.key, "*1", Lane.GAUGE), Series(LOAD.key, "*2", Lane.GAUGE)))
VALUES = frame(NOW_US, layout=LAYOUT, counters=(), gauges=(12.0, 50.0), rates=())
ROWS = {"*1": {"title": "rack", "place": "cellar", "type": "apc"}, "*2": {"place": "roof"}}


def table(name: str, rows: dict[str, dict[str, str]], within: KeyRange | None = None) -> Envelope:
    return table_event(origin("d1"), TableChange(name, within is None, rows, (), within), 1, 1)


def made(telemetry: FakeTelemetry | None = None) -> StreamHub:
    hub = StreamHub(telemetry or FakeTelemetry(), CATALOGUE)
    hub.apply_devices([device("d1", "r1")])
    return hub


def labels(hub: StreamHub) -> list[str]:
    with hub.open_stream(TENANT) as stream:
        layouts = [
            layout for message in stream.take() for layout in message.batch.layouts or [message.layout]
        ]
        return [series.key for layout in layouts for series in layout.series]


def test_streams_say_what_the_table_of_a_collector_calls_its_things() -> None:
    hub = made()
    hub.publish(numbered(declared(LAYOUT), VALUES))
    assert labels(hub) == ["ups.*1.load_pct", "ups.*2.load_pct"]
    hub.publish(numbered(table("ups", ROWS)))
    # What has no name is called by its id, whatever its comment.
    assert labels(hub) == ["ups.rack.load_pct", "ups.*2.load_pct"]
    hub.apply_devices([device("d1", "r1", naming=InterfaceNaming.BOTH)])
    assert labels(hub) == ["ups.rack (cellar).load_pct", "ups.roof.load_pct"]
    hub.publish(numbered(table("ups", {"*1": {"title": "shelf"}}, KeyRange(up_to="*1"))))
    assert labels(hub) == ["ups.shelf.load_pct", "ups.roof.load_pct"]


def test_names_of_things_without_series_are_not_kept() -> None:
    hub = made()
    hub.publish(numbered(table("session", {f"*{n}": {"name": f"pppoe-{n}"} for n in range(20)})))
    known = hub.device(TENANT, "d1")
    assert known is not None
    assert known.things == {}
    assert CATALOGUE.series_labels == (TITLED,)


def test_stored_names_are_read_once_at_the_start() -> None:
    telemetry = FakeTelemetry()
    telemetry.names = [
        *(InstanceName(TENANT, "d1", "ups", f"*{n}", f"ups-{n}", "") for n in range(1, 2500)),
        InstanceName(TENANT, "d1", "session", "*1", "alice", ""),
    ]
    hub = made(telemetry)
    hub.publish(numbered(declared(LAYOUT), VALUES, table("ups", {"*2": {"title": "newer"}})))
    run_async(hub.start())
    assert labels(hub) == ["ups.ups-1.load_pct", "ups.newer.load_pct"]
    known = hub.device(TENANT, "d1")
    assert known is not None
    # As one table, not row by row.
    assert known.version <= 3


def test_prometheus_has_the_label_and_tells_what_a_thing_is() -> None:
    hub = made()
    hub.publish(numbered(declared(LAYOUT), VALUES, table("ups", ROWS)))
    metrics = DeviceMetrics(hub, CATALOGUE, HttpConfig(), Clock(), lambda: dict(DEFAULT_INTERVAL_S))
    found = samples_of(run_async(metrics.write([view()], Format.TEXT)).decode(), Format.TEXT)
    assert found[key("ups_load_ratio", device="r1", ups="rack")] == 0.12
    assert found[key("ups_load_ratio", device="r1", ups="*2")] == 0.5
    assert found[key("ups_info", device="r1", ups="rack", id="*1", name="rack", comment="cellar")] == 1
    assert not [name for name, _ in found if "session" in name]


def test_tables_of_one_scope_have_places_and_each_counts_once() -> None:
    declared_names = [
        ("ospf", "neighbor", "router-id", "comment"),
        ("ospf", "neighbor_v3", "router-id", "comment"),
        ("ospf", "neighbor", "router-id", "comment"),
        ("iface", "interface", "name", "comment"),
    ]
    assert label_sources(declared_names) == (
        LabelSource("ospf", "neighbor", "router-id"),
        LabelSource("ospf", "neighbor_v3", "router-id", place=1),
        LabelSource("iface", "interface"),
    )
