"""``mtd query`` against a door on a real socket."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import pytest

from mtd.model.metric import Lane
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.queries.resolution import Resolution
from tests.unit.cli.conftest import Commands, DoorInThread

COUNTER = SeriesPoints(
    "iface.rx_bytes_total", "*1", Lane.COUNTER, "eth[/1]", "iface.eth[/1].rx_bytes_total", "bytes",
    [0, 10_000_000], counters=[2**62, 2**62 + 5], increases=[3, 5], counts=[10, 10],
)  # fmt: skip
LOAD = SeriesPoints(
    "system.cpu.load_pct", "", Lane.GAUGE, "", "system.cpu.load_pct", "percent", [0, 10_000_000],
    [10.0, 20.0], minimum=[1.0, 2.0], maximum=[90.0, 30.0], p95=[80.0, 25.0], counts=[10, 30],
)  # fmt: skip


def fill(door: DoorInThread) -> None:
    door.telemetry.answer = RangeAnswer([COUNTER, LOAD], 10_000_000, Resolution.TEN_SECONDS)


def test_a_query_that_finds_nothing_says_so(mtd: Commands, door: DoorInThread) -> None:
    for form in ((), ("--json",), ("--csv",)):
        asked = mtd("query", "[/r1]", "x", *form, "--server", door.target)
        told = " ".join(asked.stderr.split())
        assert "Nothing stored for [/r1] in the last 15m that matches x." in told
        assert "mtd catalogue" in told
    asked = mtd("query", "r1", "x", "--from", "2026-11-01", "--server", door.target)
    assert "Nothing stored for r1 in that time" in asked.stderr


def test_rates_are_told_as_people_say_them(mtd: Commands, door: DoorInThread) -> None:
    rate = dataclasses.replace(
        LOAD, metric="iface.rx_bps", key="iface.a.rx_bps", unit="bits_per_second", values=[1e6, 2_500_000.0]
    )
    door.telemetry.answer = RangeAnswer([rate], 10_000_000, Resolution.TEN_SECONDS)
    output = mtd("query", "r1", "*", "--last", "2h", "--server", door.target).output
    assert "2.5 Mb/s" in output
    assert "bits_per_second" not in output


def test_a_table_tells_what_the_buckets_hold(mtd: Commands, door: DoorInThread) -> None:
    fill(door)
    output = mtd("query", "r1", "*", "--last", "2h", "--server", door.target).output
    assert "iface.eth[/1].rx_bytes_total" in output
    assert f"{2**62 + 5:,}" in output
    assert all(figure in output for figure in ("20.00", "1.00", "17.50", "80.00", "90.00"))
    assert "rollups of 10 s, a point for each 10 s" in output


def test_what_is_asked_for_is_asked(mtd: Commands, door: DoorInThread) -> None:
    span = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-08T00:00:00+00:00")
    more = ("--max-points", "50", "--resolution", "5m")
    mtd("query", "r1", "a", "b", *span, *more, "--server", door.target)
    (asked,) = door.telemetry.asked
    assert asked[1:] == (
        "r1", ("a", "b"), 1_793_491_200_000_000, 1_794_096_000_000_000, 50, Resolution.FIVE_MINUTES,
    )  # fmt: skip


def test_json_and_csv_hold_every_point(mtd: Commands, door: DoorInThread) -> None:
    fill(door)
    found = json.loads(mtd("query", "r1", "*", "--json", "--server", door.target).output)
    assert (found["bucket_us"], found["resolution"]) == (10_000_000, "10s")
    assert found["series"][0]["values"] == [2**62, 2**62 + 5]
    assert found["series"][1]["maximum"] == [90.0, 30.0]
    rows = list(csv.DictReader(io.StringIO(mtd("query", "r1", "*", "--csv", "--server", door.target).output)))
    assert [row["time"] for row in rows] == ["1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:10.000000Z"] * 2
    assert [row["value_int"] for row in rows] == [str(2**62), str(2**62 + 5), "", ""]
    assert (rows[3]["value"], rows[3]["p95"], rows[3]["count"], rows[3]["increase"]) == (
        "20.0",
        "25.0",
        "30",
        "",
    )
    assert (rows[1]["increase"], rows[1]["max"]) == ("5", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--last", "soon"), "is not a duration"),
        (("--last", "999999999999w"), "too long"),
        (("--from", "yesterday"), "is not a time"),
        (("--last", "1h", "--from", "2026-11-01"), "not both"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "before it starts"),
        (("--json", "--csv"), "not both"),
    ],
)
def test_what_can_not_be_is_told(mtd: Commands, arguments: tuple[str, ...], message: str) -> None:
    output = mtd("query", "r1", "a", *arguments, code=2).output
    assert message in " ".join(output.replace("│", " ").split())
