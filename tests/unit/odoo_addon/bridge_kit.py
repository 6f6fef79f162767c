"""The addon's bridge without Odoo: its package, and a store that is this process."""

from __future__ import annotations

import asyncio
import functools
import importlib
import sys
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.internet.defer import Deferred

from mtd.client import AsyncMtdClient
from mtd.core.aio import as_deferred

ADDON = Path(__file__).parents[3] / "odoo_addon" / "mikrotik_monitoring"
_NAME = "mtd_bridge_of_the_addon"
TENANT_ID = "tenant-north"


def part(name: str) -> Any:
    """Return a module of the bridge: the addon around it needs Odoo; the bridge, and what it takes of it, do not."""
    if _NAME not in sys.modules:
        addon = sys.modules[_NAME] = ModuleType(_NAME)
        addon.__path__ = [str(ADDON)]
    return importlib.import_module(f"{_NAME}.bridge.{name}")


port = part("port")


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Deferred[None]]:
    """Run a test as a task of the loop: what it awaits is asyncio's."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> Deferred[None]:
        return as_deferred(test(**fixtures))

    return run


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 15.0) -> Any:
    """Wait for a condition; returns what it gave."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not (found := condition()):
        assert asyncio.get_running_loop().time() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.01)
    return found


# -- Odoo -----------------------------------------------------------------------------


class FakeBus:
    """Odoo's bus: what is published is kept. Its signatures are those of the real one."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, str, Any]] = []

    def _sendmany(self, notifications: Sequence[Sequence[Any]]) -> None:
        for target, notification_type, message in notifications:
            self._sendone(target, notification_type, message)

    def _sendone(self, channel: Any, notification_type: str, message: Any) -> None:
        self.rows.append((channel, notification_type, message))


class FakeStore:
    """Odoo as the bridge knows it. Failures, and a slow database, are switched on by tests."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.bus = FakeBus()
        self.options = dict(options or {})
        self.tenant_id = TENANT_ID
        self.problem = ""
        """Why the inventories can't be compared."""
        self.watched: dict[int, tuple[str, frozenset[str]]] = {}
        self.rows: list[Any] = []
        self.position = 0
        self.fails: set[str] = set()
        self.open = threading.Event()
        self.open.set()
        self.held: dict[str, threading.Event] = {}
        """Calls that last until their event comes, where they are of the connection that is slow."""
        self.slow = 1
        self.of: dict[int, list[str]] = defaultdict(list)
        """The chores of each connection."""
        self.companies = [1] if options else []
        self.jobs: list[Any] = []
        self.cancelled: set[int] = set()
        self.finished: list[Any] = []
        self.calls: list[str] = []
        self.current = True

    def _begin(self, name: str, connection_id: int | None = None) -> None:
        self.calls.append(name)
        if connection_id is not None:
            self.of[connection_id].append(name)
        if name in self.held and connection_id in (None, self.slow):
            self.held[name].wait(30)
        if name in self.fails:
            raise OSError("server closed the connection unexpectedly")

    def connections(self) -> Sequence[Any]:
        self._begin("connections")
        return [
            port.Connection(number, f"Company {number}", dict(self.options), tenant_id=self.tenant_id)
            for number in self.companies
        ]

    def viewed(self) -> Sequence[Any]:
        self._begin("viewed")
        return [port.Viewed(number, 1, mtd_id, kinds) for number, (mtd_id, kinds) in self.watched.items()]

    def publish(self, messages: Sequence[Any], progress: Sequence[Any] = ()) -> None:
        self._begin("publish")
        self.open.wait(30)
        self.bus._sendmany([((one.device_id, one.kind), "live", one.payload) for one in messages])
        self.bus._sendmany([((one.id, "output"), "run", one.payload()) for one in progress])

    def heartbeat(self, connection_ids: Sequence[int]) -> None:
        self._begin("heartbeat")

    def event_position(self, connection_id: int) -> int:
        self._begin("event_position")
        return self.position

    def take_events(self, connection_id: int, events: Sequence[Any], behind: int) -> int:
        self._begin("take_events")
        if behind != self.position:
            raise part("port").PositionMoved
        fresh = [event for event in events if event.position > self.position]
        self.rows += fresh
        self.position = max([self.position, *(event.position for event in fresh)])
        return len(fresh)

    def recent_events(self, device_id: int, limit: int) -> Sequence[tuple[dict[str, Any], bool]]:
        self._begin("recent_events")
        return []

    def take_facts(self, connection_id: int, devices: Sequence[Any]) -> None:
        self._begin("take_facts", connection_id)

    def waiting(self) -> Sequence[int]:
        self._begin("waiting")
        return self.companies

    def push_due(self, connection_id: int) -> None:
        self._begin("push_due", connection_id)

    def reconcile(self, connection_id: int) -> Any:
        self._begin("reconcile", connection_id)
        return port.Compared(not self.problem, self.problem)

    def claim_jobs(self, limit: int) -> Sequence[Any]:
        self._begin("claim_jobs")
        taken, self.jobs = self.jobs[:limit], self.jobs[limit:]
        return taken

    def cancelled_jobs(self, job_ids: Sequence[int]) -> Sequence[int]:
        self._begin("cancelled_jobs")
        return [number for number in job_ids if number in self.cancelled]

    def finish_job(self, progress: Any) -> None:
        self._begin("finish_job")
        self.finished.append(progress)

    def fail_orphans(self) -> int:
        self._begin("fail_orphans")
        return 0

    def purge(self) -> int:
        self._begin("purge")
        return 0

    def refresh(self) -> bool:
        self._begin("refresh")
        return self.current


def let_go(store: FakeStore) -> None:
    """End all calls that a store holds."""
    for event in (store.open, *store.held.values()):
        event.set()


class FakeLock:
    """A lock that a test gives and takes."""

    def __init__(self, on_change: Callable[[bool, str], None], on_notify: Callable[[str], None]) -> None:
        self.change, self.notify = on_change, on_notify
        self.stopped = False

    def start(self) -> None:
        self.change(True, "")

    def stop(self) -> None:
        self.stopped = True


class Running:
    """A bridge at work."""

    def __init__(self, bridge: Any, store: FakeStore, locks: list[FakeLock]) -> None:
        self.bridge, self.store, self._locks = bridge, store, locks

    @property
    def lock(self) -> FakeLock:
        return self._locks[0]

    def watch(self, devices: Mapping[int, tuple[str, Sequence[str]]]) -> None:
        """These are looked at from now on."""
        self.store.watched = {
            number: (mtd_id, frozenset(kinds)) for number, (mtd_id, kinds) in devices.items()
        }
        self.lock.notify("mikrotik_viewing")

    def sent(self, device_id: int, kind: str = "plain") -> list[Any]:
        """Return what was sent to viewers of a device."""
        return [payload for target, _, payload in self.store.bus.rows if target == (device_id, kind)]

    def figure(self, name: str, **labels: str) -> float:
        return float(self.bridge.figures.value(name, **labels))


@asynccontextmanager
async def bridge(store: FakeStore, *, interval_s: float = 0.05, **options: Any) -> AsyncIterator[Running]:
    """Give a bridge at work, with ticks that come sooner than once a second."""
    locks: list[FakeLock] = []

    def make_lock(**callbacks: Any) -> FakeLock:
        locks.append(FakeLock(**callbacks))
        return locks[-1]

    with looking_often():
        made = part("service").Bridge(
            store,
            make_lock,
            make_client=lambda given: AsyncMtdClient(**given),
            interval_s=interval_s,
            **options,
        )
        task = asyncio.create_task(made.run())
        try:
            await until(lambda: locks, "the bridge began")
            yield Running(made, store, locks)
        finally:
            made.stop()
            let_go(store)
            await asyncio.wait_for(task, 10)


@contextmanager
def looking_often() -> Iterator[None]:
    """Let the bridge look more often for what changed in Odoo, and tell sooner that mtd is away."""
    quick = {
        ("session", "CONNECTIONS_EVERY_S"): 0.05,
        ("session", "REFRESH_EVERY_S"): 0.05,
        ("session", "PUSH_EVERY_S"): 0.05,
        ("tenant", "RECONCILE_AGAIN_S"): 0.05,
        ("live", "GIVE_UP_AFTER_S"): 0.2,
        ("events", "GIVE_UP_AFTER_S"): 0.2,
        ("backoff", "CAP_S"): 0.5,
    }
    before = {(module, name): getattr(part(module), name) for module, name in quick}
    for (module, name), value in quick.items():
        setattr(part(module), name, value)
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(part(module), name, value)
