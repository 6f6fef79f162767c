"""One connection at work: its client, its streams, and the state of its viewed devices."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from mtd.client import MtdClientError

from . import facts
from .backoff import Backoff
from .bounds import MOST_MESSAGE, text_within
from .events import EventCopy
from .figures import Figures
from .live import LiveStream
from .port import Connection, Store, Viewed
from .proof import UNKNOWN_TENANT, WrongTenant, prove_tenant
from .shown import FULL
from .skew import Skew
from .state import MOST_EVENTS, DeviceState, microseconds
from .worker import Worker

_logger = logging.getLogger(__name__)

DEVICES_EVERY_S = 10.0
INTERFACES_EVERY_S = 30.0
LINES_EVERY_S = 2.0
CLOCK_EVERY_S = 30.0
RECONCILE_EVERY_S = 300.0
RECONCILE_AGAIN_S = 15.0
STATUS_SETTLES_S = 0.5
MOST_CHANGED = 10_000
STEADY_S = 30.0
# Who answers so is there: it is about what was asked. No code: it was Odoo that failed.
_ANSWERS = frozenset({"", "NOT_FOUND", "PERMISSION_DENIED", "UNIMPLEMENTED", "INVALID_ARGUMENT"})
_WAKES = ("devices", "interfaces", "lines", "clock", "status", "push", "lost")
_STATUS_EVENTS = ("device.",)
_INTERFACE_EVENTS = ("interface.",)
# What the models ask through clients of their own, which look first whose tenant it is.
_OF_THE_MODELS = frozenset({"push", "reconcile"})


class Tenant:
    """Follows one connection to mtd until it is stopped. Whatever fails is tried again, with back-off."""

    def __init__(
        self,
        connection: Connection,
        client: Any,
        store: Store,
        odoo: Worker,
        chores: Worker,
        figures: Figures,
    ) -> None:
        self.connection, self.client = connection, client
        self.states: dict[int, DeviceState] = {}
        self.skew = Skew()
        self.last_error = ""
        self._problem = ""
        """What was wrong when the inventories were compared last."""
        self._connected = False
        self._told: dict[str, str] = {}
        self._store, self._odoo, self._chores, self._figures = store, odoo, chores, figures
        self._by_mtd_id: dict[str, DeviceState] = {}
        self._full: frozenset[str] = frozenset()
        self._live = LiveStream(client, figures, on_frame=self._on_frame, on_gone=self._on_gone)
        self._lines = facts.LogTail(client)
        self._changed_status: set[str] = set()
        self._wake = {name: asyncio.Event() for name in _WAKES}
        self._tasks: list[asyncio.Task[None]] = []
        self._filling: set[asyncio.Task[None]] = set()
        self._proven = asyncio.Event()

    # -- life -----------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        events = EventCopy(
            self.connection.id,
            self.connection.event_severity,
            self.client,
            self._store,
            self._odoo,
            self._figures,
            self._on_event,
        )
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "live": self._live.run,
            "events": events.run,
            "devices": lambda: self._every(DEVICES_EVERY_S, "devices", self._refresh_devices),
            "interfaces": lambda: self._every(INTERFACES_EVERY_S, "interfaces", self._refresh_interfaces),
            "lines": lambda: self._every(LINES_EVERY_S, "lines", self._refresh_lines),
            "clock": lambda: self._every(CLOCK_EVERY_S, "clock", self._ask_clock),
            "status": self._follow_status,
            "push": self._push,
            "reconcile": self._reconcile,
        }
        self._tasks = [asyncio.create_task(self._keep(name, run)) for name, run in loops.items()]
        self._tasks.append(asyncio.create_task(self._prove()))

    async def _prove(self) -> None:
        """Let it begin once mtd says that this is the tenant whose devices the company has, and no other.

        While mtd is away it is asked again: nobody else may have a question that would tell that it is back.
        """
        if not self.connection.tenant_id:
            self.last_error = UNKNOWN_TENANT  # the comparison notes it, and then all begins anew
            return
        backoff = Backoff()
        while True:
            self._wake["lost"].clear()
            try:
                await prove_tenant(self.connection, self.client)
            except Exception as error:  # mtd is away, or it is another tenant
                self._failed("tenant", error)
            else:
                self._proven.set()
                self._succeeded()
                await self._wake["lost"].wait()
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    @property
    def is_proven(self) -> bool:
        """Whether it is sure whose tenant this is. Before, nothing is brought from there."""
        return self._proven.is_set()

    async def stop(self) -> None:
        """End all of it, and close the connection."""
        tasks = [*self._tasks, *self._filling]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._figures.clock_is_ahead(self.connection.id, None)
        await self.client.close()

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run it again whenever it fails."""
        if name not in _OF_THE_MODELS:
            await self._proven.wait()
        backoff = Backoff()
        while True:
            started = time.monotonic()
            try:
                await run()
            except Exception as error:  # whatever it is, the other loops go on
                self._failed(name, error)
            if time.monotonic() - started > STEADY_S:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    def _failed(self, name: str, error: Exception) -> None:
        self._figures.failed(name)
        code = error.code if isinstance(error, MtdClientError) else ""
        if self._told.get(name) != str(error):
            _logger.warning(
                "%s, %s: %s",
                self.connection.name,
                name,
                error,
                exc_info=not code and not isinstance(error, WrongTenant),
            )
        self._told[name] = self.last_error = str(error)
        if code not in _ANSWERS:
            self._connected = False
            self._wake["lost"].set()

    def _succeeded(self) -> None:
        self._connected, self.last_error = True, ""

    @property
    def connected(self) -> bool:
        """Whether mtd answers."""
        return self._connected and self._live.error is None

    @property
    def error(self) -> str:
        """What is wrong, in words; empty if nothing is known to be."""
        stream = self.last_error or (str(self._live.error) if self._live.error else "")
        return "\n".join(dict.fromkeys(filter(None, (stream, self._problem))))

    def health(self) -> dict[str, Any]:
        """Return how it stands, for the health file."""
        return {
            "id": self.connection.id,
            "name": self.connection.name,
            "connected": self.connected,
            "viewed_devices": len(self.states),
            "chores_busy_s": round(self._chores.busy_s, 1),
            "clock_ahead_s": None if self.skew.ahead_s is None else round(self.skew.ahead_s, 1),
            "error": self.error,
        }

    # -- who is looked at ---------------------------------------------------------

    def view(self, viewed: Iterable[Viewed]) -> None:
        """Follow these devices, and no others."""
        wanted = {one.device_id: one for one in viewed}
        fresh = [one for one in wanted.values() if not self._follows(one)]
        self.states = {key: state for key, state in self.states.items() if key in wanted}
        for one in fresh:
            self.states[one.device_id] = DeviceState(
                one.device_id, one.mtd_id, one.facts, on_cut=self._figures.was_cut
            )
        self._by_mtd_id = {state.mtd_id: state for state in self.states.values() if state.mtd_id}
        full = frozenset(one.mtd_id for one in wanted.values() if FULL in one.kinds and one.mtd_id)
        if full - self._full:
            self._wake["lines"].set()
        self._full = full
        self._live.want(frozenset(self._by_mtd_id))
        if fresh:
            for name in ("clock", "devices", "interfaces"):
                self._wake[name].set()
            task = asyncio.create_task(self._fill_events([one.device_id for one in fresh]))
            self._filling.add(task)
            task.add_done_callback(self._filling.discard)

    def _follows(self, one: Viewed) -> bool:
        state = self.states.get(one.device_id)
        return state is not None and state.mtd_id == one.mtd_id

    async def _fill_events(self, device_ids: list[int]) -> None:
        for device_id in device_ids:
            try:
                events = await self._odoo.call(self._store.recent_events, device_id, MOST_EVENTS)
            except Exception as error:  # they are shown when they come; those before are in their list
                self._failed("recent_events", error)
                return
            if device_id in self.states:
                self.states[device_id].fill_events(events)

    # -- what comes -----------------------------------------------------------------

    def _on_frame(self, frame: Any) -> None:
        self._figures.frames.inc()
        self._succeeded()
        state = self._by_mtd_id.get(frame.layout.device_id)
        if state is None:
            self._figures.frames_dropped.labels("nobody looks").inc()
            return
        known = state.readings.get(frame.layout.poll_group)
        if known is not None and known.t_us == frame.collected_at_us:
            self._figures.frames_dropped.labels("known").inc()
            return
        if not state.has_room(frame.layout.poll_group):
            self._figures.frames_dropped.labels("too many poll groups").inc()
            return
        is_first = known is None
        if not state.take_frame(frame):
            self._figures.frames_dropped.labels("older").inc()
        elif not is_first:  # the first are as old as they happen to be
            now = time.time() + self.skew.s
            self._figures.frame_age.observe(max(0.0, now - frame.collected_at_us / 1e6))

    def _on_gone(self, mtd_id: str) -> None:
        state = self._by_mtd_id.get(mtd_id)
        if state is not None:
            state.forget_values()

    def _on_event(self, event: Any) -> None:
        self._succeeded()
        state = self._by_mtd_id.get(event.device_id)
        if event.event_type.startswith(_STATUS_EVENTS) and event.device_id:
            if len(self._changed_status) < MOST_CHANGED:
                self._changed_status.add(event.device_id)
            else:  # the next comparison brings them
                self._figures.was_cut("status")
            self._wake["status"].set()
            if state is not None and event.field == "status":
                state.take_status(event.new_value, event.message, microseconds(event.collected_at))
        if state is not None:
            state.take_event(event)
            if event.event_type.startswith(_INTERFACE_EVENTS):
                self._wake["interfaces"].set()

    # -- loops -----------------------------------------------------------------------

    async def _every(
        self, seconds: float, name: str, refresh: Callable[[Mapping[str, DeviceState]], Awaitable[None]]
    ) -> None:
        """Refresh what is shown now and then, and when it is asked for, as long as somebody looks."""
        wake = self._wake[name]
        while True:
            try:
                async with asyncio.timeout(seconds):
                    await wake.wait()
            except TimeoutError:
                pass
            wake.clear()
            if self._by_mtd_id:
                await refresh(dict(self._by_mtd_id))
                self._succeeded()

    async def _refresh_devices(self, states: Mapping[str, DeviceState]) -> None:
        await facts.refresh_devices(self.client, states)
        await facts.refresh_since(self.client, states)

    async def _refresh_interfaces(self, states: Mapping[str, DeviceState]) -> None:
        await facts.refresh_interfaces(self.client, states)

    async def _refresh_lines(self, states: Mapping[str, DeviceState]) -> None:
        await self._lines.refresh({key: state for key, state in states.items() if key in self._full})

    async def _ask_clock(self, states: Mapping[str, DeviceState]) -> None:
        """Ask mtd what time it is. What it told before stands until it tells again."""
        before = self.skew.s
        await self.skew.ask(self.client, list(states))
        self._figures.clock_is_ahead(self.connection.id, self.skew.ahead_s)
        if self.skew.s and not before:
            _logger.warning("%s: mtd's clock is %+.0f s from ours", self.connection.name, self.skew.s)

    async def _follow_status(self) -> None:
        """Tell Odoo of devices whose status changed: those that happen together go together."""
        while True:
            await self._wake["status"].wait()
            await asyncio.sleep(STATUS_SETTLES_S)
            self._wake["status"].clear()
            changed, self._changed_status = self._changed_status, set()
            try:
                devices = await facts.read_devices(self.client, changed)
                if devices:
                    await self._chores.call(self._store.take_facts, self.connection.id, devices)
            except BaseException:
                self._changed_status |= changed
                self._wake["status"].set()
                raise
            for device in devices:
                if device.id in self._by_mtd_id:
                    self._by_mtd_id[device.id].take_device(device)

    def push(self) -> None:
        """Send mtd what could not be sent when it was changed."""
        self._wake["push"].set()

    async def _push(self) -> None:
        while True:
            await self._wake["push"].wait()
            self._wake["push"].clear()
            await self._chores.call(self._store.push_due, self.connection.id)

    async def _reconcile(self) -> None:
        """Compare the inventories: first of all, and now and then."""
        while True:
            found = await self._chores.call(self._store.reconcile, self.connection.id)
            self._take_compared(text_within(found.problem, MOST_MESSAGE))
            await asyncio.sleep(RECONCILE_EVERY_S if found.complete else RECONCILE_AGAIN_S)

    def _take_compared(self, problem: str) -> None:
        """Keep what is wrong with a comparison, and say it when it is news. The models note it, and raise nothing."""
        if problem:
            self._figures.failed("reconcile")
            if problem != self._problem:
                _logger.warning("%s, reconcile: %s", self.connection.name, " ".join(problem.splitlines()))
        self._problem = problem
