"""Rankings, counts and newest values of all devices."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

import pytest

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Refused
from mtd.model.device import DeviceStatus, Outcome, Severity
from mtd.model.labels import LabelSource
from mtd.model.layout import Layout, Series
from mtd.model.metric import Kind, Lane, Metric, Tier, Unit
from mtd.queries.config import QueriesConfig
from mtd.queries.errors import TooManyQueries
from mtd.queries.limits import TenantLimits
from mtd.queries.newest import NewestPage
from mtd.queries.overview import OverviewQueries
from mtd.queries.top import TopBy
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.config import StorageConfig
from mtd.storage.readers import Readers
from mtd.storage.stores.catalogue import CatalogueStore
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from tests.integration.projections.kit import (
    TENANT,
    World,
    change,
    declare,
    frame,
    in_world,
    now_us,
    outcome,
    table,
)
from tests.integration.queries.history_kit import HOUR, SECOND, Past, compact

OTHER_TENANT = "00000000-0000-4000-8000-00000000000f"


class Clock:
    """The time, moved on by hand."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic() + self.ahead_s

    def now_us(self) -> int:
        return SYSTEM_CLOCK.now_us() + round(self.ahead_s * 1e6)


def overview_of(world: World, clock: Clock | None = None, **limits: Any) -> OverviewQueries:
    readers = Readers(world.dsn, StorageConfig(query_pool_size=2))
    world.stops.append(readers.stop)
    return OverviewQueries(world.doors, readers, QueriesConfig(**limits), clock=clock or Clock())


def whole(page: NewestPage) -> NewestPage:
    """Leave a page as it is."""
    return page


COUNTERS = ("iface.rx_bytes_total", "iface.tx_bytes_total", "iface.rx_errors_total", "iface.tx_errors_total")
RATES = ("iface.rx_bps", "iface.tx_bps", "iface.rx_errors_per_s", "iface.tx_errors_per_s")
METRICS = [
    *(Metric(key, Unit.BYTES, Kind.COUNTER, Tier.T0, "d", "1", scope="iface") for key in COUNTERS),
    *(
        Metric(
            rate, Unit.BITS_PER_SECOND, Kind.RATE, Tier.T0, "d", "1", scope="iface",
            rate_of=counter, rate_scale=8.0 if rate.endswith("bps") else 1.0,
        )
        for rate, counter in zip(RATES, COUNTERS, strict=True)
    ),
    Metric("iface.link_speed_bps", Unit.BITS_PER_SECOND, Kind.GAUGE, Tier.T2, "d", "1", scope="iface"),
]  # fmt: skip
PORTS = ("*1", "*2")
LAYOUT = Layout.of(
    "t0",
    (
        *(Series(key, port, Lane.COUNTER) for port in PORTS for key in COUNTERS),
        *(Series(key, port, Lane.RATE) for port in PORTS for key in RATES),
    ),
)
SPEEDS = Layout.of("t2", tuple(Series("iface.link_speed_bps", port, Lane.GAUGE) for port in PORTS))


async def fleet(world: World) -> list[str]:
    """Make two routers of two ports; return their ids."""
    store = DeviceStore(world.db, Vault([MasterKey.of(bytes(32))]).sealer)
    settings = DeviceSettings(name="core-1", host="192.0.2.1", username="mtd")
    ids = [
        (await store.create(replace(settings, name=name), "secret")).device_id
        for name in ("core-1", "edge-1")
    ]
    await CatalogueStore(world.db).put(
        "1+test", [(metric, "test") for metric in METRICS], labels=[LabelSource("iface", "interface")]
    )
    await world.project(declare(LAYOUT), declare(SPEEDS))
    for device_id in ids:
        names = table(now_us(), {"*1": {"name": "ether1"}, "*2": {"name": "ether2"}})
        names.device_id = device_id
        await world.project(names)
    return ids


def poll(device_id: str, at: int, rates: list[float], counters: list[int] | None = None) -> Any:
    return frame(
        at,
        device=device_id,
        layout=LAYOUT,
        counters=counters or [0] * 8,
        gauges=[],
        rates=rates,
        low_confidence=(),
    )


def speeds(device_id: str, at: int, values: list[float]) -> Any:
    return frame(at, device=device_id, layout=SPEEDS, counters=[], gauges=values, rates=[], low_confidence=())


def test_interfaces_are_ranked_by_their_newest_values(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        at = now_us() - SECOND
        none = math.nan
        await world.project(
            poll(core, at, [100.0, 5.0, 0.0, 1.0, 900.0, 50.0, none, none]),
            poll(edge, at, [500.0, 7.0, 2.0, 3.0, none, 70.0, 0.0, 0.0]),
            speeds(core, at, [1000.0, 10_000.0]),
            speeds(edge, at, [none, 100.0]),
        )
        overview = overview_of(world)

        async def ranked(by: TopBy, limit: int = 10, **more: Any) -> list[tuple[str, str, float]]:
            found = (await overview.top(by, limit, **more)).value
            return [(one.device_name, one.label, one.value) for one in found]

        assert await ranked(TopBy.RX) == [
            ("core-1", "ether2", 900.0),
            ("edge-1", "ether1", 500.0),
            ("core-1", "ether1", 100.0),
        ]
        assert await ranked(TopBy.TX, 1) == [("edge-1", "ether2", 70.0)]
        assert await ranked(TopBy.ERRORS, 2) == [("edge-1", "ether1", 5.0), ("core-1", "ether1", 1.0)]
        assert await ranked(TopBy.UTILIZATION) == [
            ("edge-1", "ether2", 70.0),
            ("core-1", "ether1", 10.0),
            ("core-1", "ether2", 9.0),
        ]
        assert await ranked(TopBy.RX, devices=["edge*"]) == [("edge-1", "ether1", 500.0)]
        assert await ranked(TopBy.RX, tenant_id=OTHER_TENANT) == []
        for wrong in (
            {"limit": 0},
            {"limit": 1001},
            {"limit": 5, "window_s": -1},
            {"limit": 5, "window_s": 9},
            {"limit": 5, "window_s": 10**9},
        ):
            with pytest.raises(Refused):
                await overview.top(TopBy.RX, **wrong)

    in_world(postgres_dsn, body)


def test_a_port_that_two_poll_groups_hold_is_shown_from_the_newer(postgres_dsn: str) -> None:
    """It moved to another tier, and the one that it left has not been polled again yet."""
    rest = Layout.of("t1", tuple(series for series in LAYOUT.series if series.instance == "*2"))

    async def body(world: World) -> None:
        core, _ = await fleet(world)
        at = now_us() - SECOND
        counters, rates = [*range(8)], [1.0] * 8
        old = frame(
            at - 5 * SECOND, device=core, layout=rest, counters=[90, 91, 92, 93], gauges=[],
            rates=[900.0, 900.0, 900.0, 900.0], low_confidence=(),
        )  # fmt: skip
        await world.project(declare(rest), old, poll(core, at, rates, counters))
        overview = overview_of(world)
        page = (await overview.newest([], ["iface.rx_b*"], 10, None, whole)).value
        assert [(one.label, one.value) for one in page.values] == [
            ("ether1", 1.0),
            ("ether1", 0.0),
            ("ether2", 1.0),
            ("ether2", 4.0),
        ]
        assert {one.collected_us for one in page.values} == {at}
        ranked = (await overview.top(TopBy.ERRORS, 10)).value
        assert [(one.label, one.value) for one in ranked] == [("ether1", 2.0), ("ether2", 2.0)]
        # Its newer frame may not have a value: then there is none, not the old one.
        await world.project(poll(core, at + 1, [1.0] * 4 + [math.nan] * 4, counters))
        shown = await world.ask("SELECT count(*) FROM metric_latest WHERE instance = '*2' AND lane = 'rate'")
        assert shown == [(0,)]

    in_world(postgres_dsn, body)


def test_a_router_that_does_not_answer_any_more_is_in_no_ranking(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(poll(core, now_us() - 600 * SECOND, [1.0] * 8))
        assert (await overview_of(world).top(TopBy.RX, 10)).value == []

    in_world(postgres_dsn, body)


def test_interfaces_are_ranked_over_a_time_across_blocks_and_frames(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        end = now_us() - SECOND
        first = end // HOUR * HOUR - 2 * HOUR
        step = 20 * SECOND
        events = []
        for device_id, pace in ((core, 1000), (edge, 3000)):
            for at in range(first + SECOND, end, step):
                seconds = (at - first) // SECOND
                # The second port is fast in the first hour, and idle after it.
                burst = 20_000 * min(seconds, 3600)
                counters = [pace * seconds, 0, 0, 0, burst if device_id == core else 0, 0, 0, 0]
                # How much the rates were doesn't matter, but none that live withheld comes back later.
                events.append(poll(device_id, at, [1.0] * 8, counters))
        await world.project(*events, speeds(core, end, [1e6, 1e6]), speeds(edge, end, [1e5, 1e6]))
        window = (end - first) // SECOND

        async def check() -> None:
            overview = overview_of(world)
            found = (await overview.top(TopBy.RX, 3, window)).value
            share = 3600 / window
            expected = [
                ("core-1", "ether2", 160_000 * share),
                ("edge-1", "ether1", 24_000),
                ("core-1", "ether1", 8_000),
            ]
            assert [(one.device_name, one.label) for one in found] == [one[:2] for one in expected]
            for one, (_, _, value) in zip(found, expected, strict=True):
                assert one.value == pytest.approx(value, rel=0.05)
            assert [one.most for one in found] == pytest.approx([160_000, 24_000, 8_000], rel=0.05)
            used = (await overview.top(TopBy.UTILIZATION, 2, window)).value
            assert [(one.device_name, one.label) for one in used] == [
                ("edge-1", "ether1"),
                ("core-1", "ether2"),
            ]
            assert used[0].value == pytest.approx(24.0, rel=0.05)
            recent = (await overview.top(TopBy.RX, 1, 900)).value
            assert [(one.device_name, one.label) for one in recent] == [("edge-1", "ether1")]
            errors = (await overview.top(TopBy.ERRORS, 10, window, ["core-1"])).value
            assert [one.value for one in errors] == [0.0, 0.0]

        await check()
        for device_id in (core, edge):
            past = Past(device_id, first)
            await compact(world, past, [0], layouts=(LAYOUT, SPEEDS))
        await check()
        for device_id in (core, edge):
            await compact(world, Past(device_id, first), [1], layouts=(LAYOUT, SPEEDS))
        await check()

    in_world(postgres_dsn, body)


def test_newest_values_come_page_by_page(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        at = now_us() - SECOND
        counters = [2**53 + 1, *range(7)]
        await world.project(
            poll(core, at, [1.0, *[math.nan] * 7], counters), poll(edge, at, [2.0, *[math.nan] * 7], counters)
        )
        overview = overview_of(world)
        seen, after = [], None
        while True:
            page = (await overview.newest([], ["iface.*.rx_b*"], 2, after, whole)).value
            seen += page.values
            if page.after is None:
                break
            assert len(page.values) == 2
            after = page.after
        assert [(one.device_name, one.key, one.exact) for one in seen] == [
            (name, key, exact)
            for name in ("core-1", "edge-1")
            for key, exact in (
                ("iface.ether1.rx_bps", None),
                ("iface.ether1.rx_bytes_total", 2**53 + 1),
                ("iface.ether2.rx_bytes_total", 3),
            )
        ]
        assert {one.collected_us for one in seen} == {at}
        by_key = (await overview.newest(["edge-1"], ["iface.rx_bps"], 10, None, whole)).value
        assert [(one.value, one.unit) for one in by_key.values] == [(2.0, "bits_per_second")]
        assert (await overview.newest([], [], 10, None, whole, tenant_id=OTHER_TENANT)).value.values == []

    in_world(postgres_dsn, body)


def test_a_page_is_made_in_a_thread_once(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(poll(core, now_us() - SECOND, [1.0] * 8))
        overview = overview_of(world)
        threads: list[str] = []

        def form(page: NewestPage) -> bytes:
            threads.append(threading.current_thread().name)
            return str(len(page.values)).encode()

        for _ in range(2):
            assert (await overview.newest([], [], 10, None, form)).value == b"10"
        assert len(threads) == 1
        assert threads[0].startswith("mtd-reader")

    in_world(postgres_dsn, body)


def test_questions_about_all_devices_wait_for_their_turn(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await fleet(world)
        limits = TenantLimits(QueriesConfig(max_concurrent=1, max_waiting=0))
        readers = Readers(world.dsn, StorageConfig(query_pool_size=2))
        world.stops.append(readers.stop)
        overview = OverviewQueries(world.doors, readers, limits=limits)
        kept = (await overview.status_counts()).value
        async with limits.turn(TENANT):
            for ask in (
                overview.newest([], [], 10, None, whole),
                overview.top(TopBy.RX, 1),
                overview.top(TopBy.RX, 1, 60),
                overview.events_per_day(3),
            ):
                with pytest.raises(TooManyQueries):
                    await ask
            assert (await overview.status_counts()).value == kept, "what is kept needs no turn"
            assert (await overview.top(TopBy.RX, 1, tenant_id=OTHER_TENANT)).value == []
        assert (await overview.top(TopBy.RX, 1, 60)).value == []

    in_world(postgres_dsn, body)


def test_devices_are_counted_by_status_and_counts_are_kept_a_while(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(outcome(now_us(), Outcome.OK, DeviceStatus.UP, "", core))
        clock = Clock()
        overview = overview_of(world, clock)

        async def counts() -> dict[DeviceStatus, int]:
            return {one.status: one.devices for one in (await overview.status_counts()).value}

        expected = dict.fromkeys(DeviceStatus, 0) | {DeviceStatus.UP: 1, DeviceStatus.UNKNOWN: 1}
        assert await counts() == expected
        await world.ask("UPDATE device SET enabled = false WHERE name = 'edge-1'")
        clock.ahead_s = 10
        assert await counts() == expected
        assert (await overview.status_counts()).age_s == pytest.approx(10, abs=2)
        clock.ahead_s = 16
        assert await counts() == expected | {DeviceStatus.UNKNOWN: 0, DeviceStatus.DISABLED: 1}
        assert (await overview.status_counts()).age_s < 5

    in_world(postgres_dsn, body)


def test_events_are_counted_by_day(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        at = now_us() - SECOND
        day = 24 * HOUR
        await world.project(
            change(at, "a", Severity.INFO, core),
            change(at, "b", Severity.CRITICAL, ""),
            change(at - 2 * day, "c", Severity.WARNING, core),
            change(at - 9 * day, "d", Severity.WARNING, core),
        )
        overview = overview_of(world)
        days = (await overview.events_per_day(3)).value
        assert [(one.info, one.warning, one.critical) for one in days] == [(0, 1, 0), (0, 0, 0), (1, 0, 1)]
        assert [one.day for one in days] == sorted(one.day for one in days)
        own = (await overview.events_per_day(1, ["core-*"])).value
        assert [(one.info, one.warning, one.critical) for one in own] == [(1, 0, 0)]
        with pytest.raises(Refused, match="1 to 731"):
            await overview.events_per_day(0)

    in_world(postgres_dsn, body)
