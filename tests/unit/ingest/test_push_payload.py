"""The JSON of a batch: whatever comes is read, or refused in words; never anything else."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import uuid
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.ingest.config import PushConfig
from mtd.ingest.push.payload import read_payload
from mtd.ingest.push.reading import BodyReader, ParserProcess, unpack
from mtd.ingest.push.rows import PushBatch, TooLarge, Unreadable
from mtd.testing import run_async

CONFIG = PushConfig(max_values=100, max_events=10)
EVENT = {"id": str(uuid.UUID(int=5)), "device_uid": "r", "ts": 1_760_000_000, "event_type": "x.y"}
SAMPLE = {"device_uid": "r", "ts": "2026-01-01T00:00:00Z", "metrics": {"a.b": 1}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


def mangled(row: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Rows that are nearly good: a field is left out, is another, or is too many."""
    return st.fixed_dictionaries(
        {}, optional={key: st.just(value) | JSON for key, value in row.items()}
    ).flatmap(
        lambda one: (
            st.just(one) | st.dictionaries(st.text(max_size=5), JSON, max_size=1).map(lambda more: one | more)
        )
    )


BATCHES = st.fixed_dictionaries(
    {},
    optional={
        "schema_version": st.just(1) | JSON,
        "batch_id": st.text(max_size=140) | JSON,
        "group": st.sampled_from(["slow", "no spaces", ""]) | JSON,
        "samples": st.lists(mangled(SAMPLE) | JSON, max_size=5) | JSON,
        "events": st.lists(mangled(EVENT) | JSON, max_size=5) | JSON,
    },
)


def read(body: bytes) -> PushBatch:
    return read_payload(body, CONFIG.max_values, CONFIG.max_events)


@given(
    st.binary(max_size=200)
    | JSON.map(lambda one: json.dumps(one).encode())
    | BATCHES.map(lambda one: json.dumps(one).encode())
)
def test_ingest_payload_is_read_or_refused(body: bytes) -> None:
    try:
        batch = read(body)
    except (Unreadable, TooLarge):
        return
    given = json.loads(body)
    top = {"samples": given} if isinstance(given, list) else given
    # Every row that was sent is in one place: read, or a problem with its number.
    for key, rows in (("samples", batch.samples), ("events", batch.events)):
        numbers = [row.number for row in rows]
        numbers += [int(one.row.partition("/")[2]) for one in batch.problems if one.row.startswith(key)]
        assert sorted(numbers) == list(range(len(top.get(key) or ())))
    for sample in batch.samples:
        assert sample.metrics
        assert all(type(value) in (int, float, str) for value in sample.metrics.values())
    assert all(uuid.UUID(event.event_id) for event in batch.events)


@given(st.datetimes(dt.datetime(2000, 1, 2), dt.datetime(2100, 1, 1)), st.sampled_from([0, 2, -11]))
def test_ingest_times_are_exact_however_they_are_written(at: dt.datetime, hours: int) -> None:
    moment = at.replace(tzinfo=dt.timezone(dt.timedelta(hours=hours)))
    wanted = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    (sample,) = read(json.dumps([SAMPLE | {"ts": moment.isoformat()}]).encode()).samples
    assert sample.at_us == wanted
    (sample,) = read(json.dumps([SAMPLE | {"ts": wanted // 1_000_000}]).encode()).samples
    assert sample.at_us == wanted // 1_000_000 * 1_000_000
    (sample,) = read(json.dumps([SAMPLE | {"ts": wanted / 1e6}]).encode()).samples
    assert abs(sample.at_us - wanted) <= 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ts": 1_760_000_000_000}, "bad_time"),  # milliseconds
        ({"ts": "2026-01-01T00:00:00"}, "bad_time"),  # no zone
        ({"ts": True}, "bad_time"),
        ({"ts": "9999-12-31T23:59:59-23:59"}, "bad_time"),
        ({"device_uid": ""}, "no_device"),
        ({"device_uid": 7}, "no_device"),
        ({"metrics": {}}, "no_metrics"),
        ({"metrics": {"a": True}}, "bad_value"),
        ({"metrics": {"a": None}}, "bad_value"),
        ({"metric": {"a": 1}}, "unknown_field"),
    ],
)
def test_ingest_samples_that_are_wrong(change: dict[str, Any], reason: str) -> None:
    batch = read(json.dumps([SAMPLE | change, SAMPLE]).encode())
    assert [(one.row, one.reason) for one in batch.problems] == [("samples/0", reason)]
    assert [sample.number for sample in batch.samples] == [1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": "x"}, "no_id"),
        ({"id": None}, "no_id"),
        ({"event_type": ""}, "no_event_type"),
        ({"severity": "terrible"}, "bad_severity"),
        ({"severity": 3}, "bad_severity"),
        ({"message": 3}, "bad_text"),
        ({"message": "\0"}, "bad_text"),
        ({"message": "x" * 1001}, "too_long"),
        ({"surprise": 1}, "unknown_field"),
    ],
)
def test_ingest_events_that_are_wrong(change: dict[str, Any], reason: str) -> None:
    batch = read(json.dumps({"events": [EVENT | change]}).encode())
    assert [(one.row, one.reason) for one in batch.problems] == [("events/0", reason)]


def test_ingest_payload_that_holds_more_than_a_batch_may() -> None:
    values = {f"k{number}": 1 for number in range(60)}
    for body in (
        [SAMPLE | {"metrics": values}] * 2,
        {"events": [EVENT] * 11},
        [{}] * 101,
        [[[[]]]] * 500,
        {"x": [1] * 2000},
    ):
        with pytest.raises(TooLarge):
            read(json.dumps(body).encode())


def test_ingest_payload_says_what_it_did_not_take() -> None:
    batch = read(json.dumps({"samples": [SAMPLE], "inventory_patch": {}}).encode())
    assert batch.warnings == ["'inventory_patch' isn't something that mtd takes: it was left out"]


@given(st.binary(max_size=5000), st.integers(1, 5))
def test_ingest_unpacks_what_was_packed(body: bytes, members: int) -> None:
    packed = b"".join(gzip.compress(body) for _ in range(members))
    assert unpack(packed, 50_000) == body * members


@given(st.binary(max_size=300))
def test_ingest_unpacks_nothing_that_isn_t_gzip(body: bytes) -> None:
    try:
        found = unpack(body, 10_000)
    except Unreadable:
        return
    assert len(found) <= 10_000
    assert zlib.decompress(body, 16 + zlib.MAX_WBITS)[:1] == found[:1]


def test_ingest_unpacks_no_bomb() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(TooLarge):
        unpack(bomb, 1_000_000)
    with pytest.raises(TooLarge):
        unpack(gzip.compress(b"x" * 600_000) * 2, 1_000_000)
    with pytest.raises(Unreadable, match="too early"):
        unpack(bomb[:-9], 100_000_000)


def test_ingest_process_reads_as_the_thread_does_and_is_started_again() -> None:
    config = PushConfig()
    rows = [
        SAMPLE | {"ts": 1_760_000_000 + number, "metrics": {f"a.{one}": 2**62 for one in range(8)}}
        for number in range(600)
    ]
    whole = {"batch_id": "b", "group": "g", "samples": [*rows, {}], "events": [EVENT] * 300, "new": 1}
    body = json.dumps(whole).encode()
    process = ParserProcess(config)
    try:
        wanted = read_payload(body, config.max_values, config.max_events)
        assert process.parse(body) == wanted
        with pytest.raises(Unreadable, match="isn't JSON"):
            process.parse(b"{")
        assert process._process is not None
        process._process.kill()
        process._process.wait()
        assert process.parse(body) == wanted
    finally:
        process.stop()


def test_ingest_reader_takes_small_and_large_bodies() -> None:
    small = json.dumps([SAMPLE]).encode()
    large = json.dumps([SAMPLE | {"ts": 1_760_000_000 + number} for number in range(5000)]).encode()
    assert len(large) > 256 * 1024

    async def main() -> None:
        reader = BodyReader(PushConfig())
        try:
            assert len((await reader.read(small, packed=False)).samples) == 1
            assert len((await reader.read(gzip.compress(large), packed=True)).samples) == 5000
        finally:
            await reader.stop()

    run_async(main())
