"""Lines of logs and blocks of flows in the event log, held against PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.app import maintenance
from mtd.model.flows import FlowPortion, flow_event
from mtd.model.logs import LogEntry, log_event
from tests.integration.app.comparing_kit import DEVICES, Place, now_us, origin, place
from tests.unit.flowsums.plain import Record, block_of, told

__all__ = ["place"]

SECOND_US, DAY_US = 1_000_000, 86_400_000_000


def lines(at: int, *texts: str, device: str = DEVICES[0], step_us: int = SECOND_US) -> Any:
    entries = [LogEntry(at + n * step_us, text, text) for n, text in enumerate(texts)]
    return log_event(origin(device), "192.0.2.1", entries, entries[-1].received_us)


def flows(at: int, count: int = 3, device: str = DEVICES[0], exporter: str = "192.0.2.1") -> Any:
    records: list[Record] = [{"octets": 100 + n, "packets": 1, "src_port": n} for n in range(count)]
    volume = told(records)
    portion = FlowPortion(
        exporter=exporter,
        domain=0,
        form="ipfix",
        records=count,
        octets=volume.octets,
        packets=volume.packets,
        estimated_octets=volume.octets,
        estimated_packets=volume.packets,
        received_us=at,
        first_ms=at // 1000 - 20,
        last_ms=at // 1000 - 10,
        sampling="told",
        block=block_of(records),
    )
    return flow_event(origin(device), portion, at)


def day(at: int) -> list[Any]:
    """Return three events of nine lines together, and four blocks; the last is seq 7."""
    return [
        lines(at, "a", "b", "c"),
        flows(at),
        lines(at + SECOND_US, "d", device=DEVICES[1]),
        flows(at, 5, DEVICES[1]),
        flows(at + SECOND_US, 7, exporter="192.0.2.9"),
        lines(at + 2 * SECOND_US, *"efghi"),
        flows(at + 2 * SECOND_US, 9),
    ]


@pytest.mark.parametrize("at_once", [1, 4, 50_000])
def test_what_was_projected_is_there(place: Place, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(maintenance, "_ROWS_AT_ONCE", at_once)
    place.project(day(now_us()), day(now_us()))
    found = place.compare()
    assert found.ok, found.describe()
    accounts = {name: (table.expected, table.found) for name, table in found.tables.items() if table.expected}
    assert accounts == {"log_record": (18, 18), "flow_block": (8, 8)}
    assert {"8 rows in flow_block", "18 rows in log_record"} <= set(found.describe().split(", "))


def test_a_missing_line_is_found(place: Place) -> None:
    place.project(day(now_us()))
    place.sql("DELETE FROM log_record WHERE seq = 6 AND part = 3")
    found = place.compare()
    assert (found.ok, found.tables["log_record"].missing) == (False, 1)
    assert found.problems == ["log_record: the row of event 6, part 3 is missing"]


def test_a_missing_block_is_found(place: Place) -> None:
    place.project(day(now_us()))
    place.sql("DELETE FROM flow_block WHERE seq = 5")
    found = place.compare()
    assert (found.ok, found.tables["flow_block"].missing) == (False, 1)
    assert found.problems == ["flow_block: the row of event 5 is missing"]


@pytest.mark.parametrize("table", ["log_record", "flow_block"])
def test_a_doubled_row_is_found(place: Place, table: str) -> None:
    place.project(day(now_us()))
    place.sql(
        f"INSERT INTO {table} SELECT * FROM {table} WHERE (ts, seq) = (SELECT max(ts), max(seq) FROM {table})"
    )
    found = place.compare()
    wrong = {name: (one.doubled, one.missing, one.changed) for name, one in found.tables.items() if one.wrong}
    assert (found.ok, wrong) == (False, {table: (1, 0, 0)})


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        (
            "UPDATE log_record SET part = 7 WHERE seq = 1 AND part = 2",
            "log_record",
        ),  # an event of three lines
        ("UPDATE log_record SET seq = 4 WHERE seq = 3", "log_record"),  # which is a block's
        ("UPDATE flow_block SET seq = 6 WHERE seq = 5", "flow_block"),
    ],
)
def test_a_row_of_no_event_is_found(place: Place, statement: str, table: str) -> None:
    place.project(day(now_us()))
    place.sql(statement)
    found = place.compare()
    account = found.tables[table]
    assert (found.ok, account.missing, account.unexpected) == (False, 1, 1), found.describe()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("records = 4", "records 4, not 5"),
        ("octets = octets + 1", "octets 511, not 510"),
        ("estimated_packets = 6, packets = 7", "packets 7, not 5, estimated_packets 6, not 5"),
        ("first_ts = first_ts + interval '1 hour'", "first_us "),
        ("last_ts = last_ts - interval '1 millisecond'", "last_us "),
        ("domain = 8", "domain 8, not 0"),
        ("exporter = '192.0.2.2'", "exporter 192.0.2.2, not 192.0.2.1"),
        (f"device_id = '{DEVICES[0]}'", f"device_id {DEVICES[0]}, not {DEVICES[1]}"),
        ("block = set_byte(block, 9, 255 - get_byte(block, 9))", "sha256 "),
    ],
)
def test_a_block_that_says_something_else_is_found(place: Place, change: str, said: str) -> None:
    place.project(day(now_us()))
    place.sql(f"UPDATE flow_block SET {change} WHERE seq = 4")
    found = place.compare()
    account = found.tables["flow_block"]
    assert (found.ok, account.changed, account.found, account.missing) == (False, 1, 4, 0)
    (problem,) = found.problems
    assert problem.startswith(f"flow_block: the row of event 4 says {said}")


def test_a_block_from_before_its_domain_was_kept_is_no_error(place: Place) -> None:
    place.project(day(now_us()))
    place.sql("UPDATE flow_block SET domain = NULL WHERE seq = 4")
    assert place.compare().ok


def test_what_is_not_stored_on_purpose_is_no_error(place: Place) -> None:
    at = now_us()
    ahead = lines(at, "of now", "of the future", step_us=90 * DAY_US)
    ahead.received_at_us = at
    place.project(
        [
            ahead,
            flows(at - 90 * DAY_US),
            lines(at - 4000 * DAY_US, "ancient"),
            lines(at - 4000 * DAY_US, "of two days", "of two days", step_us=4000 * DAY_US),
            flows(at, device="nobody's"),
            *day(at),
        ]
    )
    found = place.compare()
    assert found.ok, found.describe()
    assert {name: table.refused for name, table in found.tables.items() if table.refused} == {
        "log_record": 3,
        "flow_block": 2,
    }
    assert found.dead_letters == {"flows": 1}


def test_what_another_hub_brought_is_not_under_this_one_s_name(place: Place) -> None:
    place.project(day(now_us()))
    (place.settings.daemon.data_dir / "later").mkdir()
    later = Place(place.settings.daemon.data_dir / "later", place.dsn)
    copied = day(now_us())
    for number, envelope in enumerate(copied, start=1):
        envelope.source_log_id, envelope.source_seq = b"0123456789abcdef", number
    place.project(copied)
    later.project(copied[:5])
    found = later.compare()
    assert found.ok, found.describe()
    assert (found.tables["log_record"].refused, found.tables["flow_block"].refused) == (2, 3)
    place.sql("UPDATE flow_block SET log_id = %s, seq = 2 WHERE seq = 9", later.compare().log_id)
    assert later.compare().problems == ["flow_block: the row of event 2 is unexpected"]
    assert place.compare().problems == ["flow_block: the row of event 9 is missing"]
