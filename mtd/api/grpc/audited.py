"""What a call leaves in the audit log: what began, what came of it, or why it was refused.

A deed is written down before its answer goes out, whoever waits for it; a stream at its beginning, too, so
that a crash in the middle of it leaves a trace. Nothing is done that could not be written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from mtd.api.access.interfaces import Auditor, Credentials
from mtd.api.access.rules import Rule
from mtd.api.access.targets import changes_of, target_of
from mtd.api.grpc.status import status_of
from mtd.api.grpc.types import Context
from mtd.core.clock import Clock
from mtd.core.errors import Forbidden, Retryable, Unauthenticated
from mtd.model.audit import OK, STARTED, entry_of, entry_of_refused
from mtd.model.principal import Principal

_WAIT_S = 10.0


class NotAudited(Retryable):
    """What was asked for was done, or is about to be, and the audit log doesn't take it."""

    hint = "look whether it was done before you try again; /readyz and the daemon's log say what is wrong"


class Trail:
    """Writes the entries of calls."""

    def __init__(self, auditor: Auditor, clock: Clock) -> None:
        self._auditor = auditor
        self._clock = clock

    @asynccontextmanager
    async def deed(
        self, caller: Principal, rule: Rule, request: Any, context: Context, *, stream: bool
    ) -> AsyncIterator[None]:
        """Write down what is done in here, if the rule of the method wants that."""
        if not rule.audited:
            yield
            return
        self._auditor.ready()
        # Now: a servicer may fill in what was left out.
        target, changes = target_of(request), changes_of(request)
        if stream:
            await self._durable(self._auditor.record(entry_of(caller, rule.action, STARTED, target, changes)))
        started = self._clock.monotonic()

        def record(outcome: str) -> Awaitable[None]:
            lasted = {"seconds": f"{self._clock.monotonic() - started:.1f}"} if stream else {}
            return self._auditor.record(entry_of(caller, rule.action, outcome, target, {**changes, **lasted}))

        try:
            yield
        except BaseException as error:
            record(outcome_of(error, context))
            raise
        await self._durable(record(OK))

    def refused(
        self, rule: Rule, credentials: Credentials, request: Any, error: Unauthenticated | Forbidden
    ) -> None:
        """Write down that somebody wasn't let in; of no tenant, unless it is known who that was."""
        self._auditor.record(
            entry_of_refused(
                error.claimed,
                rule.action,
                status_of(error).code.name,
                credentials.peer,
                str(error),
                target_of(request),
            )
        )

    def forbidden(self, caller: Principal, rule: Rule, request: Any, error: Forbidden) -> None:
        """Write down that somebody wanted what they may not."""
        reason: Mapping[str, str] = {"reason": str(error)}
        outcome = grpc.StatusCode.PERMISSION_DENIED.name
        self._auditor.record(entry_of(caller, rule.action, outcome, target_of(request), reason))

    async def _durable(self, written: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(_WAIT_S):
                await written
        except TimeoutError:
            raise NotAudited(f"the audit log has not taken an entry within {_WAIT_S:g} s") from None


def outcome_of(error: BaseException, context: Context) -> str:
    """Return the name of the status that a call ends with."""
    if isinstance(error, asyncio.CancelledError):
        remaining = context.time_remaining()
        late = remaining is not None and remaining <= 0
        return (grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED).name
    if isinstance(error, grpc.aio.AbortError):
        return code_of(context).name
    if isinstance(error, Exception):
        return status_of(error).code.name
    return grpc.StatusCode.CANCELLED.name  # the process ends


def code_of(context: Context) -> grpc.StatusCode:
    """Return the status that a servicer gave by itself; gRPC keeps it as a number or as the word."""
    given: Any = context.code()
    if isinstance(given, grpc.StatusCode):
        return given
    return next((code for code in grpc.StatusCode if code.value[0] == given), grpc.StatusCode.UNKNOWN)
