"""What is written while a request is answered carries its id."""

from __future__ import annotations

import asyncio

from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from mtd.api.http.bodies import BodyLimits, bounded_by
from mtd.core import log_fields
from tests.contract.loop import run


class Looking(Resource):
    """Notes what a line would carry: at once, and in a task that goes on."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[object] = []
        self.tasks: list[asyncio.Task[None]] = []

    def render_GET(self, request: Request) -> int:
        self.seen.append(log_fields.fields()["request_id"])
        self.tasks.append(asyncio.ensure_future(self._later()))
        return NOT_DONE_YET

    async def _later(self) -> None:
        await asyncio.sleep(0)
        self.seen.append(log_fields.fields()["request_id"])


def test_a_request_is_named_by_its_caller_or_by_us() -> None:
    looking = Looking()

    async def ask(*headers: str) -> None:
        site = Site(looking, requestFactory=bounded_by(BodyLimits()))  # type: ignore[no-untyped-call]
        channel = site.buildProtocol(None)
        channel.makeConnection(StringTransport())
        channel.dataReceived("\r\n".join(["GET / HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        assert "request_id" not in log_fields.fields()
        await asyncio.gather(*looking.tasks)

    async def several() -> None:
        await ask("x-request-id: ticket-4711")
        await ask("x-request-id: two words")
        await ask()

    run(several())
    given, task, made, _, other, _ = looking.seen
    assert given == task == "ticket-4711"
    assert len({given, made, other}) == 3
