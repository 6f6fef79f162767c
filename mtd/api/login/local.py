"""Logging in with a name and a password."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from mtd.api.access.interfaces import Auditor, Tenants
from mtd.api.login import metrics
from mtd.api.login.sessions import Origin, Sessions
from mtd.api.login.throttle import Throttle
from mtd.core.errors import MtdError, QuotaExceeded, Unauthenticated
from mtd.model.audit import AuditEntry, entry_of, entry_of_refused
from mtd.model.principal import CallerKind, Principal
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.attempts import peer_host
from mtd.storage.stores.users import Login, UserRecord

logger = logging.getLogger(__name__)

ACTION = "login.password"
MOST_NAMESAKES = 4
"""Tenants in which a name is looked for; where more have it, the tenant has to be given, but for super-admins."""

WRONG = "the name or the password is wrong"
_NAME_CHARACTERS = 100


class Users(Protocol):
    """Who may log in: see `UserStore`."""

    async def login(self, tenant_id: str, name: str) -> Login | None:
        """Return a user of a tenant by its name, and the hash of its password."""

    async def logged_in(self, user: UserRecord) -> None:
        """Note that a user logged in just now."""

    async def rehash(self, login: Login, password_hash: str) -> None:
        """Replace a hash by one of the same password with today's parameters."""


class Namesakes(Protocol):
    """Knows where a name is used: see `SessionStore`."""

    async def tenants_of(self, name: str, limit: int) -> Sequence[str]:
        """Return the tenants in which a user has this name."""


class Checks(Protocol):
    """Checks passwords, taking its time: see `Passwords`."""

    async def verify(self, stored: str, password: str) -> bool:
        """Return whether a password is right; as slow where nothing is stored."""

    async def hash(self, password: str) -> str:
        """Return what is stored of a password."""

    def is_outdated(self, stored: str) -> bool:
        """Whether a password was hashed with other parameters than today's."""


class LocalLogins:
    """Checks names and passwords, slowly, and ever more slowly for who guesses. Each attempt is written down."""

    def __init__(
        self,
        users: Users,
        namesakes: Namesakes,
        passwords: Checks,
        tenants: Tenants,
        sessions: Sessions,
        throttle: Throttle,
        auditor: Auditor,
    ) -> None:
        self._users = users
        self._namesakes = namesakes
        self._passwords = passwords
        self._tenants = tenants
        self._sessions = sessions
        self._throttle = throttle
        self._auditor = auditor

    async def log_in(self, name: str, password: str, tenant: str, origin: Origin) -> str:
        """Return the id of a new session.

        Raises Unauthenticated (whatever is wrong: in the same words), QuotaExceeded (wait), and Retryable.
        """
        name, tenant = name.strip()[:_NAME_CHARACTERS], tenant.strip()[:_NAME_CHARACTERS]
        who, where = f"user {name.casefold()}", f"peer {peer_host(origin.peer)}"
        wait_s = self._throttle.wait_s(who, where)
        if wait_s > 0:
            metrics.LOGINS.labels(method="password", outcome="throttled").inc()
            if self._throttle.is_first_refusal(who, where):  # or the audit log would grow as fast as they ask
                self._refused(None, name, origin, "RESOURCE_EXHAUSTED", "too many failures before")
            raise QuotaExceeded("too many wrong passwords", retry_after_s=wait_s, hint="wait, then try again")
        self._throttle.begin(who, where)
        try:
            found = await self._find(name, password, tenant)
        except Unauthenticated as error:
            metrics.LOGINS.labels(method="password", outcome="refused").inc()
            self._refused(error.claimed, name, origin, "UNAUTHENTICATED", str(error))
            raise
        except MtdError:
            self._throttle.take_back(who, where)
            metrics.LOGINS.labels(method="password", outcome="failed").inc()
            raise
        await self._forgive(name, tenant, who, where)
        self._auditor.ready()  # nobody gets in unnoticed
        session_id = await self._sessions.begin(found.user, "password", origin)
        await self._users.logged_in(found.user)
        await self._auditor.record(entry_of_user(found.user, ACTION, origin))
        metrics.LOGINS.labels(method="password", outcome="ok").inc()
        return session_id

    async def _forgive(self, name: str, tenant: str, who: str, where: str) -> None:
        """Forget failures after a success, but not those of others who have the name: it may be them who are guessed."""
        if len(await self._namesakes.tenants_of(name, 2)) <= 1:
            self._throttle.succeeded(who, where)
        elif tenant:
            self._throttle.take_back(who, where)
        else:
            # The password was tried on all of them, and was wrong for the others.
            self._throttle.take_back(where)

    async def _find(self, name: str, password: str, tenant: str) -> Login:
        good = []
        candidates = [login for login in await self._candidates(name, tenant) if login is not None]
        for login in candidates:
            # A user of an identity provider has no password, and one that is disabled no use of it.
            if await self._passwords.verify(login.password_hash, password) and login.user.enabled:
                good.append(login)
        if not candidates:
            await self._passwords.verify("", password)  # nobody learns by the time which names there are
        if not good:
            refusal = Unauthenticated(WRONG)
            # For the audit log of its tenant. Where several have the name, none is told of the others.
            refusal.claimed = principal_of_user(candidates[0].user, "") if len(candidates) == 1 else None
            raise refusal
        if len(good) > 1:
            raise Unauthenticated(f"several tenants have a user {name!r} with this password: give the tenant")
        (found,) = good
        if self._passwords.is_outdated(found.password_hash):
            await self._hash_anew(found, password)
        return found

    async def _candidates(self, name: str, tenant: str) -> Sequence[Login | None]:
        if not name or not name.isprintable():
            return ()
        if tenant:
            tenant_id = await self._tenants.tenant_id(tenant)
            return () if tenant_id is None else [await self._users.login(tenant_id, name)]
        tenants = await self._namesakes.tenants_of(name, MOST_NAMESAKES + 1)
        if len(tenants) > MOST_NAMESAKES:
            # A super-admin has no tenant to give, and what others are called must not shut it out.
            tenants = [one for one in tenants if one == NO_TENANT_ID]
        return [await self._users.login(tenant_id, name) for tenant_id in tenants]

    async def _hash_anew(self, login: Login, password: str) -> None:
        try:
            await self._users.rehash(login, await self._passwords.hash(password))
        except MtdError as error:
            logger.info("a password stays hashed with older parameters: %s", error)

    def _refused(
        self, claimed: Principal | None, name: str, origin: Origin, outcome: str, reason: str
    ) -> None:
        self._auditor.record(entry_of_refused(claimed, ACTION, outcome, origin.peer, reason, f"user={name}"))


def principal_of_user(user: UserRecord, peer: str) -> Principal:
    """Return a user as the audit log names it."""
    return Principal(CallerKind.USER, user.name, user.tenant_id, user.role, peer, user.user_id)


def entry_of_user(user: UserRecord, action: str, origin: Origin) -> AuditEntry:
    """Return the entry of what a user did at the login."""
    return entry_of(principal_of_user(user, origin.peer), action)
