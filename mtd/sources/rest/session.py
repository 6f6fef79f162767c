"""A session: a few connections to one router, and what its answers mean."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from mtd.codec.rest import NotRows, Request, RowReader, TooMuch, request_of, trap_of
from mtd.model.command import CANCELLED_TIMED_OUT, CANCELLED_TOO_LARGE, Command, Reply, Rows, Trap
from mtd.model.device import Outcome, Way
from mtd.sources.errors import SessionFailed
from mtd.sources.replies import not_served
from mtd.sources.rest import metrics
from mtd.sources.rest.connection import Damaged, Dropped, HttpConnection, Traffic
from mtd.sources.tcp.services import REST
from mtd.sources.tcp.strangers import explain

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device
    from mtd.sources.rest.config import RestConfig
    from mtd.sources.rest.connection import Answer

# A command that hung makes the next ones of its run wait less: the router may be silent altogether.
_SHORT_LEASH = 0.25
# All commands of a run, in time-outs of one.
_LONGEST_RUN = 6.0


class RestSession:
    """Runs commands on connections that it opens as it needs them.

    Once it failed it stays failed: ``failure`` tells how, and whoever runs
    commands is told the same.
    """

    def __init__(
        self,
        device: Device,
        dial: Callable[[], Awaitable[HttpConnection]],
        clock: Clock,
        settings: RestConfig,
        traffic: Traffic,
    ) -> None:
        self.failure: SessionFailed | None = None
        self._device = device
        self._dial = dial
        self._clock = clock
        self._settings = settings
        self._traffic = traffic
        self._turn = asyncio.Semaphore(settings.requests_at_once)
        self._idle: list[HttpConnection] = []
        self._open: set[HttpConnection] = set()

    @property
    def commands(self) -> int:
        """Requests sent."""
        return self._traffic.commands

    @property
    def sent_bytes(self) -> int:
        """Bytes sent, before TLS."""
        return self._traffic.sent_bytes

    @property
    def received_bytes(self) -> int:
        """Bytes received, after TLS."""
        return self._traffic.received_bytes

    def adopt(self, connection: HttpConnection) -> None:
        """Take a connection that is open."""
        self._open.add(connection)
        self._idle.append(connection)

    async def run(self, commands: Sequence[Command], timeout_s: float) -> list[Reply]:
        """Run commands one after the other and return their replies; see `ISource.run`.

        So that a run never holds more than one of the few connections, whatever hangs.
        """
        replies = []
        give_up = self._clock.monotonic() + _LONGEST_RUN * timeout_s
        leash = timeout_s
        for command in commands:
            left = min(leash, give_up - self._clock.monotonic())
            reply = await self._reply_to(command, left) if left > 0 else self._too_late(command)
            leash = timeout_s
            if reply.trap is not None and reply.trap.timed_out:
                leash *= _SHORT_LEASH
            replies.append(reply)
        return replies

    async def ask(self, request: Request, body: RowReader, timeout_s: float) -> Answer:
        """Send a request and return its answer. Raises SessionFailed, TooMuch and TimeoutError."""
        async with self._turn:
            self._raise_failure()
            connection = await self._connection()
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._exchange(connection, request, body)
            except NotRows as damage:
                raise self._fail(Outcome.PROTOCOL_ERROR, f"{damage}; {REST.here}") from damage
            except Damaged as damage:
                raise self._fail(
                    Outcome.PROTOCOL_ERROR, explain(damage.reason, damage.peek, REST)
                ) from damage
            except Dropped as dropped:
                raise self._dropped(dropped) from dropped

    async def close(self) -> None:
        """End all connections: in good order if possible, within bounded time."""
        if self.failure is None:
            self.failure = SessionFailed(Outcome.BUSY, "the session was closed by mtd")
        connections, self._open = self._open, set()
        self._idle.clear()
        await asyncio.gather(*(one.close(self._settings.close_timeout_s) for one in connections))

    async def _reply_to(self, command: Command, timeout_s: float) -> Reply:
        request = request_of(command)
        if request is None:
            metrics.NOT_SERVED.inc()
            return not_served(command, Way.REST, self._clock)
        started = self._clock.monotonic()
        body = RowReader(command, self._settings.row_bytes)
        reply = Reply(command, Rows(), started, self._clock.now_us(), 0.0, way=Way.REST)
        try:
            answer = await self.ask(request, body, timeout_s)
            reply.received_at, reply.received_us = answer.at, answer.us
            if answer.status >= 300:
                reply.trap = self._refused(answer)
            else:
                reply.rows, reply.done = body.finish()
                metrics.ROWS.inc(reply.rows.count)
        except TooMuch as error:
            metrics.CANCELLED.labels(cause="too_large").inc()
            reply.trap = Trap(
                f"reply {error}: cancelled; narrow the query or raise the limit", CANCELLED_TOO_LARGE
            )
        except TimeoutError:
            metrics.CANCELLED.labels(cause="deadline").inc()
            reply.trap = Trap(f"no complete reply within {timeout_s:.3g} s: cancelled", CANCELLED_TIMED_OUT)
        except NotRows as damage:
            raise self._fail(Outcome.PROTOCOL_ERROR, f"{damage}; {REST.here}") from damage
        if reply.trap is not None:
            metrics.TRAPS.inc()
        reply.size_bytes = body.size_bytes
        reply.duration_s = self._clock.monotonic() - started
        return reply

    def _too_late(self, command: Command) -> Reply:
        """Return the reply to a command for which those before left no time."""
        metrics.CANCELLED.labels(cause="not_asked").inc()
        trap = Trap("not asked: others of the same poll took all the time", CANCELLED_TIMED_OUT)
        return Reply(
            command, Rows(), self._clock.monotonic(), self._clock.now_us(), 0.0, trap=trap, way=Way.REST
        )

    def _refused(self, answer: Answer) -> Trap:
        if answer.status == 401:
            raise self._fail(Outcome.LOGIN_FAILED, refused_login(self._device))
        return trap_of(answer.status, answer.reason, answer.error, self._device.code_page)

    async def _exchange(self, connection: HttpConnection, request: Request, body: RowReader) -> Answer:
        used = connection.used
        try:
            return await connection.exchange(request, body)
        except Dropped as dropped:
            if not (used and dropped.unheard) or self.failure is not None:
                raise
        finally:
            self._put_back(connection)
        # The router closed an idle connection in the moment in which it was asked: it didn't hear it.
        metrics.REOPENED.inc()
        connection = await self._connection()
        try:
            return await connection.exchange(request, body)
        finally:
            self._put_back(connection)

    async def _connection(self) -> HttpConnection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            self._open.discard(connection)
        try:
            connection = await self._dial()
        except SessionFailed as failure:
            raise self._fail(failure.outcome, failure.reason) from failure
        self._open.add(connection)
        self._raise_failure_closing(connection)
        return connection

    def _put_back(self, connection: HttpConnection) -> None:
        if connection.reusable and self.failure is None:
            self._idle.append(connection)
        else:
            self._open.discard(connection)

    # The end.

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise SessionFailed(self.failure.outcome, self.failure.reason)

    def _raise_failure_closing(self, connection: HttpConnection) -> None:
        if self.failure is not None:  # while it was opened
            connection.abort()
            self._raise_failure()

    def _dropped(self, dropped: Dropped) -> SessionFailed:
        number = getattr(dropped.error, "osError", None)
        if number in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH):
            return self._fail(Outcome.UNREACHABLE, f"the router went out of reach: {dropped.error}")
        return self._fail(
            Outcome.BUSY,
            "the router closed the connection in the middle of an answer: it restarted, its web service was "
            "changed or limits addresses or sessions (/ip/service), or this is the port of www-ssl",
        )

    def _fail(self, outcome: Outcome, reason: str) -> SessionFailed:
        """Note a failure, unless there was one before, and cut all connections; return what to raise."""
        if self.failure is None:
            self.failure = SessionFailed(outcome, reason)
            for connection in self._open:
                connection.abort()
            self._open.clear()
            self._idle.clear()
        return SessionFailed(self.failure.outcome, self.failure.reason)


def refused_login(device: Device) -> str:
    """Return what to tell the user about a login that was refused."""
    return (
        f"the router refused the login of {device.username!r}: check user and password, the user's group "
        "(policies 'read' and 'rest-api') and its allowed addresses"
    )
