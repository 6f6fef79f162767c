"""Who may have which page: one table of all routes, and what stands before each of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.python.failure import Failure
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from mtd.api import metrics
from mtd.api.access.current import serving
from mtd.api.access.gate import Gate
from mtd.api.access.interfaces import Auditor, Credentials, Gatekeeper
from mtd.api.access.logged import LoggedAudit
from mtd.api.access.rules import Rule
from mtd.api.http.cookies import SESSION, TENANT, Cookies
from mtd.api.http.pages import JSON, TEXT, answer
from mtd.api.http.shown import bearer_of, credentials_of
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Forbidden, MtdError, QuotaExceeded, Retryable, Unauthenticated
from mtd.core.service import TaskGroup
from mtd.model.audit import entry_of, entry_of_refused
from mtd.model.principal import CallerKind, Principal, Role

logger = logging.getLogger(__name__)

LOGIN_PAGE = "/console/login"
CONSOLE_PAGE = "/console/"
_SAFE = frozenset({b"GET", b"HEAD"})
_AUDIT_S = 10.0
_FOLLOWED_S = 600.0
_MOST_FOLLOWERS = 10_000

_Follower = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its callers.

    ``page``: people see it, who are taken to the login. ``own_proof``: what the request holds proves who sent it,
    and the route itself looks at that; ``rule`` is open then, and no browser sends it by itself. ``changes``: what
    isn't GET is taken from pages of ours only. A route that takes such methods is one of both. ``followed``: pages ask
    for it again and again; that somebody looks at it is written down once in a while.
    """

    rule: Rule
    page: bool = False
    own_proof: bool = False
    changes: bool = False
    followed: bool = False


def _open(route: str, *, own_proof: bool = False, changes: bool = False) -> tuple[str, Access]:
    rule = Rule(f"HTTP {route}", None, "", open=True)
    return route, Access(rule, own_proof=own_proof, changes=changes)


def _read(
    route: str,
    scope: str,
    role: Role = Role.VIEWER,
    *,
    page: bool = False,
    audited: bool = False,
    followed: bool = False,
) -> tuple[str, Access]:
    return route, Access(Rule(f"HTTP {route}", role, scope, audited=audited), page, followed=followed)


METRICS, CONSOLE = "metrics.read", "console.read"

ROUTES: Mapping[str, Access] = dict(
    (
        # Nothing of anybody is told: what this is, and whether it works.
        _open("/"),
        _open("/healthz"),
        _open("/readyz"),
        _open("/openapi.json"),
        # Of the process, which works for all tenants.
        _read("/metrics", METRICS, Role.SUPER_ADMIN),
        # Of the caller's tenant.
        _read("/metrics/devices", METRICS),
        _read("/probe", METRICS),
        _read("/sd", METRICS),
        _read("/console/", CONSOLE, page=True),
        _open("/console/assets"),
        # Events may tell of subscribers: who looks at them is written down.
        _read("/console/live", CONSOLE, audited=True),
        *(
            _read(f"/console/api/v1/{page}", CONSOLE, audited=page.endswith("events"))
            for page in (
                *("events", "catalogue", "self", "other"),
                *("devices/ID", "devices/ID/history", "devices/ID/events", "devices/ID/health"),
            )
        ),
        _read("/console/api/v1/drops", CONSOLE),
        # Lines and flows tell who did what: what is asked for is written down, too.
        *(
            _read(f"/console/api/v1/{page}", CONSOLE, audited=True, followed=True)
            for page in ("logs", "flows", "flows/paths", "flows/records", "flows/interfaces")
        ),
        # Signed, or with a token: what is sent says who sends it.
        _open("/ingest/v1/batch", own_proof=True),
        _open("/ingest/v1/heartbeat", own_proof=True),
        # Who comes here isn't known yet.
        _open(LOGIN_PAGE),
        _open("/console/login/oidc"),
        _open("/console/login/callback"),
        _open("/console/api/v1/login", changes=True),
        _open("/console/api/v1/logout", changes=True),
        _read("/console/api/v1/me", CONSOLE),
        (
            "/console/api/v1/tenant",  # written to the audit log with what was chosen
            Access(Rule("HTTP /console/api/v1/tenant", Role.SUPER_ADMIN, CONSOLE), changes=True),
        ),
    )
)
"""By the names under which page sets count their paths. What isn't here nobody gets."""

_NOBODY = Access(Rule("HTTP route without a rule", None, ""))


class Starting:
    """The gate while the daemon starts: who shows a proof is told to come back, for nobody can look at it yet."""

    def __init__(self, *, trust_loopback: bool) -> None:
        self._gate = Gate(trust_loopback=trust_loopback)

    async def admit(self, credentials: Credentials) -> Principal:
        """See `Gatekeeper`."""
        if credentials.bearer or credentials.session or credentials.certificate:
            raise Retryable("mtd is starting")
        return await self._gate.admit(credentials)


class Doorkeeper:
    """Finds out who asks for a page, and refuses who may not have it. ``gate`` and ``auditor`` may be set later."""

    def __init__(
        self,
        gate: Gatekeeper | None = None,
        auditor: Auditor | None = None,
        cookies: Cookies | None = None,
        routes: Mapping[str, Access] = ROUTES,
    ) -> None:
        self.gate: Gatekeeper = gate or Starting(trust_loopback=True)
        self.auditor: Auditor = auditor or LoggedAudit()
        self.cookies = cookies or Cookies()
        self._routes = routes
        self._tasks = TaskGroup("api.door")
        self._followers: dict[_Follower, float] = {}  # who looks at what, written down when

    def before(self, route: str, request: Request, resource: IResource) -> IResource:
        """Return what answers a request for a route: the resource, or what looks at the caller first."""
        access = self._routes.get(route, _NOBODY)
        if self._is_forged(access, request):
            metrics.HTTP_REQUESTS_REFUSED.labels(reason="csrf").inc()
            return Told(403, "a page of someone else may have sent this", "load the console again")
        if access.rule.open:
            return resource
        return _Guarded(self, access, resource)

    def has_own_proof(self, route: str | None) -> bool:
        """Return whether what a request of a route holds proves who sent it."""
        return route is not None and self._routes.get(route, _NOBODY).own_proof

    async def stop(self) -> None:
        """Admit nobody any more."""
        await self._tasks.stop()

    def spawn(self, work: Any) -> asyncio.Task[None]:
        """Run what is behind a page."""
        return self._tasks.spawn("admit", work)

    async def knows(self, request: HttpRequest) -> bool:
        """Return whether it can be told who asks. Raises QuotaExceeded, Retryable."""
        try:
            caller = await self.gate.admit(credentials_of(request, self.cookies))
        except (Unauthenticated, Forbidden):
            return False
        return caller.kind is not CallerKind.UNKNOWN

    async def caller(self, access: Access, request: Request) -> Principal:
        """Return who asks. Raises Unauthenticated, Forbidden, QuotaExceeded, Retryable."""
        credentials = credentials_of(request, self.cookies)
        rule = access.rule
        try:
            caller = await self.gate.admit(credentials)
        except (Unauthenticated, Forbidden) as error:
            self._note(
                entry_of_refused(error.claimed, rule.action, _word(error), credentials.peer, str(error))
            )
            raise
        if access.page and caller.kind is CallerKind.UNKNOWN:
            raise Unauthenticated("log in")  # as people do: nothing to write down
        try:
            rule.check(caller)
        except Unauthenticated as error:
            self._note(entry_of_refused(None, rule.action, _word(error), credentials.peer, str(error)))
            raise
        except Forbidden as error:
            self._note(entry_of(caller, rule.action, _word(error), detail={"reason": str(error)}))
            raise
        return caller

    async def written_down(self, access: Access, caller: Principal, request: Request) -> None:
        """Write down what a caller is about to get, if the rule wants that. Raises Retryable if it can't be."""
        follower = _follower(access, caller, request)
        if access.rule.audited and not self._follows(follower):
            self.auditor.ready()
            shown = request.uri if access.followed else request.path  # what is asked for is what is looked at
            path = shown.decode("utf-8", "replace")
            try:
                async with asyncio.timeout(_AUDIT_S):
                    await self.auditor.record(
                        entry_of(caller, access.rule.action, target=f"path={path[:300]}")
                    )
            except TimeoutError:
                raise Retryable("the audit log doesn't take that you look at this") from None
            if follower is not None:
                self._followers[follower] = SYSTEM_CLOCK.monotonic()

    def _follows(self, follower: _Follower | None) -> bool:
        """Return whether it was written down lately that a caller looks at this."""
        if follower is None:
            return False
        if len(self._followers) > _MOST_FOLLOWERS:
            self._followers.clear()
        written_at = self._followers.get(follower)
        return written_at is not None and SYSTEM_CLOCK.monotonic() - written_at < _FOLLOWED_S

    def _note(self, entry: Any) -> None:
        written: Awaitable[None] = self.auditor.record(entry)
        del written  # nobody waits for it: the auditor sees to it

    def _is_forged(self, access: Access, request: Request) -> bool:
        """Whether a browser may have been made to send this: what it does for whom it is, it does for any page."""
        if not access.changes or request.method in _SAFE or bearer_of(request):
            return False
        # A foreign origin was refused before: see `Guard`.
        ours = request.getHeader("origin") is not None or request.getHeader("sec-fetch-site") == "same-origin"
        return not (ours and self.cookies.has_csrf(request))


def _follower(access: Access, caller: Principal, request: Request) -> _Follower | None:
    """Return who follows what, from where; None if this is no following: who asks for older things looks at other ones."""
    if not access.followed or any(name in request.args for name in (b"older", b"end_us")):
        return None
    asked = sorted(
        (name, *values) for name, values in request.args.items() if name not in (b"limit", b"seconds")
    )
    return (
        access.rule.action,
        caller.tenant_id,
        caller.kind.value,
        caller.name,
        caller.peer.rpartition(":")[0],
        repr(asked),
    )


class Told(Resource):
    """Answers with why not."""

    isLeaf = True

    def __init__(self, code: int, error: str, hint: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._code = code
        self._body = json.dumps({"error": error, "hint": hint}).encode()

    def render(self, request: Request) -> bytes:
        """Refuse."""
        return answer(request, self._code, JSON, self._body)


class _To(Resource):
    isLeaf = True

    def __init__(self, place: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._place = place

    def render(self, request: Request) -> bytes:
        """Take a browser there; it keeps what stands behind the # of the address."""
        request.setHeader("location", self._place)
        return answer(request, 302, TEXT, f"go to {self._place}\n".encode())


class _Guarded(Resource):
    """Looks who asks, then lets the page answer."""

    isLeaf = True

    def __init__(self, doorkeeper: Doorkeeper, access: Access, resource: IResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._doorkeeper = doorkeeper
        self._access = access
        self._resource = resource

    def render(self, request: Request) -> int:
        """Answer when it is known who asks."""
        task = self._doorkeeper.spawn(self._render(request))
        gone = request.notifyFinish()
        gone.addErrback(lambda _: task.cancel())
        return NOT_DONE_YET

    async def _render(self, request: Request) -> None:
        try:
            caller = await self._doorkeeper.caller(self._access, request)
            await self._doorkeeper.written_down(self._access, caller, request)
        except MtdError as error:
            self._refuse(request, error)
            return
        except Exception:
            logger.exception("it can't be told who asks for a page, by an error of mtd")
            request.render(Told(500, "an error of mtd", "its log has it"))
            return
        await asyncio.sleep(0)  # who went away meanwhile is noticed here
        try:
            with serving(caller):  # whatever the page begins works for this caller
                request.render(self._resource)
        except Exception:
            request.processingFailed(Failure())

    def _refuse(self, request: Request, error: MtdError) -> None:
        cookies = self._doorkeeper.cookies
        if isinstance(error, Unauthenticated):
            cookies.drop(request, SESSION)
            if self._access.page:
                request.render(_To(LOGIN_PAGE))
                return
            request.setHeader("www-authenticate", 'Bearer realm="mtd"')
            hint = error.hint or "log in at /console/login, or send a token: Authorization: Bearer mtd_..."
            request.render(Told(401, str(error), hint))
        elif isinstance(error, Forbidden) and self._access.page and cookies.get(request, TENANT):
            # Chosen by somebody else, or in another mtd: without it the page comes.
            cookies.drop(request, TENANT)
            request.render(_To(CONSOLE_PAGE))
        elif isinstance(error, Forbidden):
            request.render(Told(403, str(error), error.hint or "ask an admin of your tenant"))
        elif isinstance(error, QuotaExceeded):
            request.setHeader("retry-after", str(max(1, round(error.retry_after_s))))
            request.render(Told(429, str(error), error.hint or "wait"))
        elif isinstance(error, Retryable):
            request.setHeader("retry-after", "2")
            request.render(Told(503, str(error), error.hint or "call again in a moment"))
        else:
            logger.error("it can't be told who asks for a page: %s", error)
            request.render(Told(500, "an error of mtd", "its log has it"))


def _word(error: MtdError) -> str:
    return "UNAUTHENTICATED" if isinstance(error, Unauthenticated) else "PERMISSION_DENIED"
