"""``scripts/bench watch``: many consoles open at once, what they get and what they cost."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import websockets

from mtd.client import MtdClient
from mtd.testing.end_to_end import Plan, accounts, wait_for_first_polls, wait_until_live
from mtd.testing.harness import HarnessFailed, Stage

_OPENED_AT_ONCE = 20
_WARM_UP_S = 5.0


@dataclass(slots=True)
class Viewer:
    """One console: what it received since ``begin``. Times of devices are by the daemon's clock."""

    messages: int = 0
    received_bytes: int = 0
    updates: int = 0
    ages_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    last_at: dict[str, float] = field(default_factory=lambda: defaultdict(lambda: float("nan")))
    problem: str = ""

    def begin(self) -> None:
        """Forget what came so far, but for when."""
        self.messages = self.received_bytes = self.updates = 0
        self.ages_s, self.gaps_s = [], []

    def take(self, text: str) -> None:
        """Count a message."""
        now, now_us = time.monotonic(), time.time_ns() / 1000
        self.messages += 1
        self.received_bytes += len(text)
        message = json.loads(text)
        if message["type"] in ("error", "bye"):
            self.problem = text
        if message["type"] != "values":
            return
        for device_id, values in message["devices"].items():
            self.updates += 1
            self.ages_s.append((now_us - values["t_us"]) / 1e6)
            self.gaps_s.append(now - self.last_at[device_id])
            self.last_at[device_id] = now


async def _watch(url: str, view: str, viewer: Viewer, open_gate: asyncio.Semaphore) -> None:
    async with open_gate:
        connection = await websockets.connect(url, max_size=None)
        await connection.send(view)
    try:
        async for message in connection:
            viewer.take(message if isinstance(message, str) else message.decode())
    finally:
        await connection.close()


async def _watch_all(
    stage: Stage,
    device_ids: Sequence[str],
    viewers: Sequence[Viewer],
    seconds: float,
    begin: Callable[[], None],
) -> float:
    """Open all consoles, let them run in, measure; return how long it was measured."""
    url = f"ws://127.0.0.1:{stage.http_port}/console/live"
    view = json.dumps(
        {"op": "view", "devices": list(device_ids), "detail": None, "rank": False, "events": "view"}
    )
    gate = asyncio.Semaphore(_OPENED_AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_watch(url, view, viewer, gate)) for viewer in viewers]
        await asyncio.sleep(_WARM_UP_S + len(viewers) / 100)
        for viewer in viewers:
            viewer.begin()
        begin()
        started = time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - started
        for task in running:
            if task.done():
                task.result()
                raise HarnessFailed("the daemon closed a console's connection")
            task.cancel()
    return took


def measure_watching(stage: Stage, plan: Plan, viewers: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Watch a running stage with so many consoles, each with every device in view; return the figures."""
    with MtdClient(stage.server) as client:
        device_ids = [device.id for device in client.list_devices()]
    wait_for_first_polls(stage, len(device_ids), say)
    wait_until_live(stage, say)
    say("measuring what polling alone costs")
    alone_before, alone_started = accounts(stage), time.monotonic()
    time.sleep(min(plan.seconds, 15.0))  # noqa: TID251 - a script's own wait, no reactor here
    alone_after, alone_s = accounts(stage), time.monotonic() - alone_started
    say(f"measuring with {viewers} consoles open, {plan.seconds:.0f} s")
    consoles = [Viewer() for _ in range(viewers)]
    before: dict[str, Any] = {}
    took = asyncio.run(
        _watch_all(stage, device_ids, consoles, plan.seconds, lambda: before.update(accounts(stage)))
    )
    after = accounts(stage)
    problems = [console.problem for console in consoles if console.problem]
    if problems:
        raise HarnessFailed(f"{len(problems)} consoles were refused: {problems[0]}")
    due = viewers * len(device_ids) * took
    return {
        "viewers": viewers,
        "devices": len(device_ids),
        "seconds": round(took, 1),
        "updates": sum(console.updates for console in consoles),
        "updates_per_viewer_device_s": round(sum(console.updates for console in consoles) / due, 3),
        "messages_per_viewer_s": round(sum(console.messages for console in consoles) / viewers / took, 2),
        "bytes_per_viewer_s": round(sum(console.received_bytes for console in consoles) / viewers / took),
        **_spread("age_at_browser", [age for console in consoles for age in console.ages_s]),
        "gap_min_s": round(float(np.nanmin([gap for console in consoles for gap in console.gaps_s])), 3),
        "daemon_cpu_alone_pct": _cpu_pct(alone_before, alone_after, alone_s),
        "daemon_cpu_pct": _cpu_pct(before, after, took),
        "daemon_rss_alone_mb": round(alone_after["daemon"].rss_bytes / 1e6, 1),
        "daemon_rss_mb": round(after["daemon"].rss_bytes / 1e6, 1),
        "skipped": int(stage.metric("mtd_console_updates_skipped_total")),
    }


def _cpu_pct(before: dict[str, Any], after: dict[str, Any], seconds: float) -> float:
    used_s: float = after["daemon"].cpu_s - before["daemon"].cpu_s
    return round(100 * used_s / seconds, 1)


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {
        f"{name}_p50_s": round(float(p50), 3),
        f"{name}_p95_s": round(float(p95), 3),
        f"{name}_p99_s": round(float(p99), 3),
        f"{name}_max_s": round(max(values), 3),
    }
