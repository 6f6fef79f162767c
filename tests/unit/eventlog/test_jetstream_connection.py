"""A connection that is opened anew: what is said of the one before does nothing to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mtd.eventlog.config import NatsConfig
from mtd.eventlog.jetstream.connection import Connection
from mtd.eventlog.jetstream.errors import NatsAway
from mtd.testing import run_async

SILENCE = NatsAway("the NATS server did not answer in time")


class Client:
    """A server's end of a connection, which may take its time to close."""

    def __init__(self) -> None:
        self.is_connected = True
        self.may_close = asyncio.Event()
        self.closed = False

    async def close(self) -> None:
        await self.may_close.wait()
        self.closed = True


def opened(connection: Connection) -> Client:
    """Give a connection the next client, as opening does."""
    client = Client()
    given: Any = client
    connection._client = given
    connection._openings += 1
    return client


def waiting(connection: Connection) -> asyncio.Future[Any]:
    """Let somebody wait for an answer."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection._waiting[str(len(connection._waiting))] = (answer, lambda message: None)
    return answer


def test_many_who_were_let_down_by_one_dont_close_the_next() -> None:
    async def main() -> None:
        connection = Connection(NatsConfig(), "test")
        first = opened(connection)
        first.may_close.set()
        opening = connection.opening
        await connection.drop(SILENCE, opening)
        assert first.closed
        second = opened(connection)
        await connection.drop(SILENCE, opening)
        assert connection.is_open
        assert not second.closed
        assert connection.opening == opening + 1

    run_async(main())


def test_who_had_to_open_it_may_drop_it() -> None:
    async def main() -> None:
        connection = Connection(NatsConfig(), "test")
        opening = connection.opening
        client = opened(connection)
        client.may_close.set()
        await connection.drop(SILENCE, opening)
        assert client.closed
        assert not connection.is_open

    run_async(main())


def test_what_closes_slowly_takes_no_answers_from_the_next() -> None:
    async def main() -> None:
        connection = Connection(NatsConfig(), "test")
        first = opened(connection)
        lost = waiting(connection)
        dropping = asyncio.ensure_future(connection.drop(SILENCE, connection.opening))
        await asyncio.sleep(0)
        opened(connection)
        wanted = waiting(connection)
        first.may_close.set()
        await dropping
        with pytest.raises(NatsAway, match="was closed"):
            await lost
        assert not wanted.done()

    run_async(main())
