"""The bench: servers, PostgreSQL, and hubs as processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.backfill.fleet import DevicePlan, plan_device
from mtd.testing.harness import HarnessFailed
from mtd.testing.nats import NatsServers, running_servers
from mtd.testing.telemetry.ingest import to_json
from mtd.testing.telemetry.server import Server, add_devices, connect, machine, running_server

Say = Callable[[str], None]

_QUOTA_BYTES = 16 * 1024**3


@dataclass(frozen=True, slots=True)
class JetStreamPlan:
    """``frames`` of each log, of ``routers`` x ``interfaces``; ``batch`` frames are appended at a time, ``together`` at once."""

    frames: int = 50_000
    routers: int = 20
    interfaces: int = 30
    batch: int = 100
    together: int = 16
    hubs: int = 3
    seed: int = 1

    def devices(self, hub: int) -> list[DevicePlan]:
        """Return the routers of one hub."""
        return [
            plan_device(f"hub{hub}-{number:02}", self.interfaces) for number in range(1, self.routers + 1)
        ]


class Hub:
    """One process."""

    def __init__(
        self, servers: NatsServers, plan: JetStreamPlan, number: int, name: str, place: Path, dsn: str
    ) -> None:
        self._name = name
        wanted = {
            "event_log": {
                "path": str(place / name / "events.db"),
                "max_bytes": _QUOTA_BYTES,
                "tail_bytes": 0,
                "jetstream": servers.settings(),
            },
            "name": name,
            "devices": [to_json(device) for device in plan.devices(number)],
            "first_hour": int(time.time() // 3600) - 2,
            "frames": plan.frames,
            "batch": plan.batch,
            "together": plan.together,
            "seed": plan.seed,
            "dsn": dsn,
        }
        self._log = (place / f"{name}.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mtd.testing.jetstream.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._tell(json.dumps(wanted))

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise HarnessFailed(
                f"{self._name} ended: {Path(self._log.name).read_text(errors='replace')[-2000:]}"
            )
        found: dict[str, Any] = json.loads(line)
        return found

    def go(self) -> None:
        """Let it project."""
        self._tell("go")

    def end(self) -> None:
        """Wait until it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def measure_jetstream(place: Path, plan: JetStreamPlan, say: Say) -> dict[str, Any]:
    """Measure appending on one server and on three, and hubs in parallel; return the figures."""
    figures: dict[str, Any] = {}
    for nodes in (1, 3):
        with running_servers(nodes, folder=place / f"nats-{nodes}") as servers:
            say(f"appending, {nodes} server{'s' if nodes > 1 else ''}")
            figures[f"append_{nodes}_node{'s' if nodes > 1 else ''}"] = _appended(servers, plan, place, nodes)
    with running_servers(1, folder=place / "nats-hubs") as servers, running_server(place) as postgres:
        hubs = {}
        for count in range(1, plan.hubs + 1):
            say(f"{count} hub{'s' if count > 1 else ''} in parallel, one PostgreSQL")
            hubs[str(count)] = _hubs(servers, postgres, plan, place, count)
    figures["hubs_in_parallel"] = hubs
    one = hubs["1"]["frames_s"]
    figures["hubs_speedup"] = round(max(found["frames_s"] for found in hubs.values()) / one, 2)
    figures["machine"] = machine()
    return figures


def _appended(servers: NatsServers, plan: JetStreamPlan, place: Path, nodes: int) -> dict[str, Any]:
    hub = Hub(servers, plan, 1, f"append{nodes}", place, "")
    try:
        found = hub.answer()
    finally:
        hub.end()
    seconds = found["seconds"]
    return {
        "events_s": round(found["events"] / seconds),
        "batches_s": round(found["batches"] / seconds),
        "mb_s": round(found["bytes"] / seconds / 1e6, 2),
        "event_bytes": round(found["bytes"] / found["events"]),
        "append_p50_ms": round(found["append_p50_s"] * 1000, 1),
        "append_p99_ms": round(found["append_p99_s"] * 1000, 1),
        "cpu_us_per_event": round(found["cpu_s"] / found["events"] * 1e6, 1),
        "seconds": round(seconds, 2),
    }


def _hubs(
    servers: NatsServers, postgres: Server, plan: JetStreamPlan, place: Path, count: int
) -> dict[str, Any]:
    """Fill the logs of hubs, then let all of them project into one database at once."""
    dsn = postgres.dsn(f"hubs{count}")
    with connect(dsn) as connection:
        for number in range(1, count + 1):
            add_devices(connection, plan.devices(number))
    hubs = [
        Hub(servers, plan, number, f"of{count}-hub{number}", place, dsn) for number in range(1, count + 1)
    ]
    try:
        for hub in hubs:
            hub.answer()  # it has appended
            hub.answer()  # and can begin
        cpu, started = postgres.cpu_s(), time.perf_counter()
        for hub in hubs:
            hub.go()
        found = [hub.answer() for hub in hubs]
        seconds, used = time.perf_counter() - started, postgres.cpu_s() - cpu
    finally:
        for hub in hubs:
            hub.end()
    with connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT (log_id, seq)) FROM mtd.telemetry_frame"
        ).fetchone()
    assert row is not None
    frames, distinct = int(row[0]), int(row[1])
    return _judged(count * plan.frames, frames, distinct) | {
        "frames_s": round(frames / seconds),
        "seconds": round(seconds, 2),
        "postgresql_cpu_s": round(used, 2),
        "hub_cpu_s": round(sum(one["cpu_s"] for one in found), 2),
    }


def _judged(expected: int, frames: int, distinct: int) -> dict[str, int]:
    if frames != expected or distinct != frames:
        raise HarnessFailed(f"{expected} frames were appended, {frames} are stored, {distinct} of them once")
    return {"frames": frames}
