"""A round that kills its process, or PostgreSQL, at a step: ``python dying.py STEP [POSTMASTER]``.

Reads the DSN and the time from standard input. Without the process id of a PostgreSQL it is its own
process that dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mtd.compaction.days
import mtd.compaction.dense
import mtd.compaction.hours
import mtd.compaction.store
import mtd.compaction.unit
import mtd.storage.cold.partitions
from mtd.compaction.rounds import Rounds
from mtd.storage.config import StorageConfig

store = mtd.compaction.store
partitions = mtd.storage.cold.partitions.ColdPartitions
STEPS: dict[str, tuple[Any, str]] = {
    # Of a unit, in its order.
    "prepared": (store.UnitStore, "prepare"),
    "frames read": (store.UnitStore, "frames"),
    "stored hour read": (store.UnitStore, "hour"),
    "encoded": (mtd.compaction.unit, "encode_series"),
    "verified": (mtd.compaction.unit, "check_slice"),
    "axis written": (store, "write_axes"),
    "axis replaced": (store, "replace_axes"),
    "blocks deleted": (store, "delete_blocks"),
    "blocks written": (store, "write_blocks"),
    "rollups written": (store, "replace_rollups"),
    "rollups replaced": (store, "replace_rollups"),
    "later hour computed": (mtd.compaction.unit, "recompute_following"),
    "frames deleted": (store.UnitStore, "delete_frames"),
    "committed": (mtd.compaction.unit.UnitCompactor, "compact"),
    # After the units.
    "detached": (mtd.compaction.hours, "detach_frames"),
    "put back": (partitions, "finish_retiring"),
    "day rows deleted": (mtd.compaction.days, "delete_rollups"),
    "day rows written": (mtd.compaction.days, "write_rollups"),
    "recoded": (mtd.compaction.dense, "replace_blocks"),
    "recoded day settled": (mtd.compaction.dense, "settle_recoded"),
}


def main(step: str, postmaster: int | None) -> None:
    """Do a round and die at its step."""
    place, name = STEPS[step]
    setattr(place, name, dying(postmaster, getattr(place, name)))
    dsn, now_us, dense_after_days = sys.stdin.read().split("|")

    class Now:
        def now_us(self) -> int:
            return int(now_us)

        def monotonic(self) -> float:
            return int(now_us) / 1e6

    settings = StorageConfig()
    with Rounds(dsn, settings, lambda _: None, threading.Event(), patient=False, clock=Now()) as rounds:
        rounds.recoder._after_days = int(dense_after_days)
        rounds.run()


def dying(postmaster: int | None, work: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does its work and then kills."""

    def last(*args: Any, **named: Any) -> Any:
        result = work(*args, **named)
        for victim in [os.getpid()] if postmaster is None else [postmaster, *children(postmaster)]:
            with contextlib.suppress(ProcessLookupError):  # PostgreSQL's helpers come and go
                os.kill(victim, signal.SIGKILL)
        return result

    return last


def children(pid: int) -> list[int]:
    """Return a process's children, among them the round's own server process.

    That one would otherwise see the postmaster's end only when it has nothing to do, and may finish the round.
    """
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else None)
