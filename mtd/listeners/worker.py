"""What processes that receive have in common: the pipes to the daemon, and when they end.

Their sockets are the daemon's, which opened them: what comes while a worker is started again waits in the kernel.
A worker ends when standard input does; at once, if nobody reads its standard output any more: the daemon was killed then,
and the next one waits for the ports.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Protocol

_END_S = 2.0
_LINE_BYTES = 16 * 2**20


class Work(Protocol):
    """What a worker does."""

    async def run(self, commands: asyncio.StreamReader) -> None:
        """Work; return when there are no commands any more, and all is told."""


class _Hearer(asyncio.BaseProtocol):
    """Who reads standard output. ``gone``: nobody does any more."""

    def __init__(self) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, _: Exception | None) -> None:
        """Note that nobody does."""
        if not self.gone.done():
            self.gone.set_result(None)


def run_worker(make: Callable[[dict[str, Any], asyncio.WriteTransport], Work]) -> int:
    """Work until told to end; return the exit code. ``make`` is given the daemon's first words, and the way to it."""
    # Ctrl-C in a terminal reaches the whole group: it is the daemon that says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_main(make))
    return 0


async def _main(make: Callable[[dict[str, Any], asyncio.WriteTransport], Work]) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin.buffer)
    output, hearer = await loop.connect_write_pipe(_Hearer, sys.stdout.buffer)
    working = asyncio.ensure_future(_work(make, commands, output))
    await asyncio.wait((working, hearer.gone), return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
    else:
        os._exit(1)  # what it has can't be told: to end in order would only take longer


async def _work(
    make: Callable[[dict[str, Any], asyncio.WriteTransport], Work],
    commands: asyncio.StreamReader,
    output: asyncio.WriteTransport,
) -> None:
    await make(json.loads(await commands.readline()), output).run(commands)
    async with asyncio.timeout(_END_S):
        while output.get_write_buffer_size():  # noqa: ASYNC110 - nobody tells, and it is soon over
            await asyncio.sleep(0.01)


async def regularly(interval_s: float, work: Callable[[], None]) -> None:
    """Do something again and again."""
    while True:
        await asyncio.sleep(interval_s)
        work()
