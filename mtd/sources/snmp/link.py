"""Requests to one agent: a few at once, sent again when lost, halved when too much was asked.

The protocol itself is gufo-snmp's. What it doesn't tell is worked round here:
it hands over answers with an error status as answers without values, so that
each request asks for one more object which every agent has; and it goes on
with walks that turn in circles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from gufo.snmp import SnmpAuthError, SnmpDecodeError, SnmpError

from mtd.model.device import Outcome, SnmpVersion
from mtd.sources.errors import SessionFailed
from mtd.sources.snmp import metrics, reasons
from mtd.sources.snmp.sizes import Sizes
from mtd.sources.snmp.sockets import Session
from mtd.sources.snmp.users import user_of

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device, SnmpSettings
    from mtd.plugin.declaration.snmp import SnmpValue
    from mtd.sources.snmp.config import SnmpConfig

T = TypeVar("T")

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
"""Asked for with every request: an answer without it is an error, not the absence of what was asked for."""

# So many answers in a row that are no SNMP: somebody else is on the port.
_UNREADABLE_IN_A_ROW = 3
_SMALLER_BY = 5


class UnreadableAnswer(Exception):
    """An answer that is no SNMP, or didn't fit."""


class TooManyRows(Exception):
    """More rows than are looked at, or than a command may have."""


class SnmpLink:
    """A few sessions with one agent. Every call needs a deadline of the caller's."""

    def __init__(self, device: Device, address: str, settings: SnmpConfig, clock: Clock) -> None:
        assert device.snmp is not None
        self.heard_at = float("-inf")  # monotonic time of the last answer
        self.requests = 0
        self.sent_bytes = 0
        self.received_bytes = 0
        self.device = device
        self.snmp: SnmpSettings = device.snmp
        self._address = address
        self._settings = settings
        self._clock = clock
        self._at_once = asyncio.Semaphore(settings.requests_in_flight)
        self._free: list[Session] = []
        self._sizes = Sizes(self.snmp)
        self.unreadable = 0  # answers in a row that were no SNMP
        self._closed = False

    def close(self) -> None:
        """Let go of the sessions; what is under way ends at its next step."""
        self._closed = True
        self._free.clear()

    # -- what is asked ---------------------------------------------------------

    async def get(self, oids: Sequence[str], heard: Callable[[], None] | None = None) -> dict[str, SnmpValue]:
        """Return what the agent tells of these objects; those that it doesn't have are missing.

        ``heard`` is called when the first of them are told: the others may take
        seconds more, if their answer gets lost.
        """
        size = self._settings.objects_per_request
        if len(oids) <= size:
            return await self._get(oids, heard)
        found: dict[str, SnmpValue] = {}
        starts = iter(range(0, len(oids), size))

        async def ask() -> None:
            for start in starts:
                found.update(await self._get(oids[start : start + size], None if start else heard))

        failure: SessionFailed | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._settings.requests_in_flight):
                    tasks.create_task(ask())
        except* SessionFailed as failures:
            failure = first_of(failures)
        if failure is not None:
            raise failure
        return found

    async def walk(self, column: str, limit: int, below: int = 2**32) -> dict[int, SnmpValue]:
        """Return the values of a column by the index of the row, up to an index. Raises `TooManyRows`."""
        size = self._settings.objects_per_request
        while True:
            try:
                return await self._exchange("walk", partial(self._walk, column, limit, below, size))
            except UnreadableAnswer:
                # It may be an answer that didn't fit: then a smaller one does.
                if size == 1:
                    raise SessionFailed(
                        Outcome.PROTOCOL_ERROR, reasons.no_snmp(self.device, self.snmp)
                    ) from None
                size = max(1, size // _SMALLER_BY)

    async def _get(
        self, oids: Sequence[str], heard: Callable[[], None] | None = None
    ) -> dict[str, SnmpValue]:
        """Ask for some objects in one request, or in several if the agent can't answer that."""
        asked = list(oids) if SYS_UPTIME in oids else [*oids, SYS_UPTIME]
        try:
            told = await self._exchange("get", lambda session: session.get_many(asked))
        except UnreadableAnswer:
            told = {}
            if self.unreadable >= _UNREADABLE_IN_A_ROW:
                raise SessionFailed(Outcome.PROTOCOL_ERROR, reasons.no_snmp(self.device, self.snmp)) from None
        if SYS_UPTIME in told:
            if heard is not None:
                heard()
            values = {oid: _plain(value) for oid, value in told.items()}
            metrics.OBJECTS.inc(len(values))
            self._account(self._sizes.request(asked), self._sizes.answer(values))
            if SYS_UPTIME not in oids:
                del values[SYS_UPTIME]
            return values
        if len(oids) == 1:
            metrics.REFUSED.inc()
            return {}
        metrics.SPLIT.inc()
        half = len(oids) // 2
        return await self._get(oids[:half], heard) | await self._get(oids[half:])

    async def _walk(
        self, column: str, limit: int, below: int, size: int, session: Session
    ) -> dict[int, SnmpValue]:
        found: dict[int, SnmpValue] = {}
        last = -1
        rows = session.getbulk(column, max_repetitions=size)
        while True:
            self._still_open()
            try:
                oid, value = await anext(rows)
            except StopAsyncIteration:
                break
            except TimeoutError as error:
                self._lost(error)
                continue
            self.heard_at = self._clock.monotonic()
            index = oid.removeprefix(column + ".")
            if not index.isdecimal():
                continue  # a table with keys of several parts: none that is declared
            if int(index) >= below:
                break
            if int(index) <= last:
                metrics.NOT_INCREASING.inc()
                break
            last = int(index)
            found[last] = _plain(value)
            if len(found) > limit:
                raise TooManyRows(f"over {limit} rows: they are too many to be looked through over SNMP")
        answers = 1 + len(found) // size
        metrics.OBJECTS.inc(len(found))
        values = {f"{column}.{index}": value for index, value in found.items()}
        self._account(answers * self._sizes.request([column]), self._sizes.answer(values))
        self.requests += answers - 1
        metrics.REQUESTS.labels("walk").inc(answers - 1)
        return found

    # -- how it is asked -------------------------------------------------------

    async def _exchange(self, kind: str, ask: Callable[[Session], Awaitable[T]]) -> T:
        """Ask until there is an answer, or the caller's deadline passes."""
        async with self._at_once:
            session = self._free.pop() if self._free else await self._open()
            renewed = False
            try:
                while True:
                    self._still_open()
                    self.requests += 1
                    metrics.REQUESTS.labels(kind).inc()
                    try:
                        answer = await ask(session)
                    except TimeoutError as error:
                        self._lost(error)
                    except SnmpAuthError:
                        # Its clock or its count of starts may be another by now: the refusal told them.
                        if renewed:
                            raise SessionFailed(
                                Outcome.LOGIN_FAILED, reasons.not_let_in(self.device, self.snmp)
                            ) from None
                        renewed = True
                    except SnmpDecodeError:
                        metrics.UNREADABLE.inc()
                        self.unreadable += 1
                        raise UnreadableAnswer from None
                    except OSError as error:
                        raise self._unreachable(error) from None
                    else:
                        self.heard_at = self._clock.monotonic()
                        self.unreadable = 0
                        return answer
            finally:
                if not self._closed:
                    self._free.append(session)

    async def _open(self) -> Session:
        """Make a session; with version 3, learn the agent's engine and its clock."""
        snmp = self.snmp
        try:
            session = Session(
                self._address,
                port=snmp.port,
                community=snmp.community,
                user=user_of(snmp) if snmp.version is SnmpVersion.V3 else None,
                timeout=self._settings.repeat_after_s,
            )
        except OSError as error:
            raise self._unreachable(error) from None
        while True:
            try:
                await session.refresh()
            except TimeoutError as error:
                self._lost(error)
            except SnmpDecodeError:
                metrics.UNREADABLE.inc()
                raise SessionFailed(Outcome.PROTOCOL_ERROR, reasons.no_snmp(self.device, snmp)) from None
            except SnmpError:
                raise SessionFailed(Outcome.LOGIN_FAILED, reasons.not_let_in(self.device, snmp)) from None
            except OSError as error:
                raise self._unreachable(error) from None
            else:
                return session

    def _still_open(self) -> None:
        if self._closed:
            raise SessionFailed(Outcome.BUSY, "the session was closed meanwhile")

    def _lost(self, error: TimeoutError) -> None:
        """Count a request without an answer; raise if the device said that nobody listens."""
        if error.__cause__ is not None and "refused" in str(error.__cause__):
            raise SessionFailed(Outcome.REFUSED, reasons.refused(self.device, self.snmp)) from None
        metrics.REPEATED.inc()

    def _unreachable(self, error: OSError) -> SessionFailed:
        return SessionFailed(*reasons.of_os_error(self.device, self.snmp, str(error)))

    def _account(self, sent: int, received: int) -> None:
        self.sent_bytes += sent
        self.received_bytes += received


def first_of(group: BaseExceptionGroup[SessionFailed]) -> SessionFailed:
    """Return the first of some failures: one lost session fails all that is under way."""
    for error in group.exceptions:
        return first_of(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group of exceptions is never empty")


def _plain(value: object) -> SnmpValue:
    """Return a value as a number or as octets: names of objects and addresses come as text."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | bytes):
        return value
    return str(value).encode()
