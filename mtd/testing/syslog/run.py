"""Lines from many routers into PostgreSQL: how many a second, at what cost, and what is lost; and rsyslog beside it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mtd.testing.end_to_end import postmaster_pid
from mtd.testing.harness import HarnessFailed, Stage, free_port, usage_of
from mtd.testing.syslog.lines import address_of, name_of
from mtd.testing.syslog.peer import Peer, running_peer

Say = Callable[[str], None]

_LOOK_S = 0.25
# So long nothing may come any more before it is asked whether that is all.
_SETTLED_S = 2.0
_STUCK_S = 60.0
_FEW_EVENTS = 20
_QUEUES = ("waiting", "handed_over")
_WORKER = b"mtd.listeners.syslog.worker"
_LOSSES = {
    "kernel": "mtd_listeners_kernel_dropped_total",
    "inbox_full": 'mtd_listeners_dropped_total{listener="syslog",reason="queue_full"}',
    "worker_died": 'mtd_listeners_dropped_total{listener="syslog",reason="worker_died"}',
    "too_fast": 'mtd_listeners_dropped_total{listener="syslog",reason="too_fast"}',
    "not_recorded": 'mtd_listeners_dropped_total{listener="syslog",reason="not_recorded"}',
    "unknown_sender": 'mtd_listeners_dropped_total{listener="syslog",reason="unknown_sender"}',
    "given_up_before_the_log": "mtd_ingest_dropped_lines_total",
}


@dataclass(frozen=True, slots=True)
class SyslogPlan:
    """What to run: a steady phase, and a burst after it. Rates are lines a second of all senders together."""

    rate: float = 10_000.0
    seconds: float = 20.0
    senders: int = 50
    burst_rate: float = 100_000.0
    burst_seconds: float = 10.0
    rsyslog: bool = True
    profile: bool = False
    workers: int = 0


@contextlib.contextmanager
def running_daemon(folder: Path, plan: SyslogPlan, say: Say) -> Iterator[Stage]:
    """Run the daemon with PostgreSQL, and have it know the senders."""
    port = free_port()
    settings = {
        # What one router may send is no matter here.
        "syslog": {
            "enabled": True,
            "host": "127.0.0.1",
            "udp_port": port,
            "lines_per_s": 1e6,
            "workers": plan.workers,
        },
    }
    with Stage(folder, settings=settings) as stage:
        say("starting the daemon with its own PostgreSQL")
        stage.start_daemon(arguments=_profiled(stage, folder) if plan.profile else None)
        say(f"adding {plan.senders} routers to the inventory")
        devices = [
            {
                "name": name_of(sender),
                "host": address_of(sender),
                "port": 9,  # they only send
                "username": "u",
                "password": "p",
                "client_tls": "off",
            }
            for sender in range(plan.senders)
        ]
        stage.add_devices(devices)
        _wait_until_known(stage, port, plan)
        yield stage


def _profiled(stage: Stage, folder: Path) -> list[str]:
    report = str(folder / "profile.json")
    return ["-m", "mtd.testing.syslog.sampled", report, "run", "--config", str(stage.config_path)]


def udp_port(stage: Stage) -> int:
    """Return the port that the daemon listens on."""
    (line,) = [one for one in stage.config_path.read_text().splitlines() if one.startswith("udp_port")]
    return int(line.rpartition("=")[2])


def _wait_until_known(stage: Stage, port: int, plan: SyslogPlan) -> None:
    deadline = time.monotonic() + 60
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        while True:
            _send(port, plan.senders, 1.0, plan.senders)
            row = connection.execute("SELECT count(DISTINCT device_id) FROM mtd.log_record").fetchone()
            if row is not None and row[0] == plan.senders:
                _wait_until_stored(stage, connection, time.monotonic())
                return
            if time.monotonic() > deadline:
                raise HarnessFailed(f"lines of {row and row[0]} of {plan.senders} routers are stored")


def measure_syslog(folder: Path, plan: SyslogPlan, say: Say) -> dict[str, Any]:
    """Run all phases and return the figures."""
    figures: dict[str, Any] = {"senders": plan.senders, "workers": plan.workers}
    if plan.rsyslog:
        with running_peer(folder / "rsyslog") as peer:
            figures["rsyslog"] = {"version": peer.version}
            for name, rate, seconds in _phases(plan):
                say(f"rsyslog: {name}, {rate:,.0f} lines a second for {seconds:g} s")
                figures["rsyslog"][name] = _peer_phase(peer, plan, rate, seconds)
    with running_daemon(folder, plan, say) as stage:
        figures["mtd"] = {}
        for name, rate, seconds in _phases(plan):
            say(f"mtd: {name}, {rate:,.0f} lines a second for {seconds:g} s")
            _look(stage, plan)
            figures["mtd"][name] = _phase(stage, plan, rate, seconds)
            _look(stage, plan)
    if plan.profile:
        figures["profile"] = json.loads((folder / "profile.json").read_text())
    figures["machine"] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }
    return figures


def _look(stage: Stage, plan: SyslogPlan) -> None:
    """Begin or end to sample the daemon's stack."""
    if plan.profile and stage.daemon is not None:
        os.kill(stage.daemon.pid, signal.SIGWINCH)


def judge(figures: Mapping[str, Any]) -> list[str]:
    """Return what isn't as it has to be: a line that is neither stored nor counted, or one of the steady phase lost."""
    problems = []
    for name, phase in figures["mtd"].items():
        if phase["unaccounted"]:
            problems.append(f"{name}: {phase['unaccounted']} lines are neither stored nor counted")
    lost = sum(figures["mtd"]["steady"]["lost"].values())
    if lost:
        problems.append(f"steady: {lost} lines were lost: the rate is too high for this machine")
    return problems


def _phases(plan: SyslogPlan) -> list[tuple[str, float, float]]:
    phases = [("steady", plan.rate, plan.seconds)]
    if plan.burst_seconds:
        phases.append(("burst", plan.burst_rate, plan.burst_seconds))
    return phases


# -- mtd ------------------------------------------------------------------------------


def _phase(stage: Stage, plan: SyslogPlan, rate: float, seconds: float) -> dict[str, Any]:
    assert stage.daemon is not None
    postmaster, daemon = postmaster_pid(stage), stage.daemon.pid
    with psycopg.connect(stage.dsn(), autocommit=True) as connection:
        stored_before, lost_before = _count(connection), _losses(stage)
        workers = _workers_of(daemon)
        cpu = _cpu_of(daemon, postmaster, workers)
        waited = _waited_s(daemon)
        began = time.monotonic()
        told = _send(udp_port(stage), rate, seconds, plan.senders)
        sent_s = time.monotonic() - began
        arrived_s = _wait_until_stored(stage, connection, began)
        used = [now - then for now, then in zip(_cpu_of(daemon, postmaster, workers), cpu, strict=True)]
        waited = _waited_s(daemon) - waited
        stored = _count(connection) - stored_before
    lost = {
        name: int(now - lost_before[name]) for name, now in _losses(stage).items() if now > lost_before[name]
    }
    return {
        **_sent(told),
        "stored": stored,
        "lost": lost,
        "unaccounted": told["sent"] - stored - sum(lost.values()),
        "stored_per_s": round(stored / arrived_s),
        "drain_s": round(max(0.0, arrived_s - sent_s), 2),
        "cpu_s": {
            "daemon": round(used[0], 2),
            "workers": round(used[2], 2),
            "postgresql": round(used[1], 2),
            "sender": told["cpu_s"],
        },
        "daemon_waited_for_cpu_s": round(waited, 2),
        "lines_per_cpu_s": {
            "daemon": round(stored / used[0]),
            "postgresql": round(stored / used[1]),
            "all": round(stored / sum(used)),
        },
        "memory_mb": round(usage_of(daemon, without=[postmaster]).rss_bytes / 1e6),
    }


def _cpu_of(daemon: int, postmaster: int, workers: Sequence[int]) -> tuple[float, float, float]:
    """Return processor seconds so far: the daemon's, PostgreSQL's and the workers'."""
    own = usage_of(daemon, without=[postmaster, *workers]).cpu_s
    return own, usage_of(postmaster).cpu_s, sum(usage_of(pid).cpu_s for pid in workers)


def _workers_of(daemon: int) -> list[int]:
    """Return the processes that receive for a daemon."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended while we looked
            command = (entry / "cmdline").read_bytes().split(b"\0")
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == daemon and _WORKER in command:
                found.append(int(entry.name))
    return found


def _sent(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sent": told["sent"],
        "sent_per_s": round(told["sent"] / told["seconds"]),
        "bytes_of_a_line": told["bytes"],
    }


def _wait_until_stored(stage: Stage, connection: psycopg.Connection, began: float) -> float:
    """Wait until nothing is on its way; return when the last line was stored, in seconds since the beginning."""
    assert stage.daemon is not None
    newest, newest_at = None, time.monotonic()
    while time.monotonic() - newest_at < _SETTLED_S or not _is_idle(stage):
        stage.daemon.check()
        if time.monotonic() - newest_at > _STUCK_S:
            raise HarnessFailed(f"lines are on their way, and none was stored for {_STUCK_S} s")
        now = connection.execute(
            "SELECT ts FROM mtd.log_record ORDER BY tenant_id, ts DESC LIMIT 1"
        ).fetchone()
        if now != newest:
            newest, newest_at = now, time.monotonic()
        time.sleep(_LOOK_S)  # noqa: TID251 - a script's own wait, no reactor here
    return newest_at - began


def _is_idle(stage: Stage) -> bool:
    """Return whether no line waits, neither before the log nor behind it, but for what is recorded all the time."""
    page = stage.http("/metrics").splitlines()
    waiting = sum(_sum(page, f'mtd_core_queue_depth{{queue="listeners.{name}"}}') for name in _QUEUES)
    behind = _sum(page, 'mtd_projections_lag_events{projection="logs"}')
    return waiting == 0 and behind < _FEW_EVENTS


def _count(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM mtd.log_record").fetchone()
    return int(row[0]) if row else 0


def _waited_s(pid: int) -> float:
    """Return how long the main thread of a process could have gone on and had no processor: others had them."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def _losses(stage: Stage) -> dict[str, float]:
    page = stage.http("/metrics").splitlines()
    return {name: _sum(page, metric) for name, metric in _LOSSES.items()}


def _sum(page: Sequence[str], metric: str) -> float:
    return sum(float(line.rpartition(" ")[2]) for line in page if line.startswith(metric))


def _send(port: int, rate: float, seconds: float, senders: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "mtd.testing.syslog.sender", *map(str, (port, rate, seconds, senders))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 10 + 60, check=False)  # noqa: S603
    if done.returncode:
        raise HarnessFailed(f"the sender failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


# -- rsyslog --------------------------------------------------------------------------


def _peer_phase(peer: Peer, plan: SyslogPlan, rate: float, seconds: float) -> dict[str, Any]:
    stored_before, cpu, began = peer.stored(), peer.cpu_s(), time.monotonic()
    told = _send(peer.port, rate, seconds, plan.senders)
    sent_s = time.monotonic() - began
    size, written_at = -1, time.monotonic()
    while time.monotonic() - written_at < _SETTLED_S:
        peer.process.check()
        if (now := peer.size()) != size:
            size, written_at = now, time.monotonic()
        time.sleep(_LOOK_S)  # noqa: TID251
    used, stored = peer.cpu_s() - cpu, peer.stored() - stored_before
    return {
        **_sent(told),
        "stored": stored,
        "lost": told["sent"] - stored,
        "stored_per_s": round(stored / (written_at - began)),
        "drain_s": round(max(0.0, written_at - began - sent_s), 2),
        "cpu_s": {"rsyslog": round(used, 2), "sender": told["cpu_s"]},
        "lines_per_cpu_s": round(stored / used) if used else None,
    }
