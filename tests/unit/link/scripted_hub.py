"""A hub whose every word the test decides."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from typing import Any, ParamSpec

from mtd.core.errors import MtdError, Retryable
from mtd.link.assignments import Telling
from mtd.model.assignment import Assignment
from mtd.pb.collector.v1 import collector_link_service_pb2 as pb
from mtd.testing import run_async
from tests.unit.link.devices_made import TENANT

WITHIN_S = 10.0

P = ParamSpec("P")


def looped(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on the reactor's loop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_async(test(*args, **kwargs))

    return run


class Line:
    """One stream, as the hub has it."""

    def __init__(self, requests: AsyncIterator[pb.AttachRequest]) -> None:
        self._requests: asyncio.Queue[pb.AttachRequest] = asyncio.Queue()
        self._reading = asyncio.ensure_future(self._read(requests))
        self.said: asyncio.Queue[pb.AttachResponse | MtdError | None] = asyncio.Queue()
        self.telling = Telling(10)
        self.closed = asyncio.Event()

    async def _read(self, requests: AsyncIterator[pb.AttachRequest]) -> None:
        async for request in requests:
            self._requests.put_nowait(request)
            if request.WhichOneof("message") == "leave":
                self.end()

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self.closed.set()

    async def hear(self, kind: str) -> Any:
        """Return the next message of a kind; others before it are passed over."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                request = await self._requests.get()
                if request.WhichOneof("message") == kind:
                    return getattr(request, kind)

    def say(self, **message: Any) -> None:
        self.said.put_nowait(pb.AttachResponse(**message))

    def fail(self, error: MtdError) -> None:
        self.said.put_nowait(error)

    def end(self) -> None:
        self.said.put_nowait(None)

    def welcome(self, lease_epoch: int = 1, lease_s: float = 60.0, renew_s: float = 0.02) -> None:
        tenants = [pb.ServedTenant(tenant_id=TENANT, pseudonym_key=b"k" * 32)]
        self.say(
            welcome=pb.Welcome(
                lease_s=lease_s, renew_interval_s=renew_s, tenants=tenants, lease_epoch=lease_epoch
            )
        )

    def tell(self, assignment: Assignment) -> None:
        for part in self.telling.parts(assignment):
            self.say(assignment=part)

    async def renew(self, lease_s: float = 60.0) -> Any:
        """Answer the next renewal, and return it."""
        renew = await self.hear("renew")
        self.say(renewed=pb.Renewed(sequence=renew.sequence, lease_s=lease_s))
        return renew


class ScriptedHub:
    """See `Dial`."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self.failures: list[MtdError] = []
        self.rows: list[pb.StreamKnownRowsResponse] = []
        self.asked: list[pb.StreamKnownRowsRequest] = []
        self.away = False

    async def line(self) -> Line:
        """Return the next stream that the edge opens."""
        async with asyncio.timeout(WITHIN_S):
            return await self._lines.get()

    async def welcomed(self, **welcome: Any) -> tuple[Line, Any]:
        """Return the next stream, welcomed, and its hello."""
        line = await self.line()
        hello = await line.hear("hello")
        line.welcome(**welcome)
        return line, hello

    async def attach(
        self, requests: AsyncIterator[pb.AttachRequest]
    ) -> AsyncGenerator[pb.AttachResponse, None]:
        if self.away:
            raise Retryable("the hub can't be reached")
        line = Line(requests)
        self._lines.put_nowait(line)
        try:
            while (said := await line.said.get()) is not None:
                if isinstance(said, MtdError):
                    raise said
                yield said
        finally:
            await line.close()

    async def known_rows(
        self, request: pb.StreamKnownRowsRequest
    ) -> AsyncGenerator[pb.StreamKnownRowsResponse, None]:
        self.asked.append(request)
        for response in self.rows:
            yield response

    def failed(self, error: MtdError) -> None:
        self.failures.append(error)
