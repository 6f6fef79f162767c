"""Streams that run once: tools on routers, scans. Unlike values and events, they aren't opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mtd.client.errors import error_of

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunCall(Generic[T]):
    """What is to be run. ``read`` gives the parts of a message of the stream."""

    service: str
    method: str
    request: Any
    read: Callable[[Any], Iterable[T]]


class Run(Generic[T]):
    """A run under way: iterate over it. Closing it, or leaving its block, ends it at the other end, too."""

    def __init__(self, stream: Any, call: RunCall[T], target: str) -> None:
        self._stream, self._call, self._target = stream, call, target

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        """Yield the parts as they come. Raises MtdClientError."""
        import grpc

        try:
            for message in self._stream:
                yield from self._call.read(message)
        except grpc.RpcError as failed:
            raise error_of(failed, self._target) from None
        finally:
            self.close()

    def close(self) -> None:
        """End it; no harm if it has ended."""
        self._stream.cancel()


class AsyncRun(Generic[T]):
    """A run under way, for asyncio; see `Run`."""

    def __init__(self, stream: Any, call: RunCall[T], target: str) -> None:
        self._stream, self._call, self._target = stream, call, target

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield the parts as they come. Raises MtdClientError."""
        import grpc

        try:
            async for message in self._stream:
                for part in self._call.read(message):
                    yield part
        except grpc.RpcError as failed:
            raise error_of(failed, self._target) from None
        finally:
            self.close()

    def close(self) -> None:
        """End it; no harm if it has ended."""
        self._stream.cancel()
