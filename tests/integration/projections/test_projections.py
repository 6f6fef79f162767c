from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtd.model.device import DeviceStatus, Outcome, Severity
from mtd.model.events import table_event
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import TableChange
from mtd.storage.stores.devices import forget_removed
from tests.integration.projections.kit import (
    DEVICE,
    LAYOUT,
    OTHER_DEVICE,
    OTHER_LAYOUT,
    T1_LAYOUT,
    TENANT,
    World,
    change,
    declare,
    frame,
    in_world,
    now_us,
    origin,
    outcome,
    probe,
    snapshot,
    table,
)

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

SECOND = 1_000_000
LATEST = "SELECT poll_group, layout_id, counters, gauges, seq FROM latest ORDER BY poll_group"
EVENTS = "SELECT event_type, severity, field, old_value, new_value FROM event ORDER BY position"
STATUS = "SELECT status, outcome, reason, to_us(since), to_us(last_ok_at) FROM device_status"


def test_latest_never_goes_back(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare(), frame(at, counter=5))
        await world.project(frame(at - SECOND, counter=4))
        assert await world.value("SELECT counters[1] FROM latest") == 5
        # Both in one batch, the newer one first.
        await world.project(frame(at + 2 * SECOND, counter=7), frame(at + SECOND, counter=6))
        assert await world.value("SELECT counters[1] FROM latest") == 7
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 4

    in_world(postgres_dsn, body, max_ahead_s=60)


def test_latest_is_of_the_newest_collector(postgres_dsn: str) -> None:
    """A collector that lost the device replaces nothing, however far ahead its clock is."""

    def of(epoch: int, at: int, counter: int) -> Envelope:
        event = frame(at, counter=counter)
        event.lease_epoch = epoch
        return event

    async def body(world: World) -> None:
        at = now_us() - 20 * SECOND
        newest = "SELECT counters[1], lease_epoch FROM latest"
        await world.project(declare(), of(7, at, 1))
        await world.project(of(8, at + SECOND, 2))
        await world.project(of(7, at + 2 * SECOND, 3))
        assert await world.ask(newest) == [(2, 8)]
        # In one batch, the older collector last.
        await world.project(of(9, at + 3 * SECOND, 4), of(7, at + 4 * SECOND, 5))
        assert await world.ask(newest) == [(4, 9)]
        await world.project(of(10, at + 2 * SECOND, 6))  # its clock is behind: not back in time either
        assert await world.ask(newest) == [(4, 9)]
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 6

    in_world(postgres_dsn, body)


def test_what_a_clock_that_was_ahead_dated_gives_way(postgres_dsn: str) -> None:
    """It was put right: live values and status don't stand still until the time comes that they were dated."""

    async def body(world: World) -> None:
        now, ahead = now_us(), now_us() + 3600 * SECOND
        newest = "SELECT counters[1] FROM latest"
        await world.project(declare(), frame(ahead, counter=1), outcome(ahead, Outcome.OK, DeviceStatus.UP))
        await world.project(frame(now, counter=2), outcome(now, Outcome.UNREACHABLE, DeviceStatus.DOWN))
        assert await world.ask(newest) == [(2,)]
        assert await world.ask("SELECT status FROM device_status") == [("down",)]
        # In one batch, what was dated ahead in front.
        await world.project(frame(ahead + SECOND, counter=3), frame(now + SECOND, counter=4))
        assert await world.ask(newest) == [(4,)]
        # A clock that is ahead by less than what is told apart is as good as any: back in time it doesn't go.
        await world.project(frame(now + 60 * SECOND, counter=5), frame(now + 2 * SECOND, counter=6))
        assert await world.ask(newest) == [(5,)]

    in_world(postgres_dsn, body)


def test_latest_is_replaced_whole_when_the_layout_changes(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - 10 * SECOND
        other = {"layout": OTHER_LAYOUT, "counters": [], "gauges": [42.0], "rates": [], "low_confidence": ()}
        memory = {**other, "layout": T1_LAYOUT, "gauges": [7.0]}
        await world.project(declare(), frame(at), declare(T1_LAYOUT), frame(at, **memory))
        assert [row[:2] for row in await world.ask(LATEST)] == [
            ("t0", LAYOUT.layout_id),
            ("t1", T1_LAYOUT.layout_id),
        ]
        # Old and new layout in one batch: one row for the group.
        await world.project(
            frame(at + 1), declare(OTHER_LAYOUT), frame(at + 3, **other), frame(at + 2, counter=9)
        )
        assert (await world.ask(LATEST))[0][:4] == ("t0", OTHER_LAYOUT.layout_id, [], [42.0])

    in_world(postgres_dsn, body)


def test_a_group_that_has_lost_its_series_keeps_no_old_values(postgres_dsn: str) -> None:
    """All that it read is read in another group now: its last frame holds nothing."""
    nothing = Layout.of("t0", ())

    async def body(world: World) -> None:
        at = now_us() - 10 * SECOND
        await world.project(declare(), frame(at), declare(nothing))
        empty = {"layout": nothing, "counters": [], "gauges": [], "rates": [], "low_confidence": ()}
        await world.project(frame(at + SECOND, **empty))
        assert (await world.ask(LATEST))[0][:4] == ("t0", nothing.layout_id, [], [])
        assert await world.value("SELECT count(*) FROM metric_latest") == 0

    in_world(postgres_dsn, body)


def test_latest_is_updated_in_place(postgres_dsn: str) -> None:
    """Also where the rows are larger than half a page: an array goes out of line."""
    wide = Layout.of("t0", tuple(Series("iface.rx_bytes_total", f"*{n}", Lane.COUNTER) for n in range(700)))

    async def body(world: World) -> None:
        at = now_us() - 3600 * SECOND
        for n in range(40):
            values = {"layout": wide, "counters": [n] * 700, "gauges": [], "rates": [], "low_confidence": ()}
            await world.project(*([declare(wide)] if n == 0 else []), frame(at + n, **values))
        await world.ask("SELECT pg_stat_force_next_flush()")
        updates, hot = (
            await world.ask(
                "SELECT pg_stat_get_xact_tuples_updated(c.oid) + n_tup_upd, n_tup_hot_upd"
                " FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.relname = 'latest'"
            )
        )[0]
        assert hot == updates
        assert await world.value("SELECT pg_relation_size('latest')") <= 2 * 8192

    in_world(postgres_dsn, body)


def test_a_frame_whose_layout_nobody_declared_is_kept(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - SECOND
        await world.project(frame(at))
        assert await world.value("SELECT count(*) FROM latest") == 0
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 1
        await world.project(declare(), frame(at + 1))
        assert await world.value("SELECT count(*) FROM latest") == 1

    in_world(postgres_dsn, body)


def test_layouts_are_stored_once(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare(), declare())
        await world.project(declare())
        rows = await world.ask(
            "SELECT lane, position, metric, instance FROM series_layout_entry ORDER BY lane, position"
        )
        assert rows == [
            ("counter", 1, "iface.rx_bytes_total", "*1"),
            ("counter", 2, "iface.rx_bytes_total", "*2"),
            ("gauge", 1, "system.cpu.load_pct", ""),
            ("gauge", 2, "iface.oper_state", "*1"),
            ("rate", 1, "iface.rx_bps", "*1"),
            ("rate", 2, "iface.rx_bps", "*2"),
        ]
        assert await world.ask("SELECT poll_group, counters, gauges, rates FROM series_layout") == [
            ("t0", 2, 2, 2)
        ]

    in_world(postgres_dsn, body)


def test_state_changes_become_events_in_order(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(change(at), change(at - SECOND, "up", Severity.INFO), change(at, device=""))
        assert await world.ask(EVENTS) == [
            ("interface.oper.changed", 2, "running", "up", "down"),
            ("interface.oper.changed", 1, "running", "up", "up"),
            ("interface.oper.changed", 2, "running", "up", "down"),
        ]
        assert await world.value("SELECT count(*) FROM event WHERE device_id IS NULL") == 1
        assert await world.value("SELECT count(DISTINCT position) FROM event") == 3

    in_world(postgres_dsn, body)


def test_outcomes_make_a_timeline_a_status_and_events_only_for_changes(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - 100 * SECOND
        down = DeviceStatus.DOWN
        await world.project(
            outcome(at, Outcome.OK, DeviceStatus.UP, ""),
            outcome(at + SECOND, Outcome.LOGIN_FAILED, down, "wrong password"),
            outcome(at + 2 * SECOND, Outcome.LOGIN_FAILED, down, "wrong password"),
        )
        await world.project(
            outcome(at + 3 * SECOND, Outcome.UNREACHABLE, down, "no route"),
            outcome(at + 4 * SECOND, Outcome.TIMED_OUT, DeviceStatus.DEGRADED, "slow"),
        )
        assert await world.ask(STATUS) == [("degraded", "timed_out", "slow", at + 4 * SECOND, at)]
        await world.project(outcome(at + 5 * SECOND, Outcome.OK, DeviceStatus.UP, ""))
        assert await world.ask(STATUS) == [("up", "ok", "", at + 5 * SECOND, at + 5 * SECOND)]
        assert await world.ask(EVENTS) == [
            ("device.up", 1, "status", "unknown", "up"),
            ("device.login_failed", 3, "status", "up", "down"),
            ("device.unreachable", 3, "status", "down", "down"),
            ("device.timed_out", 2, "status", "down", "degraded"),
            ("device.recovered", 1, "status", "degraded", "up"),
        ]
        health = await world.ask(
            "SELECT outcome, status, reason, consecutive_failures, polls_missed, retry_in_s FROM device_health ORDER BY seq"
        )
        assert len(health) == 6
        assert health[1] == ("login_failed", "down", "wrong password", 3, 1, 1.5)

    in_world(postgres_dsn, body)


def test_current_state_of_devices_that_were_removed_is_forgotten(postgres_dsn: str) -> None:
    """What was under way when a device was removed writes it again."""
    tables = ("latest", "state_row", "device_status", "device_capability")

    async def body(world: World) -> None:
        at = now_us()
        await world.ask(
            "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
            " VALUES (%s, %s, 'core', 'h', 1, 'u', 'off')",
            TENANT,
            DEVICE,
        )
        events = [
            declare(),
            frame(at),
            outcome(at, Outcome.OK, DeviceStatus.UP),
            probe(at, wifi=True),
            table(at, {"*1": {"name": "ether1"}}),
        ]
        await world.project(*events)
        assert await forget_removed(world.db) == 0
        await world.ask("DELETE FROM device")
        assert await forget_removed(world.db) == 4
        for name in tables:
            assert await world.value(f"SELECT count(*) FROM {name}") == 0
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 1

    in_world(postgres_dsn, body)


def test_events_are_taken_in_as_long_as_they_are_kept(postgres_dsn: str) -> None:
    """Longer than telemetry is."""

    async def body(world: World) -> None:
        late = now_us() - 200 * 86_400 * SECOND
        await world.project(declare(), frame(late), change(late), outcome(late, Outcome.OK, DeviceStatus.UP))
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 0
        assert await world.value("SELECT count(*) FROM event") == 2
        assert await world.value("SELECT count(*) FROM device_health") == 1

    in_world(postgres_dsn, body)


def test_a_late_outcome_does_not_change_the_status(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(outcome(at, Outcome.OK, DeviceStatus.UP))
        await world.project(outcome(at - SECOND, Outcome.REFUSED, DeviceStatus.DOWN))
        assert await world.value("SELECT status FROM device_status") == "up"
        assert await world.value("SELECT count(*) FROM device_health") == 2

    in_world(postgres_dsn, body)


def test_late_outcomes_tell_what_happened_before(postgres_dsn: str) -> None:
    """As a collector does that was cut off: what is new first, then the rest."""

    async def body(world: World) -> None:
        at, down, up = now_us(), DeviceStatus.DOWN, DeviceStatus.UP
        await world.project(outcome(at - 60 * SECOND, Outcome.OK, up))
        await world.project(outcome(at, Outcome.UNREACHABLE, down))
        late = [
            outcome(at - 40 * SECOND, Outcome.REFUSED, down),
            outcome(at - 30 * SECOND, Outcome.REFUSED, down),
            outcome(at - 20 * SECOND, Outcome.OK, up),
        ]
        await world.project(*late)
        since = "SELECT (extract(epoch FROM since) * 1000000)::int8 FROM device_status"
        assert await world.value(since) == at
        await world.project(outcome(at - 10 * SECOND, Outcome.UNREACHABLE, down))
        assert await world.ask(
            "SELECT event_type, old_value, new_value FROM event ORDER BY ts_collected"
        ) == [
            ("device.up", "unknown", "up"),
            ("device.refused", "up", "down"),
            ("device.recovered", "down", "up"),
            ("device.unreachable", "up", "down"),  # as it came in late
            ("device.unreachable", "up", "down"),  # as the hub heard of it first
        ]
        assert await world.ask("SELECT status, outcome FROM device_status") == [("down", "unreachable")]
        assert await world.value(since) == at - 10 * SECOND

    in_world(postgres_dsn, body)


def test_probes_fill_the_status_and_tell_what_changed(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(probe(at - 3, wifi=True, lte=False))
        assert await world.ask(EVENTS) == []  # the first is no change
        await world.project(probe(at - 2, wifi=True, lte=False))
        assert await world.ask(EVENTS) == []
        await world.project(probe(at - 1, version="7.17", wifi=False, lte=False, container=True))
        assert await world.ask(
            "SELECT event_type, part, old_value, new_value, message FROM event ORDER BY position"
        ) == [
            ("device.version.changed", 0, "7.16", "7.17", "routeros version changed from 7.16 to 7.17"),
            ("device.capabilities.changed", 1, "", "", "Capabilities changed: -wifi, +container"),
        ]
        assert await world.ask(
            "SELECT routeros_version, routeros_major, board_name, identity FROM device_status"
        ) == [("7.17", 7, "CHR", "core")]
        assert await world.ask("SELECT name, present FROM device_capability ORDER BY name") == [
            ("container", True),
            ("lte", False),
            ("wifi", False),
        ]

    in_world(postgres_dsn, body)


def test_tables_follow_their_changes(postgres_dsn: str) -> None:
    rows = "SELECT row_key, fields, to_us(first_seen), to_us(changed_at) FROM state_row ORDER BY row_key"

    async def body(world: World) -> None:
        at = now_us() - 10 * SECOND
        one, two = {"name": "ether1"}, {"name": "ether2"}
        await world.project(table(at, {"*1": one, "*2": two}, complete=True))
        await world.project(table(at + 1, {"*1": {**one, "comment": "Uplink"}, "*2": two}))
        assert await world.ask(rows) == [
            ("*1", {"name": "ether1", "comment": "Uplink"}, at, at + 1),
            ("*2", two, at, at),  # the same again is no change
        ]
        await world.project(table(at + 2, {"*3": two}, ["*2"]), table(at + 3, {}, ["*3"]))
        assert [row[0] for row in await world.ask(rows)] == ["*1"]
        await world.project(table(at + 4, {"*9": one}, complete=True))
        assert [row[0] for row in await world.ask(rows)] == ["*9"]
        await world.project(table(at + 5, {}, complete=True))
        assert await world.ask(rows) == []

    in_world(postgres_dsn, body)


def test_whole_tables_of_many_devices_at_once(postgres_dsn: str) -> None:
    """As at a start: what is gone from one is not taken from another."""

    def whole(at: int, device: str, name: str, *keys: str) -> Envelope:
        rows = {key: {"name": key} for key in keys}
        return table_event(origin(device), TableChange(name, True, rows), at, at)

    async def body(world: World) -> None:
        at = now_us() - SECOND
        await world.project(
            whole(at, DEVICE, "interface", "*1", "*2"),
            whole(at, DEVICE, "address", "*1", "*2"),
            whole(at, OTHER_DEVICE, "interface", "*1", "*2"),
            whole(at, OTHER_DEVICE, "address", "*1"),
        )
        await world.project(
            whole(at + 1, DEVICE, "interface", "*2"),
            whole(at + 1, OTHER_DEVICE, "interface"),
            whole(at + 1, OTHER_DEVICE, "address", "*1", "*3"),
        )
        found = await world.ask("SELECT device_id, table_name, row_key FROM state_row ORDER BY 1, 2, 3")
        assert found == [
            (DEVICE, "address", "*1"),
            (DEVICE, "address", "*2"),
            (DEVICE, "interface", "*2"),
            (OTHER_DEVICE, "address", "*1"),
            (OTHER_DEVICE, "address", "*3"),
        ]

    in_world(postgres_dsn, body)


KEYS = st.sampled_from(["*1", "*2", "*3"])
DELTAS = st.tuples(
    st.dictionaries(KEYS, st.fixed_dictionaries({"name": st.sampled_from(["a", "b"])}), max_size=3),
    st.lists(KEYS, max_size=2, unique=True),
    st.booleans(),
)


def test_many_changes_at_once_come_to_the_same_as_one_by_one(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        from mtd.projections.frames import FrameEncoder
        from mtd.projections.tables import TablesProjection

        async def outcome_of(deltas: list[tuple[dict[str, dict[str, str]], list[str], bool]]) -> list[object]:
            async def write(tx: object) -> None:
                batch = TablesProjection().begin(world.log.log_id, FrameEncoder())
                for seq, (upserted, removed, complete) in enumerate(deltas, 1):
                    batch.add(seq, table(seq, upserted, removed, complete=complete))
                await batch.write(tx)  # type: ignore[arg-type]

            await world.db.run("test.tables", write)
            return await world.ask("SELECT row_key, fields FROM state_row ORDER BY row_key")

        examples: list[list[tuple[dict[str, dict[str, str]], list[str], bool]]] = []

        @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(DELTAS, min_size=1, max_size=6))
        def collect(deltas: list[tuple[dict[str, dict[str, str]], list[str], bool]]) -> None:
            examples.append(deltas)

        collect()
        for deltas in examples:
            expected: dict[str, dict[str, str]] = {}
            for upserted, removed, complete in deltas:
                if complete:
                    expected = {}
                for key in () if complete else removed:
                    expected.pop(key, None)
                expected.update(upserted)
            await world.ask("DELETE FROM state_row")
            await world.ask("DELETE FROM state_mark")
            assert await outcome_of(deltas) == sorted(expected.items())

    in_world(postgres_dsn, body)


def test_documents_are_stored_when_they_differ(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        first, second = b'{"a":1}', '{"a":"\N{SNOWMAN}"}'.encode()
        await world.project(
            snapshot(at - 4, first),
            snapshot(at - 3, first),
            snapshot(at - 2, second),
            snapshot(at - 1, first),
        )
        rows = await world.ask("SELECT content FROM snapshot ORDER BY ts_collected")
        assert [content.encode() for (content,) in rows] == [first, second, first]
        await world.project(snapshot(at, b"\xff\xfe"))
        assert await world.ask("SELECT projection FROM dead_letter") == [("snapshots",)]

    in_world(postgres_dsn, body)


def test_late_documents_stand_where_they_belong(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        first, second, third = b'{"a":1}', b'{"a":2}', b'{"a":3}'
        await world.project(snapshot(at - 10, first), snapshot(at - 1, second))
        await world.project(snapshot(at - 8, first), snapshot(at - 6, third), snapshot(at - 4, second))
        rows = await world.ask(
            "SELECT content, (extract(epoch FROM ts_collected) * 1000000)::int8 FROM snapshot ORDER BY ts_collected"
        )
        assert [(content.encode(), us - at) for content, us in rows] == [
            (first, -10),
            (third, -6),
            (second, -4),
        ]

    in_world(postgres_dsn, body)


def test_two_devices_are_two(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare(), frame(at, counter=1), frame(at, counter=2, device=OTHER_DEVICE))
        rows = await world.ask("SELECT device_id, counters[1] FROM latest ORDER BY device_id")
        assert rows == [(DEVICE, 1), (OTHER_DEVICE, 2)]

    in_world(postgres_dsn, body)
