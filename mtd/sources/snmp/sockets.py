"""Sessions of gufo-snmp whose waits end when they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gufo.snmp.aio import SnmpSession

T = TypeVar("T")


class Session(SnmpSession):
    """Waits for answers by itself.

    The library uses `asyncio.wait_for`, which in Python 3.11 loses a
    cancellation that comes together with an answer: what is asked for next
    would go on with no deadline at all.
    """

    async def _recv(self, receiver: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    await self._readable()
                    try:
                        return receiver()
                    except BlockingIOError:
                        continue  # an answer to what nobody waits for any more
        except TimeoutError as error:
            raise TimeoutError from error  # as the library does: its cause may tell that nobody listens

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._fd, _wake, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
