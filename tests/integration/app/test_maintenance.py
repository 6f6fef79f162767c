"""The event log held against PostgreSQL: each kind of difference is found, and nothing else."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from mtd.app import maintenance
from mtd.app.config import Settings
from mtd.app.maintenance import migrate_database
from mtd.app.storage import storage_report
from mtd.codec.blocks import encode_axis
from mtd.core.errors import Misconfigured
from mtd.model.device import DEFAULT_TENANT_ID, DeviceStatus, Outcome, Severity
from mtd.model.events import Origin, frame_event, layout_event, outcome_event, state_event
from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.model.observation import FrameValues, OutcomeReport, StateChange
from mtd.storage.cold import frames
from mtd.storage.cold.blocks import AxisRow, write_axes
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.partitioned import TELEMETRY_AXIS
from tests.integration.app.comparing_kit import DEVICES, Place, now_us, origin, place

__all__ = ["place"]

LAYOUT = Layout.of("t0", (Series("iface.rx_bytes_total", "*1", Lane.COUNTER),))
MINUTE_US = 60_000_000


def frame(device: str, at: int, received: int | None = None) -> Any:
    values = FrameValues(layout=LAYOUT, collected_us=at, counters=[at], gauges=[], rates=[])
    return frame_event(origin(device), values, received or at)


def day(at: int) -> list[Any]:
    """Return a layout, 40 frames of two devices, three outcomes and a change; the last is seq 45."""
    report = OutcomeReport(Outcome.TIMED_OUT, DeviceStatus.DOWN, "t0", "silent", 1, 0, 1.0)
    change = StateChange(
        "interface.oper.changed", Severity.INFO, "interface", "*1", "e1", "running", "up", "down", "m"
    )
    return [
        layout_event(origin(DEVICES[0]), LAYOUT, at, at),
        *(frame(device, at + 1000 * n) for n in range(20) for device in DEVICES),
        *(outcome_event(origin(DEVICES[0]), report, at + n, at + n) for n in range(3)),
        state_event(origin(DEVICES[1]), change, at, at),
    ]


def test_what_was_projected_is_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "_ROWS_AT_ONCE", 7)
    place.project(day(now_us()), day(now_us() + MINUTE_US))
    found = place.compare()
    assert found.ok
    assert {name: (table.expected, table.found) for name, table in found.tables.items()} == {
        "telemetry_frame": (80, 80),
        "device_health": (6, 6),
        "event": (2, 2),
        "log_record": (0, 0),
        "flow_block": (0, 0),
    }
    assert (found.latest_checked, found.events_behind) == (2, 0)
    assert "as the log says" in found.describe()


def test_what_another_hub_brought_is_there_under_its_name_and_not_under_this_one_s(
    place: Place, tmp_path: Path
) -> None:
    log = uuid.uuid4().bytes
    copied = day(now_us())
    for number, envelope in enumerate(copied, start=1):
        envelope.source_log_id, envelope.source_seq = log, number
    later = Place(tmp_path / "later", place.dsn)
    (tmp_path / "later").mkdir()
    place.project(copied)
    later.project(copied[:30], day(now_us() + MINUTE_US))
    for hub, refused in ((place, 0), (later, 29)):
        found = hub.compare()
        assert (found.ok, found.tables["telemetry_frame"].refused) == (True, refused), found.describe()
    place.sql(
        "UPDATE telemetry_frame SET log_id = (SELECT log_id FROM telemetry_frame WHERE log_id <> %s LIMIT 1)"
        " WHERE log_id = %s AND seq = 7",
        *2 * [place.compare().log_id],
    )
    assert place.compare().tables["telemetry_frame"].missing == 1
    assert later.compare().problems == ["telemetry_frame: the row of event 7 is unexpected"]


def test_frames_that_were_compacted_are_found_by_their_times(place: Place) -> None:
    at = now_us()
    place.project(day(at), day(at - 70 * MINUTE_US))
    compact(place, DEVICES[0])
    found = place.compare()
    assert found.ok, found.describe()
    account = found.tables["telemetry_frame"]
    assert (account.expected, account.found, account.compacted) == (80, 80, 40)
    assert "80 rows in telemetry_frame (40 compacted)" in found.describe()
    place.sql(
        "UPDATE telemetry_axis SET first_ms = first_ms + 1 WHERE hour = (SELECT min(hour) FROM telemetry_axis)"
    )
    assert place.compare().tables["telemetry_frame"].missing == 1, "the last of its twenty has no neighbour"
    place.sql("DELETE FROM telemetry_axis")
    found = place.compare()
    assert (found.ok, found.tables["telemetry_frame"].missing) == (False, 40)


def compact(place: Place, device: str) -> None:
    """Put the times of a device's frames into axes and delete the frames, as the compaction does."""
    with ColdConnection(place.dsn) as connection:
        for hour_us in frames.closed_hours(connection, 2**61):
            for run in frames.read_unit(connection, device, hour_us):
                ColdPartitions(connection).ensure(TELEMETRY_AXIS, [hour_us])
                axis = encode_axis(run.us // 1000 - hour_us // 1000)
                row = AxisRow(run.tenant_id, device, LAYOUT.poll_group, hour_us, axis)
                with connection.transaction():
                    write_axes(connection, [row])
                    assert frames.delete_unit(connection, device, hour_us) == len(run)


@pytest.mark.parametrize("table", ["telemetry_frame", "device_health", "event"])
def test_a_missing_row_is_found(place: Place, table: str) -> None:
    place.project(day(now_us()))
    # Of the events, that which stands in the log as such; others are derived.
    seq = 45 if table == "event" else f"(SELECT max(seq) FROM {table})"
    place.sql(f"DELETE FROM {table} WHERE seq = {seq}")
    found = place.compare()
    assert not found.ok
    assert [name for name, account in found.tables.items() if account.missing] == [table]
    assert found.tables[table].missing == 1
    assert any("is missing" in problem for problem in found.problems)
    assert "NOT" in found.describe()


@pytest.mark.parametrize("table", ["telemetry_frame", "device_health", "event"])
def test_a_doubled_row_is_found(place: Place, table: str) -> None:
    place.project(day(now_us()))
    place.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE seq = (SELECT max(seq) FROM {table})")
    found = place.compare()
    assert not found.ok
    assert {name: account.doubled for name, account in found.tables.items() if account.doubled} == {table: 1}


def test_a_row_of_no_event_is_found(place: Place) -> None:
    place.project(day(now_us()))
    place.sql("UPDATE telemetry_frame SET seq = 43 WHERE seq = 20")  # 43 is the outcome of a poll
    found = place.compare()
    account = found.tables["telemetry_frame"]
    assert (found.ok, account.missing) == (False, 1)


def test_a_latest_row_of_the_past_is_found(place: Place) -> None:
    place.project(day(now_us()))
    place.sql(
        "UPDATE latest SET seq = 2, ts_collected = ts_collected - interval '1 s' WHERE device_id = %s",
        DEVICES[0],
    )
    found = place.compare()
    assert (found.ok, found.latest_wrong) == (False, 1)
    place.sql("DELETE FROM latest WHERE device_id = %s", DEVICES[0])
    assert place.compare().latest_wrong == 1
    place.sql("DELETE FROM device WHERE device_id = %s", DEVICES[0])
    assert place.compare().ok, "a device that was removed has no newest values"


def test_a_newer_latest_row_is_no_error(place: Place) -> None:
    place.project(day(now_us()))
    place.sql(
        "UPDATE latest SET log_id = %s, seq = 1, ts_collected = ts_collected + interval '1 s'", uuid.uuid4()
    )
    assert place.compare().ok


def test_a_log_that_lost_its_end_is_found(place: Place) -> None:
    place.project(day(now_us()))
    place.sql("UPDATE projection_position SET position = 46 WHERE name = 'events'")
    found = place.compare()
    assert not found.ok
    assert found.problems == ["projection events is at 46, but the log ends at 45"]


def test_what_waits_to_be_projected_is_no_error(place: Place) -> None:
    place.project(day(now_us()))
    place.append([frame(DEVICES[0], now_us() + MINUTE_US)])
    found = place.compare()
    assert (found.ok, found.events_behind) == (True, 1)
    assert "1 events still to be projected" in found.describe()


def test_what_is_not_stored_on_purpose_is_no_error(place: Place) -> None:
    at = now_us()
    future = frame(DEVICES[0], at + 60 * MINUTE_US, received=at)
    ancient = frame(DEVICES[0], at - 200 * 24 * 60 * MINUTE_US)
    broken = outcome_event(
        Origin(DEFAULT_TENANT_ID, "collector", "no uuid"),
        OutcomeReport(Outcome.OK, DeviceStatus.UP, "t0", "", 0, 0, 0.0),
        at,
        at,
    )
    told, again = (day(at)[-1] for _ in range(2))
    told.event_id = again.event_id = uuid.uuid4().bytes
    place.project([*day(at), future, ancient, broken, told, again])
    found = place.compare()
    assert found.ok, found
    assert found.tables["telemetry_frame"].refused == 2
    assert found.tables["device_health"].refused == 1
    assert found.tables["event"].refused == 1
    assert found.dead_letters == {"events": 1}
    assert "1 dead letters" in found.describe()


def test_migrating_twice_changes_nothing(tmp_path: Path, empty_postgres_dsn: str) -> None:
    place = Place(tmp_path, empty_postgres_dsn)
    said: list[str] = []
    place.append(day(now_us()))
    with pytest.raises(Misconfigured, match="mtd migrate"):
        place.compare()
    applied = migrate_database(place.settings, said.append)
    assert applied
    assert len(said) == len(applied)
    assert migrate_database(place.settings, said.append) == []


def test_a_question_makes_no_database(tmp_path: Path) -> None:
    settings = Settings.model_validate({"daemon": {"data_dir": tmp_path / "var"}})
    with pytest.raises(Misconfigured, match=r"no database in .*--config"):
        storage_report(settings, lambda _: None)
    assert not (tmp_path / "var").exists()
