"""What sources over sessions have in common: one device, one session at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from zope.interface import implementer

from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.interfaces import ISource

if TYPE_CHECKING:
    from mtd.core.metrics import Counter, Gauge
    from mtd.model.command import Command, Reply
    from mtd.model.device import Device, Way


class Session(Protocol):
    """A session that was opened. Its failure stays once it is set."""

    @property
    def failure(self) -> SessionFailed | None:
        """How it failed, if it did."""

    @property
    def commands(self) -> int:
        """Commands sent."""

    @property
    def sent_bytes(self) -> int:
        """Bytes sent."""

    @property
    def received_bytes(self) -> int:
        """Bytes received."""

    async def run(self, commands: Sequence[Command], timeout_s: float) -> list[Reply]:
        """Run commands; see `ISource.run`."""

    async def close(self) -> None:
        """End it, within bounded time."""


S = TypeVar("S", bound=Session)


@implementer(ISource)
class SessionSource(Generic[S]):
    """A session with one router. Connects when told; see `ISource`."""

    way: Way
    sessions: Gauge
    connects: Counter
    failures: Counter

    def __init__(self, device: Device) -> None:
        self.device = device
        self._failure: SessionFailed | None = None
        self._session: S | None = None
        self._spent = (0, 0, 0)

    async def open(self) -> S:
        """Open a session. Raises SessionFailed, with nothing left open."""
        raise NotImplementedError

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

    @property
    def traffic(self) -> tuple[int, int, int]:
        """Commands sent, bytes sent and bytes received in this session, or the last one."""
        session = self._session
        if session is None:
            return self._spent
        return session.commands, session.sent_bytes, session.received_bytes

    async def connect(self) -> None:
        """Open a session in place of the present one; see `ISource.connect`."""
        await self._drop()
        self._spent = (0, 0, 0)
        self.connects.inc()
        try:
            self._session = await self.open()
        except SessionFailed as failure:
            self._note(failure)
            raise
        self._failure = None
        self.sessions.inc()

    async def run(self, commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        """Run commands; see `ISource.run`."""
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
        self._spent = self.traffic
        session, self._session = self._session, None
        if session is not None:
            self.sessions.dec()
            await session.close()

    def _note(self, failure: SessionFailed) -> None:
        self._failure = failure
        self.failures.labels(outcome=failure.outcome).inc()
