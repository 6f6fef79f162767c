"""The RouterOS API as a source: one device, one session at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import ISource
from mtd.sources.routeros_api import metrics
from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.routeros_api.opening import Steps, Tools, open_session, shared_patterns

if TYPE_CHECKING:
    from mtd.codec.routeros import PatternCache
    from mtd.core.clock import Clock
    from mtd.model.command import Command, Reply
    from mtd.model.device import Device
    from mtd.sources.routeros_api.session import ApiSession


@implementer(ISource)
class RouterOsApiSource:
    """A session with one router. Connects when told; see `ISource`."""

    def __init__(
        self,
        device: Device,
        *,
        clock: Clock = SYSTEM_CLOCK,
        config: RouterOsApiConfig | None = None,
        patterns: PatternCache | None = None,
        reactor: Any = None,
    ) -> None:
        self.device = device
        self._failure: SessionFailed | None = None
        self._session: ApiSession | None = None
        self._tools = Tools(
            clock,
            config or RouterOsApiConfig(),
            patterns if patterns is not None else shared_patterns(),
            reactor if reactor is not None else default_reactor(),
        )

    @property
    def connected(self) -> bool:
        """Whether commands can be run."""
        return self._session is not None and self._session.failure is None

    @property
    def outcome(self) -> SessionFailed | None:
        """The last failure, of connecting or of the session since; None if all is well."""
        if self._session is not None and self._session.failure is not None:
            return self._session.failure
        return self._failure

    async def connect(self) -> None:
        """Resolve, connect, secure and log in; see `ISource.connect`."""
        await self._drop()
        metrics.CONNECTS.inc()
        try:
            self._session = await open_session(self.device, self._tools, Steps(self._tools.clock))
        except SessionFailed as failure:
            self._note(failure)
            raise
        self._failure = None
        metrics.SESSIONS.inc()

    async def run(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        """Run commands, all under way at once; see `ISource.run`."""
        session = self._session
        if session is None:
            if self._failure is not None:
                raise SessionFailed(self._failure.outcome, self._failure.reason)
            raise SessionFailed(
                Outcome.UNREACHABLE, f"{self.device.name} is not connected: connect before running commands"
            )
        try:
            return await session.run(
                commands, self.device.command_timeout_s if timeout_s is None else timeout_s
            )
        except SessionFailed as failure:
            if self._session is session:
                self._note(failure)
                await self._drop()
            raise

    async def close(self) -> None:
        """Close the session, within bounded time."""
        await self._drop()

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            metrics.SESSIONS.dec()
            await session.close()

    def _note(self, failure: SessionFailed) -> None:
        self._failure = failure
        metrics.FAILURES.labels(outcome=failure.outcome).inc()


def default_reactor() -> Any:
    """Return the process's reactor. Imported late: importing it installs one."""
    from twisted.internet import reactor

    return reactor
