"""Logins at the identity provider, from the way there to the session here."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mtd.api.access.interfaces import Auditor, Tenants
from mtd.api.login import metrics
from mtd.api.login.config import OidcConfig
from mtd.api.login.local import entry_of_user, principal_of_user
from mtd.api.login.oidc.provider import BadToken, Provider, Secrets
from mtd.api.login.oidc.rules import Place, name_of, place_of
from mtd.api.login.sessions import Origin, Sessions
from mtd.core.clock import Clock
from mtd.core.errors import AlreadyExists, MtdError, Refused, Retryable
from mtd.model.audit import entry_of, entry_of_unknown
from mtd.model.principal import Role
from mtd.model.tenant import NAME_CHARACTERS, NO_TENANT_ID
from mtd.storage.stores.users import NewUser, UserRecord

logger = logging.getLogger(__name__)

CALLBACK = "/console/login/callback"
ACTION = "login.oidc"
PENDING_S = 600.0
MOST_PENDING = 1000
_NAMESAKES = 20


class BadLogin(Refused):
    """A login that isn't one. ``reason`` is one of few words, for metrics and the login page."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class People(Protocol):
    """Users that an identity provider knows: see `UserStore`."""

    async def by_subject(self, issuer: str, subject: str) -> UserRecord | None:
        """Return the user that a provider calls so."""

    async def create(self, tenant_id: str, new: NewUser, password_hash: str = "") -> UserRecord:
        """Add a user."""

    async def update(
        self, tenant_id: str, user_id: str, changes: dict[str, Any], *, revision: int = 0
    ) -> UserRecord:
        """Change a user."""

    async def delete(self, tenant_id: str, user_id: str) -> None:
        """Remove a user."""

    async def logged_in(self, user: UserRecord) -> None:
        """Note that a user logged in."""


@dataclass(frozen=True, slots=True, repr=False)
class _Pending:
    secrets: Secrets
    browser: str
    until: float


class OidcLogins:
    """Takes browsers to the provider and back. Bound: 1,000 logins under way; policy: the oldest are dropped, counted."""

    def __init__(
        self,
        config: OidcConfig,
        provider: Provider,
        people: People,
        tenants: Tenants,
        sessions: Sessions,
        auditor: Auditor,
        clock: Clock,
    ) -> None:
        self.name = config.name or "single sign-on"
        self._config = config
        self._provider = provider
        self._people = people
        self._tenants = tenants
        self._sessions = sessions
        self._auditor = auditor
        self._clock = clock
        self._pending: OrderedDict[str, _Pending] = OrderedDict()

    async def begin(self, base_url: str) -> tuple[str, str]:
        """Return where a browser has to go, and what it has to bring back with the answer. Raises Retryable."""
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        made = Secrets(state, nonce, verifier, f"{base_url}{CALLBACK}")
        url = await self._provider.authorization_url(made)
        now = self._clock.monotonic()
        while self._pending and next(iter(self._pending.values())).until < now:
            self._pending.popitem(last=False)
        if len(self._pending) >= MOST_PENDING:
            self._pending.popitem(last=False)
            metrics.PENDING_DROPPED.inc()
        self._pending[made.state] = _Pending(made, browser, now + PENDING_S)
        return url, browser

    async def end(self, given: Mapping[str, str], browser: str, origin: Origin) -> str:
        """Return the id of a new session for what a provider sent along. Raises BadLogin, Unauthenticated, Retryable."""
        try:
            session_id = await self._end(given, browser, origin)
        except BadLogin as bad:
            metrics.LOGINS.labels(method="oidc", outcome="refused").inc()
            metrics.OIDC_REFUSED.labels(reason=bad.reason).inc()
            logger.info("a login at the identity provider was refused: %s", bad)
            self._auditor.record(
                entry_of_unknown(ACTION, "UNAUTHENTICATED", NO_TENANT_ID, origin.peer, str(bad))
            )
            raise
        except MtdError:
            metrics.LOGINS.labels(method="oidc", outcome="failed").inc()
            raise
        metrics.LOGINS.labels(method="oidc", outcome="ok").inc()
        return session_id

    async def logout_url(self) -> str:
        """Return where a browser logs out at the provider, too; empty if that isn't known."""
        try:
            return await self._provider.logout_url()
        except MtdError as error:
            logger.info("nobody is logged out at the identity provider: %s", error)
            return ""

    async def _end(self, given: Mapping[str, str], browser: str, origin: Origin) -> str:
        pending = self._pending.pop(given.get("state", ""), None)  # good for one answer
        if pending is None or pending.until < self._clock.monotonic():
            raise BadLogin("expired", "an answer to no login that is under way")
        if not hmac.compare_digest(pending.browser.encode(), browser.encode()):
            raise BadLogin("expired", "the answer to a login that another browser began")
        if "iss" in given and given["iss"] != self._config.issuer:
            raise BadLogin("token", "an answer of another issuer")
        if "error" in given:
            raise BadLogin("denied", f"the identity provider refused: {given['error'][:100]}")
        if not given.get("code"):
            raise BadLogin("denied", "the identity provider sent no code")
        try:
            claims = await self._provider.redeem(given["code"], pending.secrets)
        except BadToken as bad:
            raise BadLogin("token", str(bad)) from None
        try:
            user = await self._user(claims, origin)
        except BadLogin:
            raise
        except Refused as error:
            raise BadLogin("nobody", str(error)) from None  # the last super-admin stays one
        self._auditor.ready()  # nobody gets in unnoticed
        session_id = await self._sessions.begin(user, "oidc", origin)
        await self._people.logged_in(user)
        await self._auditor.record(entry_of_user(user, ACTION, origin))
        return session_id

    async def _user(self, claims: Mapping[str, Any], origin: Origin) -> UserRecord:
        """Return the user that the claims are of: new, moved or changed as the rules say today."""
        place = place_of(claims, self._config.rules)
        if place is None:
            raise BadLogin(
                "nobody", f"no rule of section oidc fits {name_of(claims, self._config.name_claims)!r}"
            )
        tenant_id = await self._tenant_id(place)
        known = await self._people.by_subject(self._config.issuer, claims["sub"])
        if known is not None and not known.enabled:
            raise BadLogin("disabled", f"user {known.name!r} is disabled")  # wherever it would move
        if known is not None and known.tenant_id == tenant_id:
            if known.role is place.role:
                return known
            changed = await self._people.update(tenant_id, known.user_id, {"role": place.role})
            self._note(changed, "login.oidc.change", origin)
            return changed
        if known is not None:
            # A user is of one tenant for good: who moved is another one, and what the old one had open ends.
            await self._people.delete(known.tenant_id, known.user_id)
            self._note(known, "login.oidc.remove", origin)
        made = await self._create(tenant_id, place.role, claims)
        self._note(made, "login.oidc.create", origin)
        return made

    async def _tenant_id(self, place: Place) -> str:
        if place.role is Role.SUPER_ADMIN:
            return NO_TENANT_ID
        tenant_id = await self._tenants.tenant_id(place.tenant)
        if tenant_id is None:
            raise BadLogin(
                "nobody", f"a rule of section oidc names the tenant {place.tenant!r}, which isn't there"
            )
        return tenant_id

    async def _create(self, tenant_id: str, role: Role, claims: Mapping[str, Any]) -> UserRecord:
        name = name_of(claims, self._config.name_claims)
        for number in range(1, _NAMESAKES + 1):
            # Somebody else may have the name: it is for people to read, the subject counts.
            tail = "" if number == 1 else f" ({number})"
            new = NewUser(
                name[: NAME_CHARACTERS - len(tail)] + tail, role, self._config.issuer, claims["sub"]
            )
            try:
                return await self._people.create(tenant_id, new)
            except AlreadyExists:
                known = await self._people.by_subject(self._config.issuer, claims["sub"])
                if known is not None and known.tenant_id == tenant_id:
                    return known  # logged in twice at a time
        raise Retryable(f"too many users are called {name!r}")

    def _note(self, user: UserRecord, action: str, origin: Origin) -> None:
        self._auditor.record(
            entry_of(principal_of_user(user, origin.peer), action, target=f"user={user.name}")
        )
