"""Requests that can't be read: gRPC would answer them as a fault of its own, and log a traceback for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from mtd.core.errors import Refused


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands for a request that can't be read."""

    reason: str


def or_malformed(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return a deserializer that raises nothing."""
    if deserializer is None:
        return None

    def read(raw: bytes) -> Any:
        try:
            return deserializer(raw)
        except DecodeError as error:
            return Malformed(str(error))

    return read


def readable(request: Any) -> Any:
    """Return a request, or the stream of them. Refuses one that can't be read, in a stream when it comes to it."""
    if isinstance(request, Malformed):
        raise Refused(f"the request can't be read: {request.reason[:200]}")
    return _each_readable(request) if hasattr(request, "__aiter__") else request


async def _each_readable(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield readable(request)
