"""A dump: what the process is about at this moment, in a file, when its operator asks for it (SIGUSR1).

It tells of tasks, queues, timers, threads and memory; of code, and never of
values: there is no secret in it that isn't in the name of a device. It is made
in slices and in a thread, and polling goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import platform
import resource
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtd import __version__
from mtd.core.limits import gates
from mtd.core.loop_watch import LoopWatch, stack_of
from mtd.core.metrics import Counter
from mtd.core.queues import queues
from mtd.core.slices import Steps, in_slices

logger = logging.getLogger(__name__)

FOLDER = "dumps"
KEPT = 10
"""So many are kept; the oldest make room."""
_MOST_GROUPS = 300
_NAMES = 5
_MOST_AWAITED = 30

DUMPS = Counter(
    "mtd_app_dumps_total",
    "Dumps that were asked for: written, failed, or not made since one was under way (busy).",
    ["result"],
)


class Dumper:
    """Writes dumps into a folder, one at a time."""

    def __init__(self, data_dir: Path, watch: LoopWatch, about: Mapping[str, object]) -> None:
        self._folder = data_dir / FOLDER
        self._watch = watch
        self._about = about
        self._started = time.monotonic()
        self._task: asyncio.Task[Path | None] | None = None

    def request(self) -> None:
        """Begin a dump, unless one is under way. On the loop; for a signal."""
        if self._task is not None and not self._task.done():
            DUMPS.labels(result="busy").inc()
            logger.info("a dump is under way already")
            return
        self._task = asyncio.get_running_loop().create_task(self.dump(), name="app.dump")

    async def stop(self) -> None:
        """Give up a dump under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def dump(self) -> Path | None:
        """Write a dump; return where it is, None if that failed."""
        try:
            content = await self._content()
            path = await asyncio.to_thread(_write, self._folder, content)
        except Exception:
            # Whoever asks wants to find out what is wrong: that must not make it worse.
            DUMPS.labels(result="failed").inc()
            logger.exception("no dump was written")
            return None
        DUMPS.labels(result="written").inc()
        logger.info("a dump is in %s", path, extra={"path": str(path)})
        return path

    async def _content(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        # A thread of its own: with a thousand routers there are ten thousand of them to be looked through.
        tasks = await asyncio.to_thread(asyncio.all_tasks, loop)
        grouped = await in_slices(_grouped(tasks))
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "mtd": {
                "version": __version__,
                "uptime_s": round(time.monotonic() - self._started, 1),
                **self._about,
            },
            "python": {
                "version": platform.python_version(),
                "loop": f"{type(loop).__module__}.{type(loop).__name__}",
            },
            "tasks": {"count": len(tasks), "groups": grouped},
            "reactor": _reactor(),
            "queues": [_queue(one.name, one.unit, one.policy, one.state()) for one in queues()],
            "gates": [
                {"name": one.name, "limit": one.limit, "in_progress": one.in_progress, "waiting": one.waiting}
                for one in gates()
            ],
            "slow_callbacks": [
                {"time_us": one.at_us, "late_s": one.late_s, "stack": list(one.stack)}
                for one in self._watch.slow
            ],
            **await asyncio.to_thread(_beside_the_loop),
        }


def _grouped(tasks: set[asyncio.Task[Any]]) -> Steps[list[dict[str, Any]]]:
    """Return tasks by where they are, most first: ten thousand of them are at a few dozen places."""
    places: dict[tuple[str, ...], list[str]] = {}
    for task in tasks:
        names = places.setdefault(_awaiting(task), [])
        names.append(task.get_name())
        yield None
    largest = sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {"count": len(names), "names": names[:_NAMES], "stack": list(stack)}
        for stack, names in largest[:_MOST_GROUPS]
    ]


def _awaiting(task: asyncio.Task[Any]) -> tuple[str, ...]:
    """Return where a task is, outermost first: through each coroutine that it awaits, to what isn't one."""
    found: list[str] = []
    awaited: Any = task.get_coro()
    while awaited is not None and len(found) < _MOST_AWAITED:
        frame = (
            getattr(awaited, "cr_frame", None)
            or getattr(awaited, "gi_frame", None)
            or getattr(awaited, "ag_frame", None)
        )
        if frame is None:
            found.append(f"({type(awaited).__name__})")
            break
        found.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}")
        following = getattr(awaited, "cr_await", None)
        awaited = following if following is not None else getattr(awaited, "gi_yieldfrom", None)
    return tuple(found)


def _reactor() -> dict[str, Any]:
    """Return what Twisted has to do: by function, without what it is called with."""
    from twisted.internet import reactor

    calls = Tally(_name_of(call.func) for call in reactor.getDelayedCalls())  # type: ignore[attr-defined]
    return {
        "name": type(reactor).__name__,
        "delayed_calls": dict(calls.most_common(_MOST_GROUPS)),
        "readers": len(reactor.getReaders()),
        "writers": len(reactor.getWriters()),
    }


def _name_of(function: object) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


def _queue(name: str, unit: str, policy: str, state: Any) -> dict[str, Any]:
    return {
        "name": name,
        "unit": unit,
        "policy": policy,
        "depth": state.depth,
        "limit": state.limit,
        "instances": state.instances,
    }


def _beside_the_loop() -> dict[str, Any]:
    """Return what can be found out in a thread."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    frames = sys._current_frames()
    return {
        "threads": [
            {"name": thread.name, "stack": stack_of(frames[thread.ident])}
            for thread in threading.enumerate()
            if thread.ident in frames
        ],
        "garbage": {
            "enabled": gc.isenabled(),
            "thresholds": gc.get_threshold(),
            "counts": gc.get_count(),
            "frozen": gc.get_freeze_count(),
            "generations": gc.get_stats(),
        },
        "memory": {"max_rss_bytes": usage.ru_maxrss * 1024, **_status()},
        "cpu": {"user_s": usage.ru_utime, "system_s": usage.ru_stime},
        "descriptors": {"limit": soft, "hard_limit": hard, "open": _descriptors()},
    }


def _status() -> dict[str, int]:
    """Return what Linux says of our memory."""
    wanted = {
        "VmRSS": "rss_bytes",
        "VmSize": "virtual_bytes",
        "VmSwap": "swapped_bytes",
        "Threads": "threads",
    }
    found: dict[str, int] = {}
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name, _, value = line.partition(":")
        if name in wanted:
            number, _, unit = value.strip().partition(" ")
            found[wanted[name]] = int(number) * (1024 if unit == "kB" else 1)
    return found


def _descriptors() -> dict[str, int]:
    """Return how many descriptors are open, by what they are of: sockets together, files by name."""
    found: Tally[str] = Tally()
    try:
        names = os.listdir("/proc/self/fd")  # noqa: PTH208 - numbers, not paths
    except OSError:
        return {}
    for name in names:
        try:
            target = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115 - may be no path
        except OSError:
            continue  # closed meanwhile
        found[target if target.startswith("/") else target.partition(":")[0]] += 1
    return dict(found.most_common(_MOST_GROUPS))


def _write(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write a dump, at once and whole; for its owner alone. The oldest go."""
    folder.mkdir(mode=0o700, exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = folder / f"dump-{moment}-{os.getpid()}.json"
    temporary = path.with_suffix(".tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            # Indented for people; and json without it would hold the interpreter until all is written.
            json.dump(content, file, indent=1, default=str)
            file.write("\n")
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    for old in sorted(folder.glob("dump-*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path
