"""Many consoles on a daemon, of a kind that reads everything and keeps nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import websockets

_OPENED_AT_ONCE = 10


class Crowd:
    """Viewers of the live channel, in a thread of their own; each calls again every so often."""

    def __init__(self, url: str, view: dict[str, Any], viewers: int, reconnect_every_s: float) -> None:
        self._url = url
        self._text = json.dumps({"op": "view", **view})
        self._viewers = viewers
        self._reconnect_every_s = reconnect_every_s
        self.messages = 0
        """Received, by all."""
        self.values = 0
        """Of these, messages with values of devices."""
        self.connections = 0
        self.problems: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._gone = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._gone.set)
        self._thread.join(30)

    def _run(self) -> None:
        self._loop.run_until_complete(self._all())
        self._loop.close()

    async def _all(self) -> None:
        gate = asyncio.Semaphore(_OPENED_AT_ONCE)
        tasks = [asyncio.create_task(self._sit(number, gate)) for number in range(self._viewers)]
        await self._gone.wait()
        for task in tasks:
            task.cancel()
        self._report(await asyncio.gather(*tasks, return_exceptions=True))

    def _report(self, ends: Sequence[BaseException | None]) -> None:
        self.problems += [
            repr(end) for end in ends if end is not None and not isinstance(end, asyncio.CancelledError)
        ]

    async def _sit(self, number: int, gate: asyncio.Semaphore) -> None:
        # They don't all leave at the same moment.
        stay_s = self._reconnect_every_s * (0.5 + number / self._viewers)
        while True:
            async with gate:
                socket = await websockets.connect(self._url, max_size=None)
            self.connections += 1
            try:
                async with asyncio.timeout(stay_s):
                    await socket.send(self._text)
                    async for message in socket:
                        self.messages += 1
                        self.values += '"type":"values"' in str(message[:40])
            except TimeoutError:
                pass  # it was long enough: call again
            finally:
                await socket.close()
