"""The daemon as a service: under twistd, its signals, its HTTP door."""

from __future__ import annotations

import json
import re
import signal
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.testing.harness import Process
from tests.e2e.kit import Rig, folder, pause, rig, run, wait_for

TWISTD = str(Path(sys.executable).with_name("twistd"))


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    with rig("fleet", "--routers", "3", "--interfaces", "5") as stage:
        stage.add_all()
        yield stage


def test_healthz_readyz_metrics(running: Rig) -> None:
    assert running.http("/healthz") == "ok\n"
    ready = json.loads(running.http("/readyz"))
    assert ready["ready"] is True
    assert len(ready["checks"]) >= 3
    assert not ready["reasons"]
    text = running.http("/metrics")
    for name in (
        "mtd_scheduler_polls_total",
        "mtd_ingest_",
        "mtd_eventlog_",
        "mtd_projection",
        "mtd_api_grpc_",
    ):
        assert name in text, name
    before = running.metric("mtd_scheduler_polls_total")
    wait_for(lambda: running.metric("mtd_scheduler_polls_total") > before, "polls are counted")
    assert re.search(r'mtd_scheduler_devices\{status="up"\} 3.0', running.http("/metrics"))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        running.http("/nothing")


def polls_in(stage: Rig, seconds: float) -> float:
    """Return T0 frames stored per router and second, over some seconds."""
    pause(seconds)
    frames = stage.value(
        "SELECT count(*) FROM telemetry_frame f JOIN series_layout s USING (tenant_id, layout_id)"
        " WHERE s.poll_group = 't0' AND ts_collected > clock_timestamp() - make_interval(secs => %s)",
        seconds,
    )
    return float(frames) / len(stage.routers) / seconds


def test_sighup_takes_new_intervals_without_a_restart(running: Rig) -> None:
    pid, sequence = running.pid, running.value("SELECT max(seq) FROM telemetry_frame")
    assert 0.6 < polls_in(running, 3) < 1.5
    original = running.config_path.read_text()
    running.config_path.write_text(original + "\n[scheduler.intervals_s]\nt0 = 0.25\n")
    running.daemon.popen.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    wait_for(lambda: "configuration reloaded; changed: scheduler" in running.daemon_log(), "the reload")
    pause(1.5)
    assert polls_in(running, 2) > 2.5
    # A configuration that can't be used changes nothing, and is told in full.
    running.config_path.write_text(original + '\n[scheduler.intervals_s]\nt0 = "soon"\nt7 = 1\n')
    running.daemon.popen.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    wait_for(lambda: "reload refused" in running.daemon_log(), "the refusal")
    assert "scheduler.intervals_s.t0" in running.daemon_log()
    assert "scheduler.intervals_s.t7" in running.daemon_log()
    assert polls_in(running, 2) > 2.5
    # What needs a restart is said to need one.
    running.config_path.write_text(original + "\n[projections]\nbatch_events = 100\n")
    running.daemon.popen.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    wait_for(
        lambda: "changes of projections take effect at the next start" in running.daemon_log(), "the hint"
    )
    pause(2)
    assert polls_in(running, 3) < 1.5
    assert (running.pid, running.is_ready()) == (pid, True)
    assert running.value("SELECT max(seq) FROM telemetry_frame") > sequence
    running.config_path.write_text(original)
    running.verify()


def test_sigterm_drains_within_five_seconds(running: Rig) -> None:
    polled = running.metric('mtd_scheduler_polls_total{tier="t0"}')
    assert running.daemon is not None
    assert running.daemon.stop() < 5
    assert running.daemon.popen is not None
    assert running.daemon.popen.returncode == 0
    assert "Traceback" not in running.daemon_log()
    stats = running.mtd("log", "stats", "--json").json()
    report = running.verify()
    assert report["last_seq"] == stats["last_seq"]
    # What was polled is in the log, and what is in the log is in PostgreSQL.
    assert report["events_by_kind"]["frame"] >= polled
    assert report["database"]["events_behind"] == 0
    running.start_daemon()
    running.wait_until_polled(*running.routers)


@pytest.mark.parametrize("reactor", [(), ("--reactor=asyncio",)], ids=["default", "asyncio"])
def test_twistd_runs_it(running: Rig, reactor: tuple[str, ...]) -> None:
    with folder() as path:
        other = Rig(path)
        other.lab_state_path.write_text(running.lab_state_path.read_text())
        other.routers = running.routers
        other.write_config()
        command = [
            sys.executable,
            TWISTD,
            "-n",
            *reactor,
            "--pidfile=",
            "mtd",
            "--config",
            str(other.config_path),
        ]
        daemon = other.daemon = Process("daemon", command, path / "daemon.log", {"PWD": str(path)})
        daemon.start()
        try:
            wait_for(lambda: daemon.check() or other.is_ready(), "ready under twistd", 30)
            other.add_all()
        finally:
            took = daemon.stop()
        assert took < 5
        assert daemon.popen is not None
        # twistd ends itself by the signal that it was sent, once all is stopped.
        assert daemon.popen.returncode in (0, -signal.SIGTERM), daemon.tail()
        log = other.daemon_log()
        assert "Traceback" not in log
        # Each line once, in the log of twistd, with its level.
        assert log.count("mtd is ready") == 1
        assert "[mtd.app.daemon#info] mtd is ready" in log
        assert other.verify()["events_by_kind"]["frame"] >= len(other.routers)


def test_twistd_on_another_reactor_fails_loudly() -> None:
    with folder() as path:
        other = Rig(path)
        other.write_config()
        arguments = ("-n", "--reactor=epoll", "--pidfile=", "mtd", "--config", str(other.config_path))
        answer = run(TWISTD, *arguments, code=1)
        assert "asyncio" in answer.out + answer.err
        assert "--reactor=asyncio" in answer.out + answer.err
        assert not other.data_dir.exists()


def test_twistd_says_what_is_wrong_with_the_configuration() -> None:
    with folder() as path:
        config = path / "mtd.toml"
        config.write_text("[grpc]\nport = 0.5\n[http]\nport = -1\n")
        answer = run(TWISTD, "-n", "--pidfile=", "mtd", "--config", str(config), code=1)
        assert f"{config}:2: grpc.port" in answer.err
        assert f"{config}:4: http.port" in answer.err
