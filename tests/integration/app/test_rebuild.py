"""``mtd rebuild``: a projection made again from the log, while nothing else writes."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from mtd.app.rebuild import BLOCKS_STAY, rebuild_projection
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured, NotFound
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.testing import run_async
from tests.integration.app.test_maintenance import DEVICES, MINUTE_US, Place, day
from tests.integration.compaction.kit import ask, cold, compact

Report = list[tuple[str, int, int]]
ROLLUPS = (
    " UNION ALL ".join(
        f"SELECT '{step}', series_id, start, buckets, packed FROM mtd.rollup_{step}"
        for step in ("10s", "1m", "5m")
    )
    + " ORDER BY 1, 2, 3"
)


def filled(tmp_path: Path, dsn: str) -> Place:
    place = Place(tmp_path, dsn)
    place.sql(
        "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
        " SELECT %s, d::uuid, d, 'h', 1, 'u', 'off' FROM unnest(%s::text[]) d",
        DEFAULT_TENANT_ID,
        DEVICES,
    )
    place.project(day(SYSTEM_CLOCK.now_us() - 10 * MINUTE_US))
    return place


def rebuild(place: Place, name: str, *, warnings: int = 0) -> Report:
    told: Report = []
    warned: list[tuple[str, Report]] = []

    def warn(text: str) -> None:
        warned.append((text, [*told]))

    run_async(
        rebuild_projection(place.settings, name, lambda *report: told.append(report), warn), timeout_s=60
    )
    assert warned == [(BLOCKS_STAY, [])] * warnings
    return told


def test_what_was_spoilt_is_made_again(tmp_path: Path, postgres_dsn: str) -> None:
    place = filled(tmp_path, postgres_dsn)
    place.sql("UPDATE telemetry_frame SET counters = '{}'")
    place.sql("DELETE FROM telemetry_frame WHERE seq % 2 = 0")
    assert not place.compare().ok
    told = rebuild(place, "telemetry")
    assert place.compare().ok
    assert told[-1] == ("rebuilding telemetry", 45, 45)


def test_what_was_compacted_is_rebuilt_and_merged(tmp_path: Path, postgres_dsn: str) -> None:
    """The log's frames stand beside the blocks until the next round, which finds each of them in there already."""
    place = filled(tmp_path, postgres_dsn)
    now = SYSTEM_CLOCK.now_us()
    compact(place.dsn, now_us=now, until_us=now + 3_600_000_000)
    before = cold(place.dsn)
    assert sum(map(len, before.values())) == 40
    assert place.compare().tables["telemetry_frame"].compacted == 40
    rebuild(place, "telemetry", warnings=1)
    comparison = place.compare()
    assert (comparison.ok, comparison.tables["telemetry_frame"].compacted) == (True, 0)
    account = compact(place.dsn, now_us=now, until_us=now + 3_600_000_000)
    assert not account.failed
    assert cold(place.dsn) == before
    comparison = place.compare()
    assert (comparison.ok, comparison.tables["telemetry_frame"].compacted) == (True, 40)


def test_blocks_can_be_made_anew_from_the_log_only(tmp_path: Path, postgres_dsn: str) -> None:
    """As the handbook says: where blocks hold what is wrong, what is rebuilt would only come beside it."""
    place = filled(tmp_path, postgres_dsn)
    now = SYSTEM_CLOCK.now_us()
    until_us = now + 3_600_000_000
    compact(place.dsn, now_us=now, until_us=until_us)
    right, rollups = cold(place.dsn), ask(place.dsn, ROLLUPS)
    place.sql("UPDATE telemetry_block SET base = base + 1000")
    rebuild(place, "telemetry", warnings=1)
    compact(place.dsn, now_us=now, until_us=until_us)
    assert any(len(points) > len(right[key]) for key, points in cold(place.dsn).items())
    rebuild(place, "latest")  # blocks have nothing to do with it: no warning
    guide = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
    statements = re.findall(r"^DELETE FROM mtd\.\w+ WHERE \w+ >= '2026-11-25 00:00Z';$", guide, re.MULTILINE)
    assert len(statements) == 5
    yesterday = dt.datetime.fromtimestamp(now // 1_000_000, dt.UTC).date() - dt.timedelta(days=1)
    for statement in statements:
        place.sql(statement.replace("2026-11-25", str(yesterday)))
    rebuild(place, "telemetry")
    compact(place.dsn, now_us=now, until_us=until_us)
    assert cold(place.dsn) == right
    assert ask(place.dsn, ROLLUPS) == rollups
    assert place.compare().ok


@pytest.mark.parametrize("name", ["telemetry", "latest", "events", "tables", "snapshots", "discovery"])
def test_each_projection_can_be_rebuilt(tmp_path: Path, postgres_dsn: str, name: str) -> None:
    place = filled(tmp_path, postgres_dsn)
    rebuild(place, name)
    comparison = place.compare()
    assert comparison.ok, comparison.describe()
    assert comparison.events_behind == 0


def test_what_waits_is_projected_first(tmp_path: Path, postgres_dsn: str) -> None:
    place = filled(tmp_path, postgres_dsn)
    place.append(day(SYSTEM_CLOCK.now_us() - 5 * MINUTE_US))
    told = rebuild(place, "latest")
    assert told[-1] == ("rebuilding latest", 90, 90)
    assert place.compare().ok


def test_a_running_daemon_is_told_and_nothing_changed(tmp_path: Path, postgres_dsn: str) -> None:
    place = filled(tmp_path, postgres_dsn)

    async def main() -> None:
        config = place.settings.event_log.model_copy(update={"path": place.settings.event_log_path})
        daemon = SqliteEventLog(config)
        await daemon.start()
        try:
            with pytest.raises(Misconfigured, match="the daemon is running: stop it"):
                await rebuild_projection(place.settings, "latest", lambda *_: None, lambda _: None)
        finally:
            await daemon.stop()

    run_async(main())
    assert place.compare().ok


def test_an_unknown_projection_is_told_with_those_there_are(tmp_path: Path, postgres_dsn: str) -> None:
    place = filled(tmp_path, postgres_dsn)
    with pytest.raises(
        NotFound,
        match="there are discovery, events, flows, latest, logs, snapshots, sources, tables, telemetry",
    ):
        rebuild(place, "frames")
    assert place.compare().ok


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path, postgres_dsn: str) -> None:
    empty = Place(tmp_path / str(uuid.uuid4()), postgres_dsn)
    with pytest.raises(NotFound):
        rebuild(empty, "latest")
    assert not empty.settings.daemon.data_dir.exists()


def test_the_command(tmp_path: Path, postgres_dsn: str) -> None:
    place = filled(tmp_path, postgres_dsn)
    config = tmp_path / "mtd.toml"
    config.write_text(f'[daemon]\ndata_dir = "{tmp_path}"\n[database]\ndsn = "{postgres_dsn}"\n')

    def mtd(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mtd", "rebuild", *arguments, "-c", str(config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    compact(place.dsn, now_us=SYSTEM_CLOCK.now_us(), until_us=SYSTEM_CLOCK.now_us() + 3_600_000_000)
    done = mtd("telemetry", "--json")
    assert done.returncode == 0, done.stderr
    assert "some hours are blocks already" in done.stderr
    answer = json.loads(done.stdout)
    assert (answer["projection"], answer["first_seq"], answer["last_seq"]) == ("telemetry", 1, 45)
    refused = mtd("frames")
    assert refused.returncode == 1
    assert "there is no projection 'frames'" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert place.compare().ok
