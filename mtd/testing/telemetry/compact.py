"""A round of the real compaction, as a process of its own.

``python -m mtd.testing.telemetry.compact`` reads ``{"dsn": ...}`` on standard
input and prints what it did as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from typing import Any

from mtd.compaction.messages import Message, UnitDone, UnitFailed
from mtd.compaction.rounds import Rounds
from mtd.storage.config import StorageConfig


def compact(dsn: str) -> dict[str, Any]:
    """Compact all hours that have ended; return units, points, seconds and the process's CPU time."""
    messages: list[Message] = []
    settings = StorageConfig.model_validate({"retention": {"raw_days": 3650}})
    started = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF)
    with Rounds(dsn, settings, messages.append, threading.Event(), patient=False) as rounds:
        rounds.run()
    after = resource.getrusage(resource.RUSAGE_SELF)
    units = [message for message in messages if isinstance(message, UnitDone)]
    failed = [message.reason for message in messages if isinstance(message, UnitFailed)]
    return {
        "units": len(units),
        "failed": failed[:3],
        "frames": sum(unit.frames for unit in units),
        "points": sum(unit.points for unit in units),
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(compact(json.load(sys.stdin)["dsn"])) + "\n")
