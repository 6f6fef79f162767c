"""All ways to a device as one source: the best that is open serves, and a better one is tried meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.service import TaskGroup
from mtd.model.device import Outcome, TlsMode, Way
from mtd.model.ways import Standing as Stands
from mtd.model.ways import WayState
from mtd.sources import way_metrics as metrics
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import IDeviceSource
from mtd.sources.path import NO_TRAFFIC, Path, combined
from mtd.sources.retries import Retries
from mtd.sources.standing import Fall, Standing

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from mtd.core.clock import Clock
    from mtd.model.command import Command, Reply
    from mtd.model.device import Device
    from mtd.sources.interfaces import ISource

MakeWay = Callable[["Device"], "ISource"]

# Of a session that was open. Others (a command that hung, a reply too large) say nothing of the way.
_CLOSED = frozenset(
    {Outcome.BUSY, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.LOGIN_FAILED, Outcome.TLS_FAILED}
)
_UNUSED = {
    Way.API: "not built in",
    Way.REST: "no port is set, and the router hasn't told of one",
    Way.SNMP: "no settings of SNMP",
}


@implementer(IDeviceSource)
class WaysSource:
    """The ways that a device's settings allow, each made by ``make``; see `IDeviceSource`.

    Attempts to open a better way while another serves go through ``gate``.
    """

    def __init__(
        self,
        device: Device,
        make: Mapping[Way, MakeWay],
        *,
        clock: Clock = SYSTEM_CLOCK,
        retries: Retries | None = None,
        gate: AbstractAsyncContextManager[object] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.device = device
        self._make = make
        self._clock = clock
        self._retries = retries or Retries()
        self._gate = gate or contextlib.nullcontext()
        self._rng = rng or random.Random()  # noqa: S311 - spreads load
        self._paths: dict[Way, Path] = {}
        self._serving: Path | None = None
        self._failure: SessionFailed | None = None
        self._carried = NO_TRAFFIC
        self._moving = asyncio.Lock()
        self._tasks = TaskGroup("ways")
        self._retrying: asyncio.Task[None] | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._told_rest = ""
        self._standing: Standing | None = None
        self._prepare()

    # -- what it is now --------------------------------------------------------

    @property
    def way(self) -> Way:
        """The way that serves, or the best one if none does."""
        return self._serving.way if self._serving is not None else self._best

    @property
    def connected(self) -> bool:
        """Whether commands can be run."""
        return self._serving is not None and self._serving.source.connected

    @property
    def outcome(self) -> SessionFailed | None:
        """The last failure of all ways together; None if one serves."""
        return None if self.connected else self._failure

    @property
    def traffic(self) -> tuple[int, int, int]:
        """Commands sent, bytes sent and bytes received, of all ways since the session began."""
        commands, sent, received = self._carried
        for path in self._paths.values():
            if path.live:
                more = path.source.traffic
                commands, sent, received = commands + more[0], sent + more[1], received + more[2]
        return commands, sent, received

    @property
    def standing(self) -> Standing:
        """What serves, and why nothing better does; the same object until that changes."""
        if self._standing is None:
            self._standing = self._stand()
        return self._standing

    def _changed(self) -> None:
        self._standing = None

    def _stand(self) -> Standing:
        serving, fall = self._serving, None
        better = self._better()
        if better and better[0].failure is not None:
            fall = Fall(better[0].way, better[0].failure.outcome, better[0].failure.reason)
        states = tuple(replace(self._state(way), told=self._told(way)) for way in self.device.ways)
        return Standing(self._best, None if serving is None else serving.way, states, fall)

    def _state(self, way: Way) -> WayState:
        path = self._paths.get(way)
        if path is None:
            return WayState(way, Stands.UNUSED, self._why_unused(way))
        if path is self._serving:
            return WayState(way, Stands.SERVES, path.place)
        if path.failure is not None:
            return WayState(way, Stands.CLOSED, f"{path.failure.outcome}: {path.failure.reason}")
        return WayState(way, Stands.STANDBY, path.place)

    def _told(self, way: Way) -> str:
        return self._told_rest if way is Way.REST else ""

    def _why_unused(self, way: Way) -> str:
        if way is not Way.REST or not self._told_rest:
            return _UNUSED[way]
        return f"no port is set, and the router tells: {self._told_rest}"

    # -- a session -------------------------------------------------------------

    async def connect(self) -> None:
        """Open the best way that opens; see `ISource.connect`."""
        await self.close()
        self._prepare()  # the router may have told of another port while the way was in use
        self._carried = NO_TRAFFIC
        failures: dict[Way, SessionFailed] = {}
        for path in sorted(self._order(), key=lambda path: path.doubtful):
            try:
                await self._open(path)
            except SessionFailed as failure:
                failures[path.way] = failure
                if failure.outcome is Outcome.NAME_NOT_FOUND:
                    break  # all ways lead to the same host
            else:
                return
        self._failure = combined({way: failures[way] for way in self.device.ways if way in failures})
        raise self._failure

    async def run(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        """Run commands over the way that serves; over the next one if it turns out to be closed."""
        path = self._serving or await self._current()
        try:
            replies = await self._run_on(path, commands, timeout_s)
        except SessionFailed as failure:
            path = await self._next_after(path, failure)
            replies = await self._run_on(path, commands, timeout_s)
        for reply in replies:  # this is each poll of each device: nothing else is done for it
            if reply.trap is not None and reply.trap.not_served:
                return await self._helped(path, replies, timeout_s)
        return replies

    async def close(self) -> None:
        """Close all ways, within bounded time."""
        await self._tasks.stop()
        self._retrying, self._serving = None, None
        self._changed()
        await asyncio.gather(*(self._settle(path) for path in self._paths.values()))

    def learn(self, told: str) -> None:
        """Take where the router says that REST is; see `IDeviceSource.learn`."""
        if told != self._told_rest:
            self._told_rest = told
            self._prepare()
            self._changed()
            self._retry_better()

    # -- which ways there are ----------------------------------------------------

    def _prepare(self) -> None:
        """Make the ways that the settings and the router's word give; those that are there stay."""
        for way in self.device.ways:
            device = device_for(self.device, way, self._told_rest)
            if device is None or way not in self._make:
                continue
            path = self._paths.get(way)
            if path is None or (path.source.device != device and not path.live):
                self._paths[way] = Path(self._make[way](device), self._retries, self._rng, self._changed)

    def _order(self) -> list[Path]:
        return [self._paths[way] for way in self.device.ways if way in self._paths]

    @property
    def _best(self) -> Way:
        order = self._order()
        return order[0].way if order else self.device.ways[0]

    # -- from one way to another ---------------------------------------------------

    async def _open(self, path: Path) -> None:
        """Open a way, unless it is, and let it serve. Raises SessionFailed."""
        if not path.source.connected:
            await self._connect(path)
        self._serves(path)

    async def _connect(self, path: Path) -> None:
        """Open a way. What the session before it carried still counts. Raises SessionFailed."""
        await self._settle(path)
        await path.connect(self._clock)

    def _serves(self, path: Path) -> None:
        before, self._serving = self._serving, path
        self._changed()
        metrics.SERVES.labels(way=path.way).inc()
        if before is not None and before is not path:
            self._tasks.spawn("retire", self._retire(before))
        self._retry_better()

    async def _retire(self, path: Path) -> None:
        """Close a way that isn't needed, once its last run has ended."""
        while not path.idle.is_set():  # it may be in use again before we are woken
            await path.idle.wait()
        if path is not self._serving:
            await self._settle(path)

    async def _settle(self, path: Path) -> None:
        if path.live:
            path.live = False
            (commands, sent, received), more = self._carried, path.source.traffic
            self._carried = (commands + more[0], sent + more[1], received + more[2])
        await path.source.close()

    async def _run_on(self, path: Path, commands: Sequence[Command], timeout_s: float | None) -> list[Reply]:
        path.begin_run()
        try:
            replies = await path.source.run(commands, timeout_s)
        except SessionFailed as failure:
            path.broke(failure, self._clock.monotonic())
            raise
        finally:
            path.end_run()
        if path.has_failed_before:
            path.proved(self._clock.monotonic())
        return replies

    async def _current(self) -> Path:
        """Return the way that serves; while one is looked for, wait. Raises SessionFailed."""
        if self._serving is None and self._moving.locked():
            async with self._moving:
                pass
        if self._serving is not None:
            return self._serving
        if self._failure is not None:
            raise SessionFailed(self._failure.outcome, self._failure.reason)
        raise SessionFailed(
            Outcome.UNREACHABLE, f"{self.device.name} is not connected: connect before running commands"
        )

    async def _next_after(self, lost: Path, failure: SessionFailed) -> Path:
        """Return the way that serves now that one was lost. Raises the failure if there is none."""
        async with self._moving:
            if self._serving is not None and self._serving is not lost:
                return self._serving  # another run was here before, or a better way has opened
            if self._serving is None or not (failure.outcome in _CLOSED or lost.doubtful):
                raise failure
            self._serving = None
            self._changed()
            await self._settle(lost)
            worse = self.device.ways[self.device.ways.index(lost.way) + 1 :]
            for path in [path for path in self._order() if path.way in worse]:
                with contextlib.suppress(SessionFailed):
                    await self._open(path)
                    return path
            self._failure = failure
            raise failure

    # -- back to a better way --------------------------------------------------------

    def _retry_better(self) -> None:
        if self._serving is None or (self._retrying is not None and not self._retrying.done()):
            return
        if self._better():
            self._retrying = self._tasks.spawn("retry", self._retry())

    def _better(self) -> list[Path]:
        order = self._order()
        return order[: order.index(self._serving)] if self._serving in order else []

    async def _retry(self) -> None:
        """Try the better ways, each when its time has come, until the best serves."""
        while self._better():
            self._prepare()
            path = min(self._better(), key=lambda path: path.retry_at)
            await asyncio.sleep(max(0.0, path.retry_at - self._clock.monotonic()))
            if self._serving is None:
                return
            if path is not self._paths[path.way]:
                continue  # the router told of another port meanwhile
            metrics.RETRIES.labels(way=path.way).inc()
            with contextlib.suppress(SessionFailed):  # the path has taken note
                async with self._gate:
                    await self._connect(path)
                async with self._moving:
                    if path in self._better():
                        self._serves(path)
                    elif path is not self._paths[path.way]:
                        await self._settle(path)  # told of another port while it was opened

    # -- what the way that serves has no words for ------------------------------------

    async def _helped(self, path: Path, replies: list[Reply], timeout_s: float | None) -> list[Reply]:
        """Ask the next ways for what was not served; what none serves stays so."""
        order = self._order()
        for helper in order[order.index(path) + 1 :] if path in order else ():
            places = [
                n for n, reply in enumerate(replies) if reply.trap is not None and reply.trap.not_served
            ]
            if not places:
                break
            with contextlib.suppress(SessionFailed):  # its values are absent, and it is tried again later
                more = await self._ask_helper(helper, [replies[n].command for n in places], timeout_s)
                for place, reply in zip(places, more, strict=True):
                    replies[place] = reply
        return replies

    async def _ask_helper(
        self, helper: Path, commands: Sequence[Command], timeout_s: float | None
    ) -> list[Reply]:
        if helper.failure is not None:
            if self._clock.monotonic() >= helper.retry_at and (
                self._reopening is None or self._reopening.done()
            ):
                self._reopening = self._tasks.spawn("reopen", self._reopen(helper))
            raise SessionFailed(helper.failure.outcome, helper.failure.reason)
        if not helper.source.connected:
            await self._open_helper(helper)
        return await self._run_on(helper, commands, timeout_s)

    async def _open_helper(self, helper: Path) -> None:
        async with self._moving:
            if not helper.source.connected:
                await self._connect(helper)

    async def _reopen(self, helper: Path) -> None:
        """Open a helper that was closed; no poll waits for it, as it may take seconds to find out that it still is."""
        with contextlib.suppress(SessionFailed):  # the path has taken note
            await self._open_helper(helper)


def device_for(device: Device, way: Way, told_rest: str) -> Device | None:
    """Return the device as a way is to reach it; None if nothing says how."""
    if way is Way.SNMP:
        return device if device.snmp is not None else None
    if way is Way.API or device.rest.port:
        return device
    port = told_port(told_rest, device.rest.tls_mode)
    return replace(device, rest=replace(device.rest, port=port)) if port else None


def told_port(detail: str, mode: TlsMode) -> int:
    """Return REST's port as a probe found it ("www:80 www-ssl:443"), for a TLS mode; 0 if there is none."""
    wanted = "www" if mode is TlsMode.OFF else "www-ssl"
    for word in detail.split():
        name, colon, port = word.partition(":")
        if name == wanted and colon and port.isdigit() and 0 < int(port) <= 65535:
            return int(port)
    return 0
