"""Power cuts: the daemon, its PostgreSQL, or both are killed under load; nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.kit import Rig, pause, rig, wait_for

ROUTERS = 30
KILLS = 3


@pytest.fixture(scope="module")
def loaded() -> Iterator[Rig]:
    with rig("fleet", "--routers", str(ROUTERS), "--interfaces", "20") as stage:
        stage.add_all()
        yield stage


def postmaster(stage: Rig) -> int:
    return int(str(stage.value("SELECT pg_read_file('postmaster.pid')")).splitlines()[0])


def collected_after(stage: Rig, moment: float) -> int:
    """Return how many routers have live values that are newer than a time of PostgreSQL's clock."""
    return int(
        stage.value(
            "SELECT count(*) FROM latest WHERE poll_group = 't0' AND ts_collected > to_timestamp(%s)", moment
        )
    )


def now(stage: Rig) -> float:
    return float(stage.value("SELECT extract(epoch FROM clock_timestamp())"))


def wait_until_all_are_polled_again(stage: Rig, timeout_s: float = 20) -> None:
    moment = now(stage)
    wait_for(lambda: collected_after(stage, moment) == ROUTERS, "all are polled again", timeout_s)


def test_kill_9_of_the_daemon_loses_and_doubles_nothing(loaded: Rig) -> None:
    dice = random.Random(1)
    acknowledged = 0
    for _ in range(KILLS):
        server = postmaster(loaded)
        seen_by_readers = int(loaded.value("SELECT max(seq) FROM telemetry_frame"))
        assert loaded.daemon is not None
        loaded.daemon.kill()
        # What a reader has seen was acknowledged; so was everything that the log's file holds.
        stats = loaded.mtd("log", "stats", "--json").json()
        assert stats["last_seq"] >= max(seen_by_readers, acknowledged)
        acknowledged = stats["last_seq"]
        assert Path(f"/proc/{server}").exists(), "PostgreSQL outlives the daemon"
        loaded.start_daemon()
        assert postmaster(loaded) == server, "the orphaned PostgreSQL is adopted"
        assert "adopted the running PostgreSQL" in loaded.daemon_log()
        wait_until_all_are_polled_again(loaded)
        report = loaded.verify()
        assert report["log_id"] == stats["log_id"]
        assert report["last_seq"] > acknowledged
        assert report["database"]["tables"]["telemetry_frame"]["found"] > ROUTERS
        pause(dice.uniform(0.2, 1.2))
    # Nobody claims to know how the routers were meanwhile.
    router = loaded.value("SELECT device_id::text FROM device LIMIT 1")
    health = json.loads(loaded.http(f"/console/api/v1/devices/{router}/health"))
    statuses = [one["status"] for one in health["segments"] if one["reason"] != "mtd was not watching"]
    assert len(health["segments"]) - len(statuses) == KILLS
    assert statuses[0] == "unknown"  # before it was polled first
    assert "unknown" not in statuses[1:]
    assert len(statuses) >= 1 + KILLS + 1
    assert loaded.value("SELECT count(*) - count(DISTINCT (log_id, seq)) FROM telemetry_frame") == 0


def test_kill_9_of_a_starting_daemon(loaded: Rig) -> None:
    before = loaded.mtd("log", "stats", "--json").json()["last_seq"]
    assert loaded.daemon is not None
    for delay_s in (0.3, 0.8, 1.3):
        loaded.daemon.kill()
        loaded.daemon.start()
        pause(delay_s)
    loaded.daemon.kill()
    loaded.start_daemon()
    wait_until_all_are_polled_again(loaded)
    assert loaded.verify()["last_seq"] > before


def test_kill_9_of_postgresql(loaded: Rig) -> None:
    server = postmaster(loaded)
    polls = loaded.metric("mtd_scheduler_polls_total")
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: revived(loaded, server), "another PostgreSQL runs", timeout_s=30)
    wait_until_all_are_polled_again(loaded)
    # Polling went on meanwhile: every second of it is there.
    assert loaded.metric("mtd_scheduler_polls_total") > polls
    assert loaded.metric("mtd_ingest_dropped_events_total") == 0
    gaps = loaded.value(
        "SELECT count(*) FROM (SELECT ts_collected - lag(ts_collected) OVER (PARTITION BY device_id ORDER BY ts_collected)"
        " AS gap FROM telemetry_frame WHERE layout_id IN (SELECT layout_id FROM series_layout WHERE poll_group = 't0')"
        " AND ts_collected > clock_timestamp() - interval '6 seconds') AS f WHERE gap > interval '2.5 seconds'"
    )
    assert gaps == 0
    loaded.verify()


def revived(stage: Rig, old: int) -> bool:
    try:
        return postmaster(stage) != old
    except (OSError, psycopg.Error):
        return False  # it doesn't listen yet


def test_kill_9_of_both(loaded: Rig) -> None:
    server = postmaster(loaded)
    assert loaded.daemon is not None
    loaded.daemon.kill()
    os.kill(server, signal.SIGKILL)
    loaded.start_daemon()
    assert postmaster(loaded) != server
    wait_until_all_are_polled_again(loaded)
    loaded.verify()


def test_a_row_that_is_missing_or_doubled_is_found(loaded: Rig) -> None:
    """The verdict of the other tests is worth something."""
    frame = "(SELECT log_id, seq FROM telemetry_frame ORDER BY seq DESC OFFSET 50 LIMIT 1)"
    columns = "SELECT * FROM telemetry_frame WHERE (log_id, seq) = " + frame
    loaded.sql(f"CREATE TABLE spare AS {columns}")
    loaded.sql("INSERT INTO telemetry_frame SELECT * FROM spare")
    report = loaded.mtd("log", "verify", "--database", "--json", code=1).json()
    assert report["database"]["tables"]["telemetry_frame"]["doubled"] == 1
    loaded.sql("DELETE FROM telemetry_frame WHERE (log_id, seq) = (SELECT log_id, seq FROM spare)")
    report = loaded.mtd("log", "verify", "--database", "--json", code=1).json()
    table = report["database"]["tables"]["telemetry_frame"]
    assert (table["doubled"], table["missing"], table["unexpected"]) == (0, 1, 0)
    spoken = loaded.mtd("log", "verify", "--database", code=1)
    assert "is missing" in spoken.out
    loaded.sql("INSERT INTO telemetry_frame SELECT * FROM spare")
    loaded.verify()


def test_sigterm_under_load_loses_nothing_and_what_is_damaged_is_rebuilt(loaded: Rig) -> None:
    wait_for(lambda: loaded.value("SELECT count(*) FROM telemetry_frame") > 110, "frames are there", 60)
    damaged = loaded.sql(
        "DELETE FROM telemetry_frame WHERE seq IN (SELECT seq FROM telemetry_frame ORDER BY seq DESC OFFSET 60 LIMIT 40)"
        " RETURNING seq"
    )
    assert len(damaged) == 40
    assert loaded.daemon is not None
    assert loaded.daemon.stop() < 5
    assert loaded.daemon.popen is not None
    assert loaded.daemon.popen.returncode == 0
    # With the daemon away, the commands start PostgreSQL for themselves and stop it again.
    report = loaded.mtd("log", "verify", "--database", "--json", code=1).json()["database"]
    assert report["tables"]["telemetry_frame"]["missing"] == 40
    assert report["events_behind"] == 0
    for projection in ("telemetry", "latest"):
        rebuilt = loaded.mtd("rebuild", projection, "--json", timeout_s=60).json()
        assert rebuilt["last_seq"] == loaded.mtd("log", "stats", "--json").json()["last_seq"]
    report = loaded.verify()["database"]
    assert report["latest_checked"] >= ROUTERS
    assert loaded.mtd("migrate", "--json").json() == {"applied": []}
    assert not list((loaded.data_dir / "postgres").glob("data/postmaster.pid"))
