"""The pages of logins: what the login page may offer, logging in and out, who one is, which tenant one looks at."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from klein import Klein
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from twisted.web.http import Request
from twisted.web.resource import IResource

from mtd.api.access.current import principal
from mtd.api.access.interfaces import Auditor
from mtd.api.http.cookies import LOGIN, SESSION, TENANT, Cookies
from mtd.api.http.pages import JSON, TEXT, answer
from mtd.api.http.shown import origin_of
from mtd.api.login.config import LoginConfig, LoginMode
from mtd.api.login.local import LocalLogins
from mtd.api.login.oidc.flow import CALLBACK, BadLogin, OidcLogins
from mtd.api.login.sessions import Origin, Sessions, principal_of
from mtd.core.aio import as_deferred
from mtd.core.errors import Forbidden, MtdError, NotFound, QuotaExceeded, Refused, Retryable, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.model.audit import entry_of
from mtd.model.principal import CallerKind
from mtd.model.tenant import Tenant

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

API = "/console/api/v1"
LOGIN_PAGE = "/console/login"
ROUTES = frozenset(
    (
        *(f"{API}/{page}" for page in ("login", "logout", "me", "tenant")),
        *(f"{LOGIN_PAGE}/oidc", CALLBACK),
    )
)
MOST_BODY = 16 * 1024
MOST_TENANTS = 1000
_PENDING_S = 600.0


class TenantList(Protocol):
    """Knows the tenants by name."""

    async def tenant(self, tenant_id: str) -> Tenant | None:
        """Return a tenant."""

    async def all(self) -> Sequence[Tenant]:
        """Return all of them."""


class Given(BaseModel):
    """What the login form sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=4096, repr=False)
    tenant: str = Field("", max_length=200)


class Chosen(BaseModel):
    """Which tenant somebody wants to look at."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tenant: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True, slots=True)
class LoginParts:
    """What is behind the pages, once the daemon is up."""

    local: LocalLogins
    oidc: OidcLogins | None
    sessions: Sessions
    tenants: TenantList
    auditor: Auditor
    knows: Callable[[Request], Awaitable[bool]]
    """Whether the door knows who sends a request."""


class LoginPages:
    """See `PageSet`. Before `serve`, whoever comes is told to come back."""

    app = Klein()

    def __init__(self, config: LoginConfig, cookies: Cookies) -> None:
        self._config = config
        self._cookies = cookies
        self._tasks = TaskGroup("api.login")
        self._parts: LoginParts | None = None

    def serve(self, parts: LoginParts) -> None:
        """The rest of the process is up."""
        self._parts = parts

    def route_of(self, path: str) -> str | None:
        """Return the path if it is one of these pages."""
        return path if path in ROUTES else None

    def resource(self) -> IResource:
        """Return what answers."""
        resource: IResource = self.app.resource()
        return resource

    async def stop(self) -> None:
        """Nothing goes on behind these pages."""

    @app.route(f"{API}/login", methods=["GET"])
    def offer(self, request: Request) -> Any:
        """Tell what the login page may offer, and whether the caller is known already."""
        return as_deferred(_answered(request, lambda: self._offer(request)))

    async def _offer(self, request: Request) -> bytes:
        parts = self._parts
        oidc = None if parts is None or parts.oidc is None else {"name": parts.oidc.name}
        told = {
            "csrf": self._cookies.csrf(request),
            "starting": parts is None,
            "known": parts is not None and await parts.knows(request),
            "password": self._config.mode is LoginMode.LOCAL,
            "oidc": oidc if self._config.mode is LoginMode.OIDC else None,
        }
        return _json(request, told)

    @app.route(f"{API}/login", methods=["POST"])
    def log_in(self, request: Request) -> Any:
        """Log in with a name and a password."""
        return as_deferred(_answered(request, lambda: self._log_in(request)))

    async def _log_in(self, request: Request) -> bytes:
        parts = self._up()
        if self._config.mode is not LoginMode.LOCAL:
            raise Refused("people log in at the identity provider here")
        given = _given(request, Given)
        session_id = await parts.local.log_in(given.name, given.password, given.tenant, _origin(request))
        await self._replace(request, session_id)
        return _json(request, {"ok": True})

    @app.route(f"{API}/logout", methods=["POST"])
    def log_out(self, request: Request) -> Any:
        """Log out."""
        return as_deferred(_answered(request, lambda: self._log_out(request)))

    async def _log_out(self, request: Request) -> bytes:
        parts, elsewhere = self._up(), ""
        session_id = self._cookies.get(request, SESSION)
        ended = await parts.sessions.end(session_id) if session_id else None
        if ended is not None:
            parts.auditor.record(entry_of(principal_of(ended, origin_of(request)), "login.logout"))
            if ended.method == "oidc" and parts.oidc is not None:
                elsewhere = await parts.oidc.logout_url()
        for name in (SESSION, TENANT):
            self._cookies.drop(request, name)
        return _json(request, {"ok": True, "url": elsewhere})

    @app.route(f"{API}/me", methods=["GET"])
    def me(self, request: Request) -> Any:
        """Tell who the caller is, and what it may do."""
        return as_deferred(_answered(request, lambda: self._me(request)))

    async def _me(self, request: Request) -> bytes:
        parts, caller = self._up(), principal()
        here = await parts.tenants.tenant(caller.tenant_id)
        told: dict[str, Any] = {
            "kind": caller.kind.value,
            "name": caller.name,
            "role": "" if caller.role is None else caller.role.word,
            "tenant": {"id": caller.tenant_id, "name": "" if here is None else here.name},
            "tenants": None,
            "can_log_out": caller.kind is CallerKind.USER,
            "can_log_in": caller.kind is CallerKind.LOCAL,
            "csrf": self._cookies.csrf(request),
        }
        if caller.crosses_tenants:
            tenants = sorted(await parts.tenants.all(), key=lambda one: one.name)
            told["tenants"] = [{"id": one.tenant_id, "name": one.name} for one in tenants[:MOST_TENANTS]]
        return _json(request, told)

    @app.route(f"{API}/tenant", methods=["POST"])
    def choose(self, request: Request) -> Any:
        """Look at another tenant from now on: for those who may choose."""
        return as_deferred(_answered(request, lambda: self._choose(request)))

    async def _choose(self, request: Request) -> bytes:
        parts, caller = self._up(), principal()
        wanted = _given(request, Chosen).tenant
        tenants = await parts.tenants.all()
        found = next((one for one in tenants if wanted in (one.tenant_id, one.name)), None)
        if found is None:
            raise NotFound(f"there is no tenant {wanted[:100]!r}")
        self._cookies.set(request, TENANT, found.tenant_id, age_s=self._config.most_s)
        await parts.auditor.record(
            entry_of(
                caller, "login.tenant", target=f"tenant={found.name}", detail={"tenant_id": found.tenant_id}
            )
        )
        return _json(request, {"ok": True})

    # -- at the identity provider -------------------------------------------------

    @app.route(f"{LOGIN_PAGE}/oidc", methods=["GET"])
    def begin(self, request: Request) -> Any:
        """Take a browser to the identity provider."""
        return as_deferred(self._begin(request))

    async def _begin(self, request: Request) -> bytes:
        try:
            oidc = self._oidc()
            url, browser = await oidc.begin(self._base_url(request))
        except MtdError as error:
            logger.warning("nobody can log in at the identity provider: %s", error)
            return _to(request, f"{LOGIN_PAGE}?problem=away")
        # The answer comes by a link of another site.
        self._cookies.set(request, LOGIN, browser, age_s=_PENDING_S, same_site="lax")
        return _to(request, url)

    @app.route(CALLBACK, methods=["GET"])
    def end(self, request: Request) -> Any:
        """Take what the identity provider sent along."""
        return as_deferred(self._end(request))

    async def _end(self, request: Request) -> bytes:
        browser = self._cookies.get(request, LOGIN)
        self._cookies.drop(request, LOGIN)
        try:
            given = {name.decode("ascii", "replace"): values for name, values in (request.args or {}).items()}
            session_id = await self._oidc().end(_single(given), browser, _origin(request))
            await self._replace(request, session_id)
        except BadLogin as bad:
            return _to(request, f"{LOGIN_PAGE}?problem={bad.reason}")
        except Unauthenticated:
            return _to(request, f"{LOGIN_PAGE}?problem=disabled")
        except MtdError as error:
            logger.warning("a login at the identity provider could not be ended: %s", error)
            return _to(request, f"{LOGIN_PAGE}?problem=away")
        # Not to the console itself: a browser that came here by the link of another site doesn't show it the new
        # cookie yet. The login page sees that somebody is logged in, and goes on.
        return _to(request, LOGIN_PAGE)

    def _oidc(self) -> OidcLogins:
        parts = self._up()
        if parts.oidc is None or self._config.mode is not LoginMode.OIDC:
            raise Refused("there is no identity provider: set login.mode and section oidc")
        return parts.oidc

    def _base_url(self, request: Request) -> str:
        """Return how browsers call this door; the guard looked at the name."""
        if self._config.public_base_url:
            return self._config.public_base_url
        scheme = "https" if request.isSecure() else "http"
        return f"{scheme}://{request.getHeader('host')}"

    def _up(self) -> LoginParts:
        if self._parts is None:
            raise Retryable("mtd is starting")
        return self._parts

    async def _replace(self, request: Request, session_id: str) -> None:
        """Give a browser its new session; what it had before ends."""
        before = self._cookies.get(request, SESSION)
        if before:
            await self._up().sessions.end(before)
        self._cookies.drop(request, TENANT)
        self._cookies.set(request, SESSION, session_id, age_s=self._config.most_s)


def _origin(request: Request) -> Origin:
    agent = (request.getHeader("user-agent") or "")[:200]
    return Origin(origin_of(request), "".join(one for one in agent if one.isprintable()))


def _single(given: Mapping[str, Sequence[bytes]]) -> dict[str, str]:
    """Return parameters that came once, as OAuth wants it."""
    return {name: values[0].decode("utf-8", "replace") for name, values in given.items() if len(values) == 1}


def _given(request: Request, model: type[M]) -> M:
    if (request.getHeader("content-type") or "").partition(";")[0].strip().lower() != JSON:
        raise Refused("send JSON: Content-Type: application/json")
    body = request.content.read(MOST_BODY + 1) if request.content is not None else b""
    if len(body) > MOST_BODY:
        raise Refused("that is too long")
    try:
        return model.model_validate_json(body)
    except ValidationError as invalid:
        # Never what was given: there is a password in it.
        wrong = sorted({".".join(map(str, one["loc"])) or "body" for one in invalid.errors()})
        raise Refused(f"the request can't be used: {', '.join(wrong)[:200]}") from None


def _json(request: Request, told: Mapping[str, Any], code: int = 200) -> bytes:
    return answer(request, code, JSON, json.dumps(told).encode())


def _to(request: Request, url: str) -> bytes:
    request.setHeader("location", url)
    return answer(request, 302, TEXT, b"go on there\n")


async def _answered(request: Request, page: Callable[[], Awaitable[bytes]]) -> bytes:
    """Return a page's answer, or what kept us from it."""
    try:
        return await page()
    except QuotaExceeded as error:
        request.setHeader("retry-after", str(max(1, round(error.retry_after_s))))
        told = {"error": str(error), "hint": error.hint, "retry_after_s": round(error.retry_after_s, 1)}
        return _json(request, told, 429)
    except MtdError as error:
        if isinstance(error, Retryable):
            request.setHeader("retry-after", "2")
        return _json(request, {"error": str(error), "hint": error.hint or "try again"}, _code_of(error))
    except Exception:
        logger.exception("a page of the login failed by an error of mtd: %s", request.path)
        return _json(request, {"error": "an error of mtd", "hint": "its log has it"}, 500)


def _code_of(error: MtdError) -> int:
    codes = ((Unauthenticated, 401), (Forbidden, 403), (NotFound, 404), (Refused, 400), (Retryable, 503))
    return next((code for kind, code in codes if isinstance(error, kind)), 500)
