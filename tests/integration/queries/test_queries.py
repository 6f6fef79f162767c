from __future__ import annotations

import math
import threading
import uuid
from dataclasses import replace
from typing import Any

import pytest

from mtd.core.errors import NotFound, Refused
from mtd.model.device import DeviceStatus, InterfaceNaming, Outcome
from mtd.model.labels import LabelSource
from mtd.model.layout import Layout, Series
from mtd.model.metric import Kind, Lane, Metric, Tier, Unit
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.queries.catalogue import CatalogueQueries
from mtd.queries.devices import DeviceQueries
from mtd.queries.history.reader import RangeReader
from mtd.queries.latest import LatestQueries
from mtd.queries.records import InstanceName
from mtd.queries.resolution import Resolution
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.stores.catalogue import CatalogueStore
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from tests.integration.projections.kit import (
    LAYOUT,
    OTHER_LAYOUT,
    TENANT,
    World,
    declare,
    frame,
    in_world,
    now_us,
    outcome,
    probe,
    table,
)
from tests.integration.queries.kit import ranges_of

SECOND = 1_000_000
SETTINGS = DeviceSettings(name="core-1", host="192.0.2.1", username="mtd", naming=InterfaceNaming.BOTH)
METRICS = [
    Metric("iface.rx_bytes_total", Unit.BYTES, Kind.COUNTER, Tier.T0, "Bytes received.", "1", scope="iface"),
    Metric("iface.rx_bps", Unit.BITS_PER_SECOND, Kind.RATE, Tier.T0, "Received.", "1", scope="iface"),
    Metric(
        "iface.oper_state",
        Unit.STATE,
        Kind.STATE,
        Tier.T0,
        "Whether it runs.",
        "1",
        scope="iface",
        states={"down": 0, "up": 1},
    ),
    Metric(
        "system.cpu.load_pct",
        Unit.PERCENT,
        Kind.GAUGE,
        Tier.T0,
        "Load.",
        "1",
        expected_min=0.0,
        expected_max=100.0,
    ),
]


async def device(world: World, **changes: object) -> str:
    """Put a device, its catalogue and the names of its interfaces in place; return its id."""
    store = DeviceStore(world.db, Vault([MasterKey.of(bytes(32))]).sealer)
    created = await store.create(replace(SETTINGS, **changes), "secret")  # type: ignore[arg-type]
    await CatalogueStore(world.db).put(
        "1+test", [(metric, "test") for metric in METRICS], labels=[LabelSource("iface", "interface")]
    )
    names = table(now_us(), {"*1": {"name": "ether1", "comment": "Uplink"}, "*2": {"name": "ether2"}})
    names.device_id = created.device_id
    await world.project(declare(), declare(OTHER_LAYOUT), names)
    return created.device_id


def test_the_telemetry_view_names_labels_and_types_values(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us()
        largest = 2**63 - 1
        await world.project(frame(at, counter=largest, device=device_id, gauges=[12.5, 1.0]))
        for view in ("telemetry", "metric_latest"):
            rows = await world.ask(
                f"SELECT device, key, metric, instance, label, value, value_int, value_text, low_confidence, unit,"
                f" to_us(ts) FROM {view} ORDER BY key"
            )
            both = "ether1 (Uplink)"
            assert rows == [
                ("core-1", f"iface.{both}.oper_state", "iface.oper_state", "*1", both, 1.0, None, "up", False, "state", at),
                ("core-1", f"iface.{both}.rx_bps", "iface.rx_bps", "*1", both, 1000.5, None, None, True,
                 "bits_per_second", at),
                ("core-1", f"iface.{both}.rx_bytes_total", "iface.rx_bytes_total", "*1", both, float(largest), largest,
                 None, False, "bytes", at),
                ("core-1", "system.cpu.load_pct", "system.cpu.load_pct", "", "", 12.5, None, None, False, "percent", at),
            ]  # fmt: skip

    in_world(postgres_dsn, body)


def test_a_rename_keeps_history(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world, naming=InterfaceNaming.NAME)
        at = now_us() - 10 * SECOND
        await world.project(frame(at, device=device_id))
        renamed = table(at + 1, {"*1": {"name": "wan"}})
        renamed.device_id = device_id
        await world.project(renamed, frame(at + 2, device=device_id))
        assert await world.ask("SELECT DISTINCT label FROM telemetry WHERE instance = '*1'") == [("wan",)]
        answer = await ranges_of(world).query_range("core-1", ["iface.wan.rx_bps"], at, at + SECOND)
        assert answer.series[0].times_us.tolist() == [at, at + 2]

    in_world(postgres_dsn, body)


def test_the_view_reads_only_the_partitions_and_rows_that_it_needs(postgres_dsn: str) -> None:
    """The plan of a usual question: one of nine partitions, by the btree of device and time."""

    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us()
        devices = [device_id, *(str(uuid.UUID(int=n)) for n in range(100, 200))]
        for chunk in range(20):
            await world.log.append([frame(at + chunk, device=one) for one in devices])
        await world.project()
        await world.ask("ANALYZE")
        plan = await world.ask_as_door(
            "EXPLAIN (ANALYZE, BUFFERS OFF) SELECT ts, value FROM telemetry WHERE device_id = %s"
            " AND metric = 'iface.rx_bps' AND instance = '*1' AND ts >= now() - interval '1 minute'"
            " AND ts < now() + interval '1 minute' AND tenant_id = %s",
            device_id,
            TENANT,
        )
        text = "\n".join(line for (line,) in plan)
        assert "Subplans Removed" in text
        scanned = [line for line in text.splitlines() if "Scan on telemetry_frame_" in line]
        # Of the heap and, in a bitmap scan, of its index; of two partitions around midnight.
        assert 1 <= len(scanned) <= 4, text
        assert all("Bitmap" in line or "Index" in line for line in scanned), text

    in_world(postgres_dsn, body)


def test_a_day_given_as_a_constant_is_pruned_while_planning(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        await world.project(frame(now_us(), device=device_id))
        plan = await world.ask_as_door(
            "EXPLAIN SELECT ts, value FROM telemetry WHERE device_id = %s AND ts >= '2020-01-01+00' AND ts < '2020-01-02+00'",
            device_id,
        )
        assert "telemetry_frame_" not in "\n".join(line for (line,) in plan)

    in_world(postgres_dsn, body)


def test_a_range_as_stored(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us() - 100 * SECOND
        await world.project(*(frame(at + n * SECOND, counter=2**53 + n, device=device_id) for n in range(10)))
        ranges = ranges_of(world)
        answer = await ranges.query_range("core-1", ["iface.rx_bytes_total"], at, at + 5 * SECOND)
        (series,) = answer.series  # the second interface's counter is absent throughout
        assert answer.bucket_us == 0
        assert series.counters.tolist() == [2**53 + n for n in range(5)]
        assert series.times_us.tolist() == [at + n * SECOND for n in range(5)]
        assert (series.instance, series.label, series.lane, series.unit) == (
            "*1",
            "ether1 (Uplink)",
            Lane.COUNTER,
            "bytes",
        )
        everything = await ranges.query_range(device_id, [], at, at + SECOND)
        assert [one.metric for one in everything.series] == [
            "iface.oper_state",
            "iface.rx_bps",
            "iface.rx_bytes_total",
        ]
        by_key = await ranges.query_range("core-1", ["iface.ether1 (Up*).rx_b??"], at, at + SECOND)
        assert [one.values.tolist() for one in by_key.series] == [[1000.5]]

    in_world(postgres_dsn, body)


def test_a_range_in_buckets(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = (now_us() // SECOND // 10 * 10 - 1000) * SECOND
        await world.project(
            *(
                frame(
                    at + n * SECOND,
                    counter=n,
                    device=device_id,
                    gauges=[float(n) if n % 2 else math.nan, 1.0],
                )
                for n in range(100)
            )
        )
        answer = await ranges_of(world).query_range(
            "core-1", ["system.cpu.*", "iface.rx_bytes_total"], at, at + 100 * SECOND, max_points=10
        )
        assert answer.bucket_us == 10 * SECOND
        counter, load = answer.series
        assert answer.resolution is Resolution.TEN_SECONDS
        assert (
            counter.times_us.tolist() == load.times_us.tolist() == [at + n * 10 * SECOND for n in range(10)]
        )
        assert counter.counters.tolist() == [9 + 10 * n for n in range(10)]  # the last of each
        assert counter.increases.tolist() == [9, *[10] * 9]
        assert load.values.tolist() == [5.0 + 10 * n for n in range(10)]  # the mean of what is there
        assert load.maximum.tolist() == load.p95.tolist() == [9.0 + 10 * n for n in range(10)]
        assert load.minimum.tolist() == [1.0 + 10 * n for n in range(10)]
        assert (load.counts.tolist(), counter.counts.tolist()) == ([5] * 10, [10] * 10)

    in_world(postgres_dsn, body)


def test_a_series_goes_on_over_a_change_of_layout(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us() - 100 * SECOND
        other = {"layout": OTHER_LAYOUT, "counters": [], "gauges": [9.0], "rates": [], "low_confidence": ()}
        await world.project(
            frame(at, device=device_id, gauges=[1.0, 1.0]),
            frame(at + 1, device=device_id, **other),
            frame(at + 2, device=device_id, gauges=[3.0, 1.0]),
        )
        (series,) = (await ranges_of(world).query_range("core-1", ["system.*"], at, at + SECOND)).series
        assert series.values.tolist() == [1.0, 9.0, 3.0]

    in_world(postgres_dsn, body)


def test_ranges_that_cannot_be(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await device(world)
        ranges = ranges_of(world)
        with pytest.raises(NotFound, match="'core-9'"):
            await ranges.query_range("core-9", [], 0, 1)
        with pytest.raises(NotFound):
            await ranges.query_range("core-1", [], 0, 1, tenant_id="00000000-0000-4000-8000-00000000000f")
        with pytest.raises(Refused, match="empty"):
            await ranges.query_range("core-1", [], 5, 5)
        assert (await ranges.query_range("core-1", [], 0, 1)).series == []
        for start, end in ((0, 2**62), (-(2**62), 0)):
            with pytest.raises(Refused, match="years 1 to 9999"):
                await ranges.query_range("core-1", [], start, end)
        with pytest.raises(Refused):
            await ranges.query_range("core\0", [], 0, 1)

    in_world(postgres_dsn, body)


@pytest.mark.parametrize(
    ("limits", "points", "message"),
    [
        ({"max_scanned_points": 29}, 10, "30 stored points of 3 series would have to be read, more than 29"),
        ({"max_answer_points": 14}, 5, "the answer would have 15 points, more than 14"),
        ({"max_answer_points": 29}, 100, "the answer would have 30 points, more than 29"),
        ({"max_scanned_points": 30, "max_answer_points": 15}, 5, ""),
    ],
)
def test_what_would_be_too_much_is_refused_before_it_is_read(
    postgres_dsn: str, limits: dict[str, int], points: int, message: str
) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = (now_us() // SECOND // 10 * 10 - 100) * SECOND
        await world.project(*(frame(at + n * SECOND, device=device_id) for n in range(10)))
        asked = ranges_of(world, **limits).query_range(
            "core-1", ["iface.rx_bytes_total", "iface.oper_state"], at, at + 10 * SECOND, points
        )
        if message:
            with pytest.raises(Refused, match=message):
                await asked
        else:
            assert len((await asked).series) == 2

    in_world(postgres_dsn, body)


def test_a_large_answer_is_made_in_a_thread(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    real = RangeReader.answer

    def answer(*given: Any) -> Any:
        threads.append(threading.current_thread())
        return real(*given)

    monkeypatch.setattr(RangeReader, "answer", answer)

    async def body(world: World) -> None:
        device_id = await device(world)
        await world.ask(
            "INSERT INTO telemetry_frame SELECT %s, %s, %s, n, %s, now() - n * interval '100 ms', now(), 1,"
            " ARRAY[n, n + 2^53::int8], ARRAY[n / 3.0, 1], ARRAY[n / 7.0, 'Infinity'] FROM generate_series(1, 30000) n",
            TENANT,
            device_id,
            device_id,
            LAYOUT.layout_id,
        )
        at = now_us()
        found = await ranges_of(world).query_range("core-1", [], at - 4000 * SECOND, at, 100_000)
        assert threads != [threading.main_thread()]
        assert len(threads) == 1
        assert sum(len(series.times_us) for series in found.series) == 180_000
        assert {series.counters[0] for series in found.series if len(series.counters)} == {
            30_000,
            2**53 + 30_000,
        }
        assert math.inf in {series.values[0] for series in found.series if len(series.values)}

    in_world(postgres_dsn, body)


def test_latest_frames_and_names(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        at = now_us()
        # The second, and the table: of no device.
        await world.project(
            frame(at, counter=7, device=device_id), frame(at, counter=8), table(at, {"*1": {"name": "gone"}})
        )
        latest = LatestQueries(world.across)
        (found,) = await latest.latest_all()
        assert (found.device_id, found.collected_us, found.received_us) == (device_id, at, at + 10)
        assert found.layout.layout_id == LAYOUT.layout_id
        assert [found.layout.lane(lane) for lane in Lane] == [LAYOUT.lane(lane) for lane in Lane]
        assert found.counters == [7, None]
        assert math.isnan(found.gauges[0])
        assert found.rates[0] == 1000.5
        assert await latest.latest_all("00000000-0000-4000-8000-00000000000f") == []
        assert await latest.layout(TENANT, 12345) is None
        assert await latest.names_all() == [
            InstanceName(TENANT, device_id, "interface", "*1", "ether1", "Uplink"),
            InstanceName(TENANT, device_id, "interface", "*2", "ether2", ""),
        ]

    in_world(postgres_dsn, body)


UPS = Metric("ups.load_pct", Unit.PERCENT, Kind.GAUGE, Tier.T0, "Load.", "1", scope="ups")
UPS_LAYOUT = Layout.of("t0", tuple(Series("ups.load_pct", f"*{n}", Lane.GAUGE) for n in range(1, 5)))
UPS_LABELS = (
    LabelSource("ups", "ups", name="title", comment="place"),
    LabelSource("ups", "old_ups", place=1),
    LabelSource("session", "session"),
)


def rows_of(name: str, device_id: str, rows: dict[str, dict[str, str]]) -> Envelope:
    found = table(now_us(), rows, complete=True)
    found.device_id = device_id
    found.table_delta.table = name
    return found


@pytest.mark.parametrize(
    ("naming", "labels"),
    [
        (InterfaceNaming.NAME, ["rack", "old", "*3", "*4"]),
        (InterfaceNaming.COMMENT, ["cellar", "old", "roof", "*4"]),
        (InterfaceNaming.BOTH, ["rack (cellar)", "old", "roof", "*4"]),
    ],
)
def test_the_tables_of_any_collector_name_the_things_of_its_series(
    postgres_dsn: str, naming: InterfaceNaming, labels: list[str]
) -> None:
    async def body(world: World) -> None:
        device_id = await device(world, naming=naming)
        await CatalogueStore(world.db).put("1+ups", [(UPS, "acme")], labels=UPS_LABELS)
        ups = {"*1": {"title": "rack", "place": "cellar"}, "*3": {"place": "roof"}, "*4": {"title": ""}}
        at = now_us()
        await world.project(
            declare(UPS_LAYOUT),
            rows_of("ups", device_id, ups),
            rows_of("old_ups", device_id, {"*1": {"name": "not this"}, "*2": {"name": "old"}}),
            frame(
                at, device=device_id, layout=UPS_LAYOUT, counters=[], gauges=[1.0, 2.0, 3.0, 4.0], rates=[]
            ),
        )
        for view in ("telemetry", "metric_latest"):
            found = await world.ask(
                f"SELECT label, key FROM {view} WHERE metric = 'ups.load_pct' ORDER BY value"
            )
            assert found == [(label, f"ups.{label}.load_pct") for label in labels]
        answer = await ranges_of(world).query_range("core-1", [f"ups.{labels[0]}.load_pct"], at, at + SECOND)
        assert [(series.instance, series.label) for series in answer.series] == [("*1", labels[0])]

    in_world(postgres_dsn, body)


def test_names_are_read_of_what_has_series_and_of_nothing_else(postgres_dsn: str) -> None:
    """A table of sessions is a thousand times as large as all that has to be read."""

    async def body(world: World) -> None:
        device_id = await device(world)
        await CatalogueStore(world.db).put("1+ups", [(UPS, "acme")], labels=UPS_LABELS)
        await world.project(
            rows_of("ups", device_id, {"*1": {"title": "rack", "place": "cellar"}}),
            rows_of("session", device_id, {f"*{n}": {"name": f"pppoe-{n}"} for n in range(5000)}),
            rows_of("lease", device_id, {f"*{n}": {"name": f"host-{n}"} for n in range(5000)}),
        )
        await world.ask("ANALYZE state_row")
        found = await LatestQueries(world.across).names_all()
        assert sorted(found, key=lambda row: (row.table, row.key)) == [
            InstanceName(TENANT, device_id, "interface", "*1", "ether1", "Uplink"),
            InstanceName(TENANT, device_id, "interface", "*2", "ether2", ""),
            InstanceName(TENANT, device_id, "ups", "*1", "rack", "cellar"),
        ]

    in_world(postgres_dsn, body)


def test_devices_with_what_was_learned(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        devices = DeviceQueries(world.doors)
        fresh = await devices.get("core-1")
        assert (fresh.status, fresh.last_seen_us, fresh.capabilities) == (DeviceStatus.UNKNOWN, None, {})
        at = now_us() - 10 * SECOND
        probed = probe(at, wifi=True, lte=False)
        probed.device_id = device_id
        await world.project(outcome(at, Outcome.OK, DeviceStatus.UP, "", device_id), probed)
        await world.project(outcome(at + 1, Outcome.REFUSED, DeviceStatus.DOWN, "wrong port", device_id))
        view = await devices.get(device_id)
        assert (view.status, view.status_reason, view.status_since_us) == (
            DeviceStatus.DOWN,
            "wrong port",
            at + 1,
        )
        assert view.last_seen_us == at
        assert (view.routeros_version, view.board_name, view.identity) == ("7.16", "CHR", "core")
        assert view.capabilities == {"wifi": ""}
        await world.project(frame(at + 5, device=device_id))
        assert (await devices.get("core-1")).last_seen_us == at + 5
        assert [one.settings.name for one in await devices.list()] == ["core-1"]
        assert await devices.list(after_name="core-1") == []
        with pytest.raises(NotFound):
            await devices.get("core-9")

    in_world(postgres_dsn, body)


def test_a_device_that_is_switched_off_is_disabled(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world, enabled=False)
        await world.project(outcome(now_us(), Outcome.OK, DeviceStatus.UP, "", device_id))
        assert (await DeviceQueries(world.doors).get("core-1")).status is DeviceStatus.DISABLED

    in_world(postgres_dsn, body)


def test_the_catalogue_as_stored(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await device(world)
        store, queries = CatalogueStore(world.db), CatalogueQueries(world.doors)
        found = {record.key: record for record in await queries.metrics()}
        assert sorted(found) == sorted(metric.key for metric in METRICS)
        assert found["iface.oper_state"].states == {0: "down", 1: "up"}
        load = found["system.cpu.load_pct"]
        assert (load.unit, load.kind, load.tier, load.collector) == ("percent", "gauge", "t0", "test")
        assert (load.expected_min, load.expected_max) == (0.0, 100.0)
        # A later catalogue: what changed is changed, what is gone stays for the stored series.
        await store.put("2+test", [(replace(METRICS[0], description="Better words."), "other")])
        again = {record.key: record for record in await queries.metrics()}
        assert again["iface.rx_bytes_total"].description == "Better words."
        assert sorted(again) == sorted(found)

    in_world(postgres_dsn, body)
