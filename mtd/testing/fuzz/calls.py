"""Broken calls of every method of the gRPC door, many at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from mtd.testing.fuzz.messages import request_bytes
from mtd.testing.fuzz.values import Values

ALARMING = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS"})
"""Statuses by which a door says that it was taken by surprise."""

_END: Any = getattr(grpc.aio, "EOF")  # noqa: B009 - the checker's types don't have it
_ENDED_MEANWHILE = "Internal error from Core"
"""What the client itself says where it still writes to a stream that the door has ended."""

_DEADLINE_S = 3.0
_STREAM_S = 0.2
_MOST_MESSAGES = 3
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))


@dataclass(slots=True)
class CallTally:
    """What became of calls: how many ended how, and those that should not have ended so."""

    statuses: Counter[str] = field(default_factory=Counter)
    alarming: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """Return how many there were."""
        return sum(self.statuses.values())


async def fuzz_calls(
    target: str,
    services: Sequence[ServiceDescriptor],
    *,
    count: int,
    seed: int,
    callers: Sequence[Mapping[str, str]] = ({},),
    at_once: int = 32,
) -> CallTally:
    """Make so many calls, of all methods in turn; ``callers`` are the metadata by which they say who they are."""
    methods = [method for service in services for method in service.methods]
    tally = CallTally()
    numbers = iter(range(seed, seed + count))
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:

        async def work() -> None:
            for number in numbers:  # one iterator for all: each number is taken once
                method = methods[number % len(methods)]
                caller = callers[(number // len(methods)) % len(callers)]
                status, detail = await _call(channel, method, Values(number), tuple(caller.items()))
                tally.statuses[status] += 1
                if status in ALARMING:
                    tally.alarming.append(f"seed {number}: {method.full_name}: {status}: {detail}"[:1000])

        await asyncio.gather(*(work() for _ in range(at_once)))
    return tally


async def _call(
    channel: Any, method: MethodDescriptor, values: Values, metadata: tuple[tuple[str, str], ...]
) -> tuple[str, str]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    named = (*metadata, *_metadata(values))
    try:
        if method.client_streaming:
            requests = [request_bytes(method, values) for _ in range(1 + values.few(3))]
            stream = (channel.stream_stream if method.server_streaming else channel.stream_unary)(path)
            answer = stream(_feed(requests), timeout=_DEADLINE_S, metadata=named)
        else:
            plain = (channel.unary_stream if method.server_streaming else channel.unary_unary)(path)
            answer = plain(request_bytes(method, values), timeout=_DEADLINE_S, metadata=named)
        if not method.server_streaming:
            await answer
            return "OK", ""
        return await _read_some(answer)
    except grpc.aio.AioRpcError as error:
        if error.details() == _ENDED_MEANWHILE:
            return "ENDED_MEANWHILE", ""
        return error.code().name, error.details() or ""


async def _read_some(answer: Any) -> tuple[str, str]:
    """Read a few messages of a stream, for a moment; then go away."""
    try:
        async with asyncio.timeout(_STREAM_S):
            for _ in range(_MOST_MESSAGES):
                if await answer.read() is _END:
                    break
    except TimeoutError:
        pass  # it has nothing to say now
    finally:
        answer.cancel()
    return "OK", ""


async def _feed(requests: Sequence[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


def _metadata(values: Values) -> list[tuple[str, str]]:
    """Return metadata that make no sense, now and then; of what HTTP/2 lets through."""
    if values.chance.random() < 0.9:
        return []
    text = "".join(one for one in values.text()[:200] if " " <= one <= "~")
    return [(values.chance.choice(("mtd-tenant", "authorization", "x-forwarded-for", "mtd-position")), text)]
