"""What a router is set to, read as somebody else than who polls: in a session of its own, which ends when it is idle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.service import TaskGroup
from mtd.model.command import NO_LOGIN, Reply, Rows, Trap
from mtd.model.device import Way
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import IDeviceSource

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.command import Command
    from mtd.model.device import Device
    from mtd.sources.interfaces import ISource
    from mtd.sources.standing import Standing
    from mtd.sources.ways import MakeWay

# The documents of a tier are asked for a few at a time, one batch soon after the other.
_IDLE_S = 10.0
# A login that was refused is tried again so much later: routers lock users out, and log each attempt.
_RETRY_S = 60.0


def with_config_login(source: IDeviceSource, makers: Mapping[Way, MakeWay]) -> IDeviceSource:
    """Return a source that reads documents with the login that the device has for them, if it has one."""
    device: Device = source.device
    if device.config_login is None or Way.API not in device.ways:
        return source
    login = device.config_login
    own = replace(device, username=login.username, password=login.password, config_login=None)
    return ConfigLoginSource(source, makers[Way.API](own), problem=login.problem)


@implementer(IDeviceSource)
class ConfigLoginSource:
    """A source whose commands that read nothing but documents go through another session; see `IDeviceSource`.

    If that can't be opened, those commands are refused with the reason, and all others are run as ever. With a
    ``problem`` it isn't tried.
    """

    def __init__(
        self,
        source: IDeviceSource,
        config: ISource,
        *,
        problem: str = "",
        idle_s: float = _IDLE_S,
        retry_s: float = _RETRY_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._retry_s = retry_s
        self._failed = ""
        self._try_at = 0.0
        self._problem = problem
        self._source = source
        self._config = config
        self._idle_s = idle_s
        self._clock = clock
        self._turn = asyncio.Lock()  # one opens it, whoever comes meanwhile uses it
        self._tasks = TaskGroup("config_login")
        self._closing: asyncio.Task[None] | None = None
        self._carried = (0, 0, 0)

    @property
    def device(self) -> Device:
        """The device."""
        device: Device = self._source.device
        return device

    @property
    def way(self) -> Way:
        """The way that serves."""
        way: Way = self._source.way
        return way

    @property
    def outcome(self) -> SessionFailed | None:
        """The last failure of what polls."""
        outcome: SessionFailed | None = self._source.outcome
        return outcome

    @property
    def connected(self) -> bool:
        """Whether commands can be run."""
        return bool(self._source.connected)

    @property
    def traffic(self) -> tuple[int, int, int]:
        """Commands sent, bytes sent and bytes received, of both sessions."""
        parts = (
            self._source.traffic,
            self._carried,
            self._config.traffic if self._config.connected else (0, 0, 0),
        )
        commands, sent, received = (sum(part[place] for part in parts) for place in range(3))
        return commands, sent, received

    @property
    def standing(self) -> Standing:
        """What serves, and why nothing better does."""
        standing: Standing = self._source.standing
        return standing

    def learn(self, told: str) -> None:
        """Take where the router says that REST is."""
        self._source.learn(told)

    async def connect(self) -> None:
        """Open the session that polls. The other is opened when it is needed."""
        self._carried = (0, 0, 0)
        await self._end()
        await self._source.connect()

    async def close(self) -> None:
        """Close both sessions."""
        await self._tasks.stop()
        await self._end()
        await self._source.close()

    async def run(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        """Run commands, documents as somebody else; see `ISource.run`."""
        others = [command for command in commands if not command.document]
        replies = await self._source.run(others, timeout_s) if others else []
        if len(others) == len(commands):
            return list(replies)
        documents = [command for command in commands if command.document]
        found = iter(replies)
        if self._problem:
            read = iter([self._refused(command, self._problem) for command in documents])
        else:
            read = iter(await self._read(documents, timeout_s))
        return [next(read) if command.document else next(found) for command in commands]

    async def _read(self, commands: Sequence[Command], timeout_s: float | None) -> list[Reply]:
        async with self._turn:
            if self._closing is not None:
                self._closing.cancel()
            if self._failed and self._clock.monotonic() < self._try_at:
                return [self._refused(command, self._failed) for command in commands]
            try:
                if not self._config.connected:
                    await self._config.connect()
                self._failed = ""
                return list(await self._config.run(commands, timeout_s))
            except SessionFailed as failure:
                self._failed, self._try_at = failure.reason, self._clock.monotonic() + self._retry_s
                await self._end()
                return [self._refused(command, failure.reason) for command in commands]
            finally:
                self._closing = self._tasks.spawn("idle", self._end_when_idle())

    def _refused(self, command: Command, reason: str) -> Reply:
        trap = Trap(f"as {self._config.device.username!r}, who reads the configuration: {reason}", NO_LOGIN)
        return Reply(
            command, Rows(), self._clock.monotonic(), self._clock.now_us(), 0.0, trap=trap, way=Way.API
        )

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._idle_s)
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        if self._config.connected:
            more = self._config.traffic
            commands, sent, received = (self._carried[place] + more[place] for place in range(3))
            self._carried = commands, sent, received
        await self._config.close()
