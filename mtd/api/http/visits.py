"""Visits that last: who looks at an open page, and whether it still may."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from twisted.web.http import Request

from mtd.api import metrics
from mtd.api.access.current import principal
from mtd.api.access.interfaces import Credentials, Gatekeeper
from mtd.api.http.cookies import Cookies
from mtd.api.http.shown import credentials_of
from mtd.core.errors import Forbidden, MtdError, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.model.principal import CallerKind, Principal

logger = logging.getLogger(__name__)

Close = Callable[[str], None]
Forget = Callable[[], None]

CHECK_S = 10.0
AT_ONCE = 20
NO_MORE = "you may not look at this any more: log in again"


class Watching(Protocol):
    """Knows when sessions end: see `mtd.api.login.sessions`."""

    def watch(self, session_id: str, close: Close) -> Forget:
        """Call ``close`` when a session ends; return what ends the watching."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Who looks. ``follow`` closes the page, with a reason, once they may not look any more."""

    caller: Principal
    follow: Callable[[Close], Forget]


Visits = Callable[[Request], Visit]
"""Returns the visit that begins with a request, which the door has let through."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Open:
    credentials: Credentials
    caller: Principal
    close: Close


class OpenPages:
    """Asks the gate again and again whether those who look still may. Of sessions it is told by who knows them."""

    def __init__(self, cookies: Cookies) -> None:
        self._cookies = cookies
        self._gate: Gatekeeper | None = None
        self._sessions: Watching | None = None
        self._open: set[_Open] = set()
        self._look = asyncio.Event()
        self._tasks = TaskGroup("api.visits")

    def start(self, gate: Gatekeeper, sessions: Watching | None) -> None:
        """Begin to ask."""
        self._gate, self._sessions = gate, sessions
        self._tasks.spawn("check", self._check())

    async def stop(self) -> None:
        """Ask no more."""
        await self._tasks.stop()

    def heard(self) -> None:
        """Something changed about tokens, users or tenants: ask now."""
        self._look.set()

    def visit(self, request: Request) -> Visit:
        """See `Visits`."""
        credentials, caller = credentials_of(request, self._cookies), principal()
        return Visit(caller, lambda close: self._follow(credentials, caller, close))

    def _follow(self, credentials: Credentials, caller: Principal, close: Close) -> Forget:
        if caller.kind is CallerKind.USER and credentials.session and self._sessions is not None:
            return self._sessions.watch(credentials.session, close)
        one = _Open(credentials, caller, close)
        self._open.add(one)
        return lambda: self._open.discard(one)

    async def _check(self) -> None:
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await self._look.wait()
            except TimeoutError:
                pass  # what expires isn't told
            self._look.clear()
            for number, one in enumerate(list(self._open), 1):
                if not await self._still_may(one):
                    metrics.HTTP_VISITS_ENDED.inc()
                    one.close(NO_MORE)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _still_may(self, one: _Open) -> bool:
        if self._gate is None:
            return True
        try:
            now = await self._gate.admit(one.credentials)
        except (Unauthenticated, Forbidden):
            return False
        except MtdError as error:
            logger.info("it can't be told whether %s still may look: %s", one.caller, error)
            return True
        same = (now.kind, now.caller_id, now.tenant_id, now.role) == (
            one.caller.kind,
            one.caller.caller_id,
            one.caller.tenant_id,
            one.caller.role,
        )
        return same and now.scopes == one.caller.scopes
