"""How long calls may take: those that are answered once, and streams until they begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from mtd.api.config import GrpcConfig
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused


class FirstMessageLate(Refused):
    """A caller began a call and sent nothing."""

    hint = "begin the call when there is something to send"


class RequestMissing(Refused):
    """A caller ended its side without a request."""

    hint = "send the request, even if it is empty"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """In seconds. ``unary``: of callers that give none; ``longest``: whatever they give."""

    unary: float = 30.0
    longest: float = 300.0
    answer: float = 60.0
    first_message: float = 30.0

    @classmethod
    def of(cls, config: GrpcConfig) -> Deadlines:
        """Return the deadlines of a configuration."""
        return cls(
            config.unary_deadline_s,
            config.longest_deadline_s,
            config.stream_answer_deadline_s,
            config.first_message_deadline_s,
        )

    def unary_s(self, given: float | None) -> float:
        """Return the time of a call; ``given``: what its caller's deadline leaves. gRPC keeps that one by itself."""
        return min(self.unary if given is None else self.longest, self.longest)


class AnswerClock:
    """A stream's context. Its deadline ends with the first thing that is said: metadata or a message."""

    def __init__(self, context: Context, limit: asyncio.Timeout) -> None:
        self._context = context
        self._limit = limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def answered(self) -> None:
        """Let the stream go on for as long as it likes."""
        if self._limit.when() is not None and not self._limit.expired():
            self._limit.reschedule(None)

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Send the metadata that come first."""
        await self._context.send_initial_metadata(metadata)
        self.answered()

    async def write(self, message: Any) -> None:
        """Send a message."""
        await self._context.write(message)
        self.answered()


async def only_message(requests: Any, seconds: float) -> Any:
    """Return the request of a call that isn't a stream of them. Raises FirstMessageLate, RequestMissing."""
    try:
        return await _first(aiter(requests), seconds)
    except StopAsyncIteration:
        raise RequestMissing("the call has no request") from None


async def in_time(requests: Any, seconds: float) -> AsyncIterator[Any]:
    """Yield a caller's messages. Raises FirstMessageLate if the first isn't there in time."""
    messages = aiter(requests)
    try:
        first = await _first(messages, seconds)
    except StopAsyncIteration:
        return
    yield first
    async for message in messages:
        yield message


async def _first(messages: AsyncIterator[Any], seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await anext(messages)
    except TimeoutError:
        raise FirstMessageLate(f"nothing was sent within {seconds:g} s") from None
