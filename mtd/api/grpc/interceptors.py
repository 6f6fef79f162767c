"""What happens around every call: deadline, errors as statuses, accounts, one line in the log."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio

from mtd.api import metrics
from mtd.api.access.current import serving
from mtd.api.access.interfaces import Auditor, Certificate, Credentials, Gatekeeper
from mtd.api.access.rules import Rule
from mtd.api.access.running import RunningCalls
from mtd.api.grpc.audited import Trail, code_of
from mtd.api.grpc.conventions import Conventions
from mtd.api.grpc.deadlines import AnswerClock, Deadlines, in_time, only_message
from mtd.api.grpc.malformed import or_malformed, readable
from mtd.api.grpc.status import status_of
from mtd.api.grpc.types import Context, Handler, Interceptor
from mtd.core import log_fields, tracing
from mtd.core.clock import Clock
from mtd.core.errors import Bug, Forbidden, Unauthenticated
from mtd.model.principal import Principal

logger = logging.getLogger(__name__)

# Orchestrators ask for health every few seconds, and explorers reflect: of no interest to operators.
QUIET_PREFIXES = ("/grpc.health.", "/grpc.reflection.")

TENANT_KEY = "mtd-tenant"
"""Metadata by which a caller says which tenant it works for: those who may choose."""

REQUEST_KEY = "x-request-id"
"""Metadata by which a caller names its call, to find it in our log."""

TRACE_KEY = "traceparent"

# What proxies add: what they pass on isn't of this machine, wherever they run.
_FORWARDED_KEYS = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"})

_NO_ANSWER: Any = b""
"""Goes with a status other than OK, and isn't sent."""

OURS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})


class CallInterceptor(Interceptor):
    """Wraps each known method once; unknown ones are answered by gRPC."""

    def __init__(
        self,
        deadlines: Deadlines,
        clock: Clock,
        gate: Gatekeeper,
        auditor: Auditor,
        rules: Mapping[str, Rule],
        conventions: Conventions,
        running: RunningCalls,
        *,
        follow_traces: bool = True,
    ) -> None:
        self._deadlines = deadlines
        self._conventions = conventions
        self._clock = clock
        self._gate = gate
        self._trail = Trail(auditor, clock)
        self._rules = rules
        self._running = running
        self._follow_traces = follow_traces
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return the wrapped handler of a method."""
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler: Handler | None = await continuation(handler_call_details)
        if handler is None:
            return handler  # type: ignore[return-value]  # that is how gRPC says UNIMPLEMENTED
        self._wrapped[method] = wrapped = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Handler) -> Handler:
        coders = {
            "request_deserializer": or_malformed(handler.request_deserializer),
            "response_serializer": _unless_done(handler.response_serializer),
        }
        # All are taken as streams of requests. gRPC would wait without end for the one of a call that isn't, and
        # who sends none, of many, would leave no room for others.
        if handler.response_streaming:
            streaming = handler.stream_stream or handler.unary_stream
            return grpc.stream_stream_rpc_method_handler(
                self._streaming(method, streaming, one=not handler.request_streaming), **coders
            )
        single = handler.stream_unary or handler.unary_unary
        return grpc.stream_unary_rpc_method_handler(
            self._single(method, single, one=not handler.request_streaming), **coders
        )

    def _single(self, method: str, behaviour: Any, *, one: bool) -> Any:
        answered = self._conventions.around(method, behaviour)

        async def call(requests: Any, context: Context) -> Any:
            answer = _NO_ANSWER  # if it fails, which becomes a status
            async with self._noted(method, context), self._account(method, context):
                request = await self._taken(requests, one=one)
                async with self._admitted(method, request, context):
                    # A deadline of the caller's own is kept by gRPC, which cancels us.
                    async with asyncio.timeout(self._deadlines.unary_s(context.time_remaining())):
                        answer = await answered(self._begun(request), context)
            return answer

        return call

    async def _taken(self, requests: Any, *, one: bool) -> Any:
        """Return the request of a call, or the stream of them."""
        return await only_message(requests, self._deadlines.first_message) if one else requests

    def _begun(self, request: Any) -> Any:
        """Return a request; of one that is a stream, its messages, the first of them in time."""
        request = readable(request)
        return in_time(request, self._deadlines.first_message) if hasattr(request, "__aiter__") else request

    def _streaming(self, method: str, behaviour: Any, *, one: bool) -> Any:
        async def call(requests: Any, context: Context) -> None:
            async with self._noted(method, context, stream=True), self._account(method, context):
                request = await self._taken(requests, one=one)
                async with self._admitted(method, request, context, stream=True):
                    async with asyncio.timeout(self._deadlines.answer) as limit:
                        clock: Any = AnswerClock(context, limit)
                        await _written(behaviour(self._begun(request), clock), clock)

        return call

    @asynccontextmanager
    async def _noted(self, method: str, context: Context, *, stream: bool = False) -> AsyncIterator[None]:
        """Have all that is written meanwhile carry the call's id, and its trace go on here."""
        given = metadata_of(context)
        quiet = method.startswith(QUIET_PREFIXES)
        parent = None
        if self._follow_traces and (text := given.get(TRACE_KEY)):
            parent = tracing.Link.from_traceparent(text)
        span = nullcontext() if quiet else tracing.follow(method[1:], parent, {"rpc.system": "grpc"})
        request_id = log_fields.request_id(given.get(REQUEST_KEY, ""))
        with log_fields.request(request_id=request_id, method=method), span as called:
            if stream:
                tracing.detached()  # it may last for days: what it asks in all that time is no one's trace
            yield
            if called is not None:
                given_code: Any = context.code()  # nothing, where all went well
                code = code_of(context) if given_code else grpc.StatusCode.OK
                called.set("rpc.grpc.status_code", code.name)

    @asynccontextmanager
    async def _account(self, method: str, context: Context) -> AsyncIterator[None]:
        """Count a call, and turn what it raises into a status. Counted first, so that who got it may look."""
        started = self._clock.monotonic()
        metrics.GRPC_IN_PROGRESS.labels(method=method).inc()
        try:
            yield
        except asyncio.CancelledError:
            remaining = context.time_remaining()
            late = remaining is not None and remaining <= 0
            code = grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
            self._ended(method, code, started, context)
            raise
        except grpc.aio.AbortError:
            self._ended(method, code_of(context), started, context)
            raise
        except Exception as error:
            status = status_of(error)
            if status.code in OURS:
                logger.exception("%s failed", method)
            self._ended(method, status.code, started, context)
            # Not context.abort: what it raises holds the call, and the call it, until the garbage collector
            # gets that far. A caller who is refused all the time would cost hundreds of megabytes meanwhile.
            context.set_code(status.code)
            context.set_details(status.message)
            context.set_trailing_metadata(status.metadata())
        else:
            self._ended(method, grpc.StatusCode.OK, started, context)

    @asynccontextmanager
    async def _admitted(
        self, method: str, request: Any, context: Context, *, stream: bool = False
    ) -> AsyncIterator[None]:
        """Find out who calls, refuse who may not, and write down what is to be known later."""
        if method.startswith(QUIET_PREFIXES):  # they tell nothing of anybody
            yield
            return
        rule = self._rules.get(method)
        if rule is None:
            raise Bug(f"{method} is served, and nothing says who may call it: add its service to DESCRIPTORS")
        caller = await self._caller(rule, request, context)
        log_fields.of_request(tenant=caller.tenant_id)  # until the call is over
        async with self._trail.deed(caller, rule, request, context, stream=stream):
            with serving(caller):
                async with self._running.serving(caller):
                    yield

    async def _caller(self, rule: Rule, request: Any, context: Context) -> Principal:
        credentials = credentials_of(context)
        try:
            caller = await self._gate.admit(credentials)
        except (Unauthenticated, Forbidden) as error:
            self._trail.refused(rule, credentials, request, error)
            raise
        try:
            rule.check(caller)
        except Unauthenticated as error:
            self._trail.refused(rule, credentials, request, error)
            raise
        except Forbidden as error:
            self._trail.forbidden(caller, rule, request, error)
            raise
        return caller

    def _ended(self, method: str, code: grpc.StatusCode, started: float, context: Context) -> None:
        seconds = self._clock.monotonic() - started
        metrics.GRPC_IN_PROGRESS.labels(method=method).dec()
        metrics.GRPC_CALLS.labels(method=method, code=code.name).inc()
        metrics.GRPC_SECONDS.labels(method=method).observe(seconds)
        logger.log(
            logging.DEBUG if method.startswith(QUIET_PREFIXES) else logging.INFO,
            "%s %s in %.1f ms from %s",
            method,
            code.name,
            seconds * 1000,
            context.peer(),
            extra={"code": code.name, "seconds": round(seconds, 6)},
        )


def metadata_of(context: Context) -> dict[str, str]:
    """Return the texts among what a caller sends along."""
    given: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            given[name.lower()] = value
    return given


def credentials_of(context: Context) -> Credentials:
    """Return what a caller shows."""
    given = metadata_of(context)
    scheme, _, bearer = given.get("authorization", "").partition(" ")
    pem = list(context.auth_context().get("x509_pem_cert", ()))
    return Credentials(
        unquote(context.peer()),
        bearer.strip() if scheme.lower() == "bearer" else "",
        certificate=Certificate(pem[0]) if pem else None,
        tenant=given.get(TENANT_KEY, ""),
        forwarded=not _FORWARDED_KEYS.isdisjoint(given),
    )


async def _written(answer: Any, context: Context) -> None:
    """Send what a servicer yields, or let it send by itself."""
    if not inspect.isasyncgen(answer):
        await answer
        return
    try:
        async for message in answer:
            await context.write(message)
    finally:
        await answer.aclose()


def _unless_done(serializer: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """Let a servicer give a large answer as bytes, made where it doesn't hold the loop."""
    if serializer is None:
        return None
    return lambda answer: answer if isinstance(answer, bytes) else serializer(answer)
