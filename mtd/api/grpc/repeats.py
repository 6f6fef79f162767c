"""Requests that may be sent again: with the same ``request_id`` they are done once.

Whoever got no answer to a request that makes something sends it again, with the
id that it gave it, and gets the answer of the first time. An id belongs to one
request of one caller of a tenant: with another content it is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from mtd.api import metrics
from mtd.api.access.current import principal
from mtd.api.errors import TooManyRequests
from mtd.core.errors import AlreadyExists, Conflict, Refused
from mtd.model.principal import Principal
from mtd.storage.stores.requests import StoredRequest

FIELD = "request_id"
# Those whose callers went away count as well: nobody can begin more by hanging up.
MOST_UNDER_WAY = 500


class RequestIdRefused(Refused):
    """A request id that can't be used, or that another request has used."""

    hint = "give each request a new UUID, and the same one only to send the same request again"


class StillUnderWay(Conflict):
    """The same request is being answered."""

    hint = "wait for its answer, or send it again in a moment with the same request_id"


class DoneBefore(AlreadyExists):
    """It was done, and its answer is given once only."""

    hint = "list what there is; if its secret was lost, make another and take this one back"


class RequestStore(Protocol):
    """Keeps the ids of requests for a day, by tenant."""

    async def claim(
        self, tenant_id: str, request_id: str, method: str, digest: bytes
    ) -> StoredRequest | None:
        """Take an id for a request; return what is known of it if it was taken before."""

    async def keep(self, tenant_id: str, request_id: str, answer: bytes | None) -> None:
        """Note that a request was done."""

    async def release(self, tenant_id: str, request_id: str) -> None:
        """Give an id back: its request failed."""


class Repeats:
    """Does what has a request id once.

    What was begun is done to its end, even if its caller goes away: that is when it asks again. Bound: so many at
    a time; further ones are refused, and counted.
    """

    def __init__(self, store: RequestStore) -> None:
        self._store = store
        self._under_way: set[asyncio.Task[Any]] = set()

    async def once(self, method: str, request: Message, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return the answer of a request that has an id: of the first time, if it was done before."""
        request_id = _checked(getattr(request, FIELD))
        caller = principal()
        tenant, digest = caller.tenant_id, digest_of(method, request, caller)
        if len(self._under_way) >= MOST_UNDER_WAY:
            metrics.GRPC_REPEATS.labels(outcome="too_many").inc()
            raise TooManyRequests(f"{MOST_UNDER_WAY} requests with ids are being done")
        earlier = await self._store.claim(tenant, request_id, method, digest)
        if earlier is not None:
            return _answer_of(earlier, method, digest)
        task = asyncio.create_task(self._done(tenant, request_id, work))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _done(self, tenant: str, request_id: str, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            answer = await work()
        except BaseException:
            await self._store.release(tenant, request_id)
            raise
        kept = None if holds_secrets(answer.DESCRIPTOR) else answer.SerializeToString()
        await self._store.keep(tenant, request_id, kept)
        return answer

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # its caller was told, if it is still there


def has_id(request: Any) -> bool:
    """Return whether a request may be sent again."""
    if not isinstance(request, Message) or FIELD not in request.DESCRIPTOR.fields_by_name:
        return False
    return bool(getattr(request, FIELD))


def digest_of(method: str, request: Message, caller: Principal) -> bytes:
    """Return what tells one request from another: what is asked, and who asks.

    Another caller may not be let to see the answer. Secrets aren't in it: nobody can try them out on a copy.
    """
    shown = type(request)()
    shown.CopyFrom(request)
    shown.ClearField(FIELD)
    _clear_secrets(shown)
    who = f"{method}\0{caller.kind}\0{caller.caller_id or caller.name}\0"
    return hashlib.sha256(who.encode() + shown.SerializeToString(deterministic=True)).digest()


def holds_secrets(descriptor: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Return whether a message, or one in it, has fields that the protocol marks as secret (``debug_redact``)."""
    if descriptor.full_name in seen:
        return False
    seen |= {descriptor.full_name}
    return any(
        is_secret(field) or (field.message_type is not None and holds_secrets(field.message_type, seen))
        for field in descriptor.fields
    )


def is_secret(field: FieldDescriptor) -> bool:
    """Return whether the protocol marks a field as secret."""
    return bool(field.GetOptions().debug_redact)


def _clear_secrets(message: Message) -> None:
    for field, value in message.ListFields():
        if is_secret(field):
            message.ClearField(field.name)
        elif field.message_type is not None and not field.is_repeated:
            _clear_secrets(value)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for one in value:
                _clear_secrets(one)


def _checked(request_id: str) -> str:
    try:
        return str(uuid.UUID(request_id))
    except ValueError:
        raise RequestIdRefused("request_id is no UUID") from None


def _answer_of(earlier: StoredRequest, method: str, digest: bytes) -> bytes:
    if (earlier.method, earlier.digest) != (method, digest):
        metrics.GRPC_REPEATS.labels(outcome="refused").inc()
        raise RequestIdRefused("request_id was used by another request within the last day")
    if not earlier.done:
        metrics.GRPC_REPEATS.labels(outcome="under_way").inc()
        raise StillUnderWay("a request with this request_id is under way")
    metrics.GRPC_REPEATS.labels(outcome="answered").inc()
    if earlier.answer is None:
        raise DoneBefore("a request with this request_id was done, and its answer is given once only")
    return earlier.answer
