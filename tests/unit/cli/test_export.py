"""``mtd export`` against a door on a real socket."""

from __future__ import annotations

import builtins
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtd.model.metric import Lane
from mtd.queries.errors import TooManyPoints
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.queries.resolution import Resolution
from tests.unit.cli.conftest import Commands, DoorInThread

SECOND = 1_000_000
START = 1_793_491_200 * SECOND
SPAN = ("--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T06:30:00Z")
COUNT = 30 * 60 + 30


@pytest.fixture
def stored(mtd: Commands, door: DoorInThread, monkeypatch: pytest.MonkeyPatch) -> DoorInThread:
    """A door whose devices have a point a minute; more than 200 at once are refused."""
    for name in ("core-1", "core-2", "edge"):
        login = ("--user", "mtd", "--password", "x")
        mtd("device", "add", name, "192.0.2.1", *login, "--server", door.target)

    async def query_range(
        tenant: str,
        device: str,
        metrics: Sequence[str],
        start: int,
        end: int,
        points: int,
        resolution: Resolution,
    ) -> RangeAnswer:
        door.telemetry.asked.append((device, start, end, points, resolution))
        if resolution is Resolution.RAW:
            times = [at for at in range(START, START + COUNT * 60 * SECOND, 60 * SECOND) if start <= at < end]
            if len(times) > 200:
                raise TooManyPoints("that is too much")
            counter = [2**60 + at for at in times]
            return RangeAnswer(
                [
                    SeriesPoints("a", "", Lane.GAUGE, "", "a", "%", times, [at / SECOND for at in times]),
                    SeriesPoints("b", "*1", Lane.COUNTER, "e1", "b.e1", "bytes", times, counters=counter),
                ],
                0,
            )
        at = [start // (300 * SECOND) * 300 * SECOND]
        series = SeriesPoints("a", "", Lane.GAUGE, "", "a", "%", at, [1.0], (), [0.5], [2.0], [1.5], (), [30])
        return RangeAnswer([series], 300 * SECOND, Resolution.FIVE_MINUTES)

    monkeypatch.setattr(door.telemetry, "query_range", query_range)
    return door


def test_every_point_is_written_once_in_slices(mtd: Commands, stored: DoorInThread, tmp_path: Path) -> None:
    target = tmp_path / "all.csv"
    done = mtd("export", "-d", "core-*", *SPAN, "-o", str(target), "--server", stored.target)
    assert f"{4 * COUNT:,} rows of 2 devices" in done.stderr
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * COUNT
    assert {row["device"] for row in rows} == {"core-1", "core-2"}
    counters = [row for row in rows if row["metric"] == "b" and row["device"] == "core-1"]
    assert [int(row["value_int"]) for row in counters] == [
        2**60 + START + n * 60 * SECOND for n in range(COUNT)
    ]
    assert counters[0]["time"] == "2026-11-01T00:00:00.000000Z"
    assert {asked[3] for asked in stored.telemetry.asked} == {100_000}
    assert not list(tmp_path.glob("*.part"))


def test_standard_output_holds_nothing_but_the_rows(mtd: Commands, stored: DoorInThread) -> None:
    done = mtd("export", "-d", "edge", *SPAN, "--resolution", "5m", "--server", stored.target)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("time,device,key")
    assert lines[1] == "2026-11-01T00:00:00.000000Z,edge,a,a,,,%,1.0,,0.5,2.0,1.5,,30"


def test_parquet_keeps_types(mtd: Commands, stored: DoorInThread, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = tmp_path / "all.parquet"
    mtd("export", "-d", "core-1", "-d", "edge", *SPAN, "-o", str(target), "--server", stored.target)
    table = parquet.read_table(target)
    assert table.num_rows == 4 * COUNT
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    rows = table.select(["device", "metric", "value_int", "value"]).to_pylist()
    assert {row["device"] for row in rows} == {"core-1", "edge"}
    assert (
        max(row["value_int"] for row in rows if row["metric"] == "b")
        == 2**60 + START + (COUNT - 1) * 60 * SECOND
    )
    assert {row["value_int"] for row in rows if row["metric"] == "a"} == {None}


def test_without_pyarrow_it_says_what_to_install(
    mtd: Commands, stored: DoorInThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refusing(name: str, *given: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", refusing)
    target = tmp_path / "all.parquet"
    failed = mtd("export", *SPAN, "-o", str(target), "--server", stored.target, code=1)
    assert "pip install 'mtd[export]'" in failed.output
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_no_file(mtd: Commands, stored: DoorInThread, tmp_path: Path) -> None:
    target = tmp_path / "all.csv"
    missing = mtd("export", "-d", "nothing*", *SPAN, "-o", str(target), "--server", stored.target, code=1)
    assert "no device is called nothing*" in " ".join(missing.output.split())
    nowhere = tmp_path / "no" / "all.csv"
    assert (
        "can't be written"
        in mtd("export", *SPAN, "-o", str(nowhere), "--server", stored.target, code=1).output
    )
    assert not list(tmp_path.iterdir())
    assert "how far back" in mtd("export", "--server", stored.target, code=2).output


@pytest.mark.parametrize("named", [["--format", "parquet"], ["-o", "-", "--format", "parquet"]])
def test_a_terminal_gets_no_parquet(
    mtd: Commands, stored: DoorInThread, monkeypatch: pytest.MonkeyPatch, named: list[str]
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)
    refused = mtd("export", *SPAN, *named, "--server", stored.target, code=2)
    assert "name a file with --output" in refused.output


def test_the_help_does_not_promise_an_order_that_isnt_so(mtd: Commands, stored: DoorInThread) -> None:
    """Within a slice lines come series by series."""
    written = mtd("export", "-d", "core-1", *SPAN, "--server", stored.target).stdout
    rows = list(csv.DictReader(written.splitlines()))
    series = [row["key"] for row in rows[: COUNT // 20]]
    assert series == sorted(series)
    assert "each slice is written series by series" in " ".join(mtd("export", "--help").output.split())
