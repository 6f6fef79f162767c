"""An event loop in a thread of its own, for tests of what needs asyncio and no Twisted.

pytest-twisted runs every test inside its reactor, where no second loop may run.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-loop", daemon=True)
    thread.start()

    def end() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()

    atexit.register(end)
    return loop


def run(coroutine: Coroutine[Any, Any, T], timeout_s: float = 30) -> T:
    """Run a coroutine on the loop; return its result, or raise what it raised."""

    async def bounded() -> T:
        async with asyncio.timeout(timeout_s):
            return await coroutine

    return asyncio.run_coroutine_threadsafe(bounded(), _loop()).result()
