"""Running a Lab in the foreground, from its own process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

from mtd.lab.service import Lab


async def _serve(
    make: Callable[[], Lab], started: Callable[[Lab], None], state_file: Path | None, seconds: float | None
) -> Lab:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    lab = make()
    await lab.start()
    try:
        if state_file is not None:
            lab.write_state(state_file)
        started(lab)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
    finally:
        await lab.stop()
    return lab


def run(
    make: Callable[[], Lab],
    started: Callable[[Lab], None],
    *,
    state_file: Path | None = None,
    seconds: float | None = None,
) -> Lab:
    """Run a lab until SIGINT, SIGTERM, or for some seconds; return it, stopped.

    ``started`` is called once its ports are open. uvloop is used where it is
    installed: it costs about a third less.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(make, started, state_file, seconds))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
