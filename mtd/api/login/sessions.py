"""Sessions: begun, recognised, ended; and the open pages that end with them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from mtd.api.access.interfaces import Credentials
from mtd.api.login import metrics
from mtd.api.login.config import LoginConfig
from mtd.core.errors import MtdError, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal, Role
from mtd.storage.stores.sessions import NewSession, SessionRecord, session_hash
from mtd.storage.stores.users import UserRecord

logger = logging.getLogger(__name__)

SWEEP_S = 600.0
_FAILURE_PAUSE_S = 1.0
_MOST_RECENT = 10_000


class Listens(Protocol):
    """Something that goes on until it is stopped."""

    async def stop(self) -> None:
        """End it."""


class Stored(Protocol):
    """What keeps sessions: see `SessionStore`."""

    async def begin(self, new: NewSession) -> None:
        """Store a session."""

    async def find(self, session_id: str) -> SessionRecord | None:
        """Return who is logged in by a session; None if it isn't good."""

    async def still_good(self, hashes: Collection[bytes]) -> set[bytes]:
        """Return those that are still good."""

    async def end(self, session_id: str) -> SessionRecord | None:
        """End a session; return whose it was."""

    async def sweep(self) -> int:
        """Remove sessions that are over."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from: an address, and what the browser calls itself."""

    peer: str
    agent: str


class Sessions:
    """Sessions of people, and a `Verifier` of them for the gate.

    Open pages are watched while there are any: whose session ended, for whatever reason, is closed.
    """

    def __init__(self, store: Stored, config: LoginConfig) -> None:
        self._store = store
        self._config = config
        self._tasks = TaskGroup("api.sessions")
        self._pages: dict[bytes, set[Callable[[str], None]]] = {}
        self._look = asyncio.Event()
        self._recent: OrderedDict[bytes, Principal] = OrderedDict()

    def start(self) -> None:
        """Begin to watch."""
        self._tasks.spawn("watch", self._watch())
        self._tasks.spawn("sweep", self._sweep())

    async def stop(self) -> None:
        """Watch no more."""
        await self._tasks.stop()

    async def begin(self, user: UserRecord, method: str, origin: Origin) -> str:
        """Return the id of a new session of a user: never one that a browser brought.

        Raises Unauthenticated if the user, or its tenant, is disabled.
        """
        session_id = secrets.token_urlsafe(32)
        idle_s, most_s = int(self._config.idle_s), int(self._config.most_s)
        await self._store.begin(
            NewSession(
                session_id,
                user.tenant_id,
                user.user_id,
                method,
                origin.peer,
                origin.agent,
                min(idle_s, most_s),
                most_s,
            )
        )
        if await self._store.find(session_id) is None:
            await self._store.end(session_id)
            raise Unauthenticated("this user, or its tenant, is disabled: ask an admin")
        return session_id

    async def verify(self, credentials: Credentials) -> Principal | None:
        """See `Verifier`."""
        if not credentials.session:
            return None
        found = await self._store.find(credentials.session)
        if found is None:
            raise self._over(credentials.session)
        return self._remembered(principal_of(found, credentials.peer), credentials.session)

    def _remembered(self, caller: Principal, session_id: str) -> Principal:
        """Keep whose a session is: of one that has ended, PostgreSQL doesn't know it any more."""
        key = session_hash(session_id)
        self._recent[key] = caller
        self._recent.move_to_end(key)
        while len(self._recent) > _MOST_RECENT:
            self._recent.popitem(last=False)
        return caller

    def _over(self, session_id: str) -> Unauthenticated:
        error = Unauthenticated("the session is over: log in again")
        error.claimed = self._recent.get(session_hash(session_id))
        return error

    async def end(self, session_id: str) -> SessionRecord | None:
        """Log out; return who that was."""
        ended = await self._store.end(session_id)
        self._close(session_hash(session_id), "you logged out")
        if ended is not None:
            metrics.ENDED.labels(reason="logout").inc()
        return ended

    def watch(self, session_id: str, close: Callable[[str], None]) -> Callable[[], None]:
        """Call ``close`` with the reason when a session ends. Returns what ends the watching."""
        key = session_hash(session_id)
        self._pages.setdefault(key, set()).add(close)
        metrics.OPEN_PAGES.set(len(self._pages))

        def forget() -> None:
            pages = self._pages.get(key, set())
            pages.discard(close)
            if not pages:
                self._pages.pop(key, None)
            metrics.OPEN_PAGES.set(len(self._pages))

        return forget

    def heard(self, payload: str | None) -> None:
        """Something changed about sessions, users or tenants: look at those that are watched."""
        self._look.set()

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._config.check_s):
                    await self._look.wait()
            except TimeoutError:
                pass  # not all that ends is told: time is not
            self._look.clear()
            if not self._pages:
                continue
            try:
                watched = set(self._pages)
                good = await self._store.still_good(watched)
            except MtdError as error:
                logger.warning("it can't be told whether sessions of open consoles are good: %s", error)
                await asyncio.sleep(_FAILURE_PAUSE_S)
                continue
            for key in watched - good:
                self._close(key, "the session is over: log in again")

    def _close(self, key: bytes, reason: str) -> None:
        for close in list(self._pages.get(key, ())):
            metrics.CLOSED_PAGES.inc()
            close(reason)

    async def _sweep(self) -> None:
        while True:
            try:
                ended = await self._store.sweep()
                metrics.ENDED.labels(reason="time").inc(ended)
            except MtdError as error:
                logger.info("old sessions stay for now: %s", error)
            await asyncio.sleep(SWEEP_S)


def principal_of(found: SessionRecord, peer: str) -> Principal:
    """Return the caller of a session."""
    # Super-admins belong to no tenant, and work for the first one as long as they choose none.
    tenant_id = DEFAULT_TENANT_ID if found.role is Role.SUPER_ADMIN else found.tenant_id
    return Principal(CallerKind.USER, found.user, tenant_id, found.role, peer, found.user_id)
