"""What programs send over HTTP: batches as JSON, and heartbeats."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from klein import Klein
from twisted.web.resource import IResource
from twisted.web.server import Request

from mtd.api import metrics
from mtd.api.access.interfaces import Auditor, Credentials, Gatekeeper, Tenants
from mtd.api.http.bodies import BATCH, KEY_HEADER, BoundedRequest
from mtd.api.http.cookies import Cookies
from mtd.api.http.openapi import HEARTBEAT
from mtd.api.http.pages import JSON, answer
from mtd.api.http.shown import SIGNATURE_HEADER, credentials_of
from mtd.api.ingest.heartbeats import Heartbeat, Heartbeats
from mtd.api.ingest.senders import MOST_RESULTS, RULE, principal_of, sender_of
from mtd.core.aio import as_deferred
from mtd.core.errors import (
    Bug,
    Forbidden,
    Misconfigured,
    MtdError,
    QuotaExceeded,
    Refused,
    Retryable,
    Unauthenticated,
)
from mtd.ingest.push.door import NoRowGood, PushDoor, PushResult, Sender
from mtd.ingest.push.keyring import BadSignature, Keyring, Signed
from mtd.ingest.push.reading import BodyReader
from mtd.ingest.push.rows import Problem, TooLarge
from mtd.model.audit import entry_of_refused
from mtd.model.principal import Principal

logger = logging.getLogger(__name__)

TIME_HEADER, NONCE_HEADER = "x-mtd-timestamp", "x-mtd-nonce"
_DIGEST_ON_LOOP_BYTES = 128 * 1024
_RETRY_S = 2
_COUNTS = ("buffer_depth", "jobs_running", "poll_errors")


class NotJson(Refused):
    """The body is of a kind that isn't taken."""


@dataclass(frozen=True, slots=True)
class IngestParts:
    """What is behind the pages."""

    push: PushDoor
    reader: BodyReader
    keyring: Keyring
    heartbeats: Heartbeats
    gate: Gatekeeper
    tenants: Tenants
    auditor: Auditor


class IngestPages:
    """Takes batches once it has what takes them; see `PageSet`."""

    app = Klein()

    def __init__(self, cookies: Cookies | None = None) -> None:
        self._cookies = cookies or Cookies()
        self._parts: IngestParts | None = None

    def serve(self, parts: IngestParts) -> None:
        """Take batches from now on."""
        self._parts = parts

    def route_of(self, path: str) -> str | None:
        """Return the path if it is one of these pages."""
        return path if path in (BATCH, HEARTBEAT) else None

    def resource(self) -> IResource:
        """Return what answers for these paths."""
        resource: IResource = self.app.resource()
        return resource

    async def stop(self) -> None:
        """Answer nobody any more: what is under way ends with its connection."""
        self._parts = None

    @app.route(BATCH, methods=["POST"])
    def batch(self, request: Request) -> Any:
        """Take a batch: 202 when it is durable."""
        return self._answered(request, self._batch)

    @app.route(HEARTBEAT, methods=["POST"])
    def heartbeat(self, request: Request) -> Any:
        """Take a heartbeat."""
        return self._answered(request, self._heartbeat)

    def _answered(self, request: Request, page: Callable[[IngestParts, Request], Awaitable[bytes]]) -> Any:
        return as_deferred(self._answer(request, page))

    async def _answer(
        self, request: Request, page: Callable[[IngestParts, Request], Awaitable[bytes]]
    ) -> bytes:
        try:
            if self._parts is None:
                raise Retryable("mtd is starting")
            return await page(self._parts, request)
        except (Bug, Misconfigured):
            logger.exception("a page of ingest failed")
            return _told(request, 500, "an error of mtd", "its log has it")
        except MtdError as error:
            return _refusal(request, error)

    async def _batch(self, parts: IngestParts, request: Request) -> bytes:
        packed = _coding(request)
        body = _body(request)
        sender = await self._sender(parts, request, body)
        parts.push.rates.take_request(sender.tenant_id, sender.caller_id)
        with parts.push.reading(sender):
            batch = await parts.reader.read(body, packed=packed)
        return _accepted(request, await parts.push.push(sender, batch))

    async def _heartbeat(self, parts: IngestParts, request: Request) -> bytes:
        if _coding(request):
            raise NotJson("a heartbeat isn't packed")
        body = _body(request)
        sender = await self._sender(parts, request, body)
        found = await parts.heartbeats.take(sender, beat_of(body))
        told = {
            "server_time": dt.datetime.fromtimestamp(found.server_us / 1e6, dt.UTC).isoformat(),
            "clock_ahead_s": found.clock_ahead_s,
            "interval_s": found.interval_s,
        }
        return answer(request, 200, JSON, orjson.dumps(told))

    # -- who sends -------------------------------------------------------------

    async def _sender(self, parts: IngestParts, request: Request, body: bytes) -> Sender:
        credentials = credentials_of(request, self._cookies)
        try:
            caller = await self._caller(parts, request, body, credentials)
        except (Unauthenticated, Forbidden) as error:
            parts.auditor.record(
                entry_of_refused(
                    error.claimed, RULE.action, _word(error), credentials.peer, str(error), _key(request)
                )
            )
            raise
        try:
            RULE.check(caller)
            return sender_of(caller)
        except (Unauthenticated, Forbidden) as error:
            known = None if isinstance(error, Unauthenticated) else caller
            parts.auditor.record(
                entry_of_refused(known, RULE.action, _word(error), credentials.peer, str(error))
            )
            raise

    async def _caller(
        self, parts: IngestParts, request: Request, body: bytes, credentials: Credentials
    ) -> Principal:
        if request.getHeader(SIGNATURE_HEADER) is None:
            # Never by a cookie: browsers send those by themselves.
            shown = Credentials(
                credentials.peer,
                credentials.bearer,
                certificate=credentials.certificate,
                tenant=credentials.tenant,
                forwarded=credentials.forwarded,
            )
            return await parts.gate.admit(shown)
        digest = await _digest(body)
        signed = Signed(
            _header(request, KEY_HEADER),
            _header(request, TIME_HEADER),
            _header(request, NONCE_HEADER),
            _header(request, SIGNATURE_HEADER),
            request.method.decode("ascii", "replace"),
            request.path.decode("ascii", "replace"),
        )
        try:
            key = parts.keyring.verify(signed, digest)
            await parts.keyring.spend(signed, key)
        except BadSignature as bad:
            bad.claimed = None if bad.key is None else principal_of(bad.key, credentials.peer)
            raise
        caller = principal_of(key, credentials.peer)
        tenant = await parts.tenants.tenant(key.tenant_id)
        if tenant is None or not tenant.enabled:
            raise _not_of_it(caller, f"{caller} belongs to a tenant that is switched off")
        if credentials.tenant and await parts.tenants.tenant_id(credentials.tenant) != key.tenant_id:
            raise _not_of_it(caller, f"{caller} may not work for the tenant {credentials.tenant[:100]!r}")
        return caller


def _not_of_it(caller: Principal, text: str) -> Forbidden:
    metrics.ACCESS_REFUSED.labels(reason="tenant").inc()
    error = Forbidden(text)
    error.claimed = caller
    return error


def _body(request: Request) -> bytes:
    if isinstance(request, BoundedRequest):
        return request.body()
    raise Bug("ingest is served without a bound on bodies")


def _coding(request: Request) -> bool:
    """Return whether the body is packed. Raises NotJson for what isn't JSON, plain or in gzip."""
    kind = (request.getHeader("content-type") or "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise NotJson(f"content-type {kind[:50]!r} isn't {JSON}")
    coding = (request.getHeader("content-encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise NotJson(f"content-encoding {coding[:50]!r} isn't gzip")
    return coding != "identity"


async def _digest(body: bytes) -> str:
    if len(body) <= _DIGEST_ON_LOOP_BYTES:
        return hashlib.sha256(body).hexdigest()
    return await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())


def _header(request: Request, name: str) -> str:
    return (request.getHeader(name) or "")[:200]


def _key(request: Request) -> str:
    key = _header(request, KEY_HEADER)
    return f"key={key[:64]}" if key and key.isprintable() else ""


def _word(error: MtdError) -> str:
    return "UNAUTHENTICATED" if isinstance(error, Unauthenticated) else "PERMISSION_DENIED"


# -- what is told ----------------------------------------------------------------


def _accepted(request: Request, result: PushResult) -> bytes:
    told = {
        "batch_id": result.batch_id,
        "accepted": result.accepted,
        "refused": result.refused,
        "duplicates": result.duplicates,
        "duplicate": result.duplicate,
        **_results(result.problems),
        "warnings": list(result.warnings),
    }
    return answer(request, 202, JSON, orjson.dumps(told))


def _results(problems: Any) -> dict[str, Any]:
    shown = [_result(problem) for problem in problems[:MOST_RESULTS]]
    return {"results": shown, "results_left_out": max(0, len(problems) - MOST_RESULTS)}


def _result(problem: Problem) -> dict[str, str]:
    return {"row": problem.row, "reason": problem.reason, "error": problem.text}


def _refusal(request: Request, error: MtdError) -> bytes:
    """Return the answer to what can't be done. The nearest class says the code."""
    if isinstance(error, NoRowGood):
        return _told(
            request, 400, str(error), "mend the rows that are told, and send them", **_results(error.problems)
        )
    if isinstance(error, NotJson):
        return _told(request, 415, str(error), "send application/json, plain or in gzip")
    if isinstance(error, TooLarge):
        return _told(request, 413, str(error), "send it in parts")
    if isinstance(error, Unauthenticated):
        request.setHeader("www-authenticate", 'Bearer realm="mtd"')
        return _told(
            request, 401, str(error), error.hint or "sign the request, or give a token: docs/ingest.md"
        )
    if isinstance(error, Forbidden) or (isinstance(error, QuotaExceeded) and error.retry_after_s <= 0):
        return _told(request, 403, str(error), error.hint or "ask an admin of your tenant")
    if isinstance(error, QuotaExceeded):
        request.setHeader("retry-after", str(max(1, math.ceil(error.retry_after_s))))
        return _told(request, 429, str(error), error.hint or "wait, and send it again")
    if isinstance(error, Retryable):
        request.setHeader("retry-after", str(_RETRY_S))
        return _told(request, 503, str(error), error.hint or "send the same again in a moment")
    return _told(request, 400, str(error), error.hint or "see docs/ingest.md")


def _told(request: Request, code: int, error: str, hint: str, **more: Any) -> bytes:
    return answer(request, code, JSON, orjson.dumps({"error": error, "hint": hint, **more}))


def beat_of(body: bytes) -> Heartbeat:
    """Return what the body of a heartbeat says. Raises Refused."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body isn't JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused("the body is no JSON object")
    agent = found.get("agent")
    told: dict[str, Any] = agent if isinstance(agent, dict) else {"name": agent}
    name, version = told.get("id") or told.get("name"), told.get("version", "")
    capabilities = told.get("capabilities", [])
    if not isinstance(name, str) or not isinstance(version, str):
        raise Refused("agent: give its name, or an object with name and version")
    if not isinstance(capabilities, list) or not all(isinstance(word, str) for word in capabilities):
        raise Refused("capabilities isn't a list of words")
    counts = {key: found.get(key, 0) for key in _COUNTS}
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts.values()):
        raise Refused(f"{', '.join(_COUNTS)} are whole numbers")
    return Heartbeat(name, version, _sent_us(found.get("sent_at")), capabilities=capabilities, **counts)


def _sent_us(told: Any) -> int:
    if told is None:
        return 0
    try:
        moment = dt.datetime.fromisoformat(told)
    except (TypeError, ValueError):
        raise Refused("sent_at isn't a time such as 2026-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise Refused("sent_at has no zone: write Z behind a time in UTC")
    return int(moment.timestamp() * 1e6)
