"""The process that receives and reads flows: ``python -m mtd.listeners.flows.worker``.

Its sockets are the daemon's, which opened them: what comes while a worker is started again waits in the kernel.
It ends when standard input does, so that it never outlives the daemon; see ``mtd.listeners.flows.pipe`` for what
the two say to each other.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtd.codec.flows import Learned
from mtd.core.clock import SYSTEM_CLOCK
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.enrichment import Enrichments
from mtd.listeners.flows.memory import path_of, read_learned, write_learned
from mtd.listeners.flows.pipe import COUNTS, PORTION, frame
from mtd.listeners.flows.receiver import Receiver
from mtd.listeners.udp import UdpListener
from mtd.model.events import Origin
from mtd.model.flows import FlowPortion, flow_event

logger = logging.getLogger(__name__)

NAME = "flows"
_TELL_S = 1.0
_REMEMBER_S = 10.0
_REFRESH_S = 60.0
_END_S = 2.0
_LINE_BYTES = 16 * 2**20
_NOBODY = Origin("", "")


class Worker:
    """Receives until standard input ends."""

    def __init__(self, job: dict[str, Any], output: asyncio.WriteTransport) -> None:
        self._config = FlowsConfig.model_validate(job["config"])
        self._folder = Path(job["folder"])
        self._number = int(job["number"])
        self._output = output
        self._known = False
        self._kept: dict[str, Sequence[Learned]] = {}
        learned = read_learned(self._folder)
        self._enrichments = Enrichments(self._config.enrichment)
        self._receiver = Receiver(self._config, self._send, learned, self._enrichments)
        self._listeners = [
            UdpListener(
                NAME, self._config.host, 0, self._receiver, SYSTEM_CLOCK, self._config.receive_buffer_bytes
            )
            for _ in job["sockets"]
        ]
        self._sockets = [socket.socket(fileno=number) for number in job["sockets"]]

    async def run(self, commands: asyncio.StreamReader) -> None:
        """Work; return when there are no commands any more, and all is told."""
        async with asyncio.TaskGroup() as tasks:
            regular = [
                tasks.create_task(self._regularly(self._config.flush_s, self._receiver.flush)),
                tasks.create_task(self._regularly(_TELL_S, self._tell)),
                tasks.create_task(self._regularly(_REMEMBER_S, self._remember)),
                tasks.create_task(self._regularly(_REFRESH_S, self._enrichments.refresh)),
            ]
            while line := await commands.readline():
                self._receiver.know(json.loads(line)["known"])
                self._listen()
            for task in regular:
                task.cancel()
        for listener in self._listeners:
            listener.stop()
        self._receiver.flush()
        self._tell()
        self._remember()

    def _listen(self) -> None:
        """Begin to receive: before it is known who sends, datagrams wait in the kernel."""
        if self._known:
            return
        self._known = True
        for listener, made in zip(self._listeners, self._sockets, strict=True):
            made.setblocking(False)
            listener.listen(made)

    @staticmethod
    async def _regularly(interval_s: float, work: Any) -> None:
        while True:
            await asyncio.sleep(interval_s)
            work()

    def _send(self, portion: FlowPortion) -> bool:
        waiting = self._output.get_write_buffer_size()
        if waiting and waiting + len(portion.block) > self._config.max_waiting_bytes:
            return False
        event = flow_event(_NOBODY, portion, SYSTEM_CLOCK.now_us())
        self._output.write(frame(PORTION, event.SerializeToString()))
        return True

    def _tell(self) -> None:
        for listener in self._listeners:
            listener.count_drops()
        news = self._receiver.news()
        news["kernel_dropped"] = sum(listener.dropped for listener in self._listeners)
        news["waiting_bytes"] = self._output.get_write_buffer_size()
        self._output.write(frame(COUNTS, json.dumps(news).encode()))

    def _remember(self) -> None:
        learned = dict(self._receiver.learned())
        if learned == self._kept:
            return
        try:
            write_learned(path_of(self._folder, self._number), learned)
        except OSError as error:
            logger.warning("templates of flows can't be kept for the next start: %s", error)
        self._kept = learned


async def _main() -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin.buffer)
    output, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout.buffer)
    worker = Worker(json.loads(await commands.readline()), output)
    await worker.run(commands)
    async with asyncio.timeout(_END_S):
        while output.get_write_buffer_size():  # noqa: ASYNC110 - nobody tells, and it is soon over
            await asyncio.sleep(0.01)


def main() -> int:
    """Receive until told to end; return the exit code."""
    # Ctrl-C in a terminal reaches the whole group: it is the daemon that says when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_main())
    return 0


if __name__ == "__main__":
    sys.exit(main())
