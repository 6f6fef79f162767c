"""The stages of the benches: fill, ingest, compact, each measured with what the server took beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.backfill.fill import Filled, Filling, fill
from mtd.backfill.fleet import DevicePlan
from mtd.testing.harness import HarnessFailed
from mtd.testing.telemetry.ingest import to_json
from mtd.testing.telemetry.server import Server, connect, wal_position

Say = Callable[[str], None]

_TIMEOUT_S = 3600.0
RETENTION_DAYS = 400


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage did and took. ``cpu_s`` is of our process, ``server_cpu_s`` of all of PostgreSQL."""

    points: int
    seconds: float
    cpu_s: float
    server_cpu_s: float
    wal_bytes: int
    told: dict[str, Any]

    @property
    def points_per_s(self) -> float:
        """Points in a second of the clock."""
        return self.points / self.seconds if self.seconds else 0.0

    @property
    def points_per_cpu_s(self) -> float:
        """Points in a second of processor time, ours and PostgreSQL's together."""
        used = self.cpu_s + self.server_cpu_s
        return self.points / used if used else 0.0


def ingest(
    server: Server,
    database: str,
    log: Path,
    devices: Sequence[DevicePlan],
    *,
    first_hour: int,
    first_frame_hour: int,
    hours: int,
    seed: int,
) -> Stage:
    """Project frames of hours from an event log, through the real projections."""
    wanted = {
        "dsn": server.dsn(database),
        "log": str(log),
        "devices": [to_json(plan) for plan in devices],
        "first_hour": first_hour,
        "first_frame_hour": first_frame_hour,
        "hours": hours,
        "seed": seed,
        "retention_days": RETENTION_DAYS,
    }
    # The server's part is asked for by the child, from where the projecting begins to where it ends.
    told = child("mtd.testing.telemetry.ingest", {**wanted, "server_pid": server.postgres.pid})
    for left in log.parent.glob(f"{log.name}*"):
        left.unlink()
    return Stage(
        told["points"], told["seconds"], told["cpu_s"], told["server_cpu_s"], told["wal_bytes"], told
    )


def compact(server: Server, database: str) -> Stage:
    """Compact all closed hours, by the real compaction."""
    dsn = server.dsn(database)
    with connect(dsn) as connection:
        # What the ingest left to the background is not the compaction's.
        connection.execute("CHECKPOINT")
        wal, cpu = wal_position(connection), server.cpu_s()
        told = child("mtd.testing.telemetry.compact", {"dsn": dsn})
        stage = Stage(
            told["points"],
            told["seconds"],
            told["cpu_s"],
            server.cpu_s() - cpu,
            wal_position(connection) - wal,
            told,
        )
    if told["failed"]:
        raise HarnessFailed(f"the compaction failed: {told['failed']}")
    return stage


def backfill(server: Server, database: str, filling: Filling, say: Say) -> Filled:
    """Write history straight as blocks and rollups."""
    last = [0.0]

    def progress(done: int, due: int) -> None:
        if time.monotonic() - last[0] > 1:
            last[0] = time.monotonic()
            say(f"{database}: {done / 1e6:.0f} of {due / 1e6:.0f} M points")

    return fill(server.dsn(database), filling, progress)


def child(module: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Run a module as a process; it reads JSON and prints some. Raises HarnessFailed."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", module],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise HarnessFailed(f"{module} failed:\n{done.stderr[-3000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
