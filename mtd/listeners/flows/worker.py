"""The process that receives and reads flows: ``python -m mtd.listeners.flows.worker``.

See ``mtd.listeners.worker`` for its beginning and end, and ``mtd.listeners.pipe`` for what it and the daemon say to each
other.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from pathlib import Path
from typing import Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.pulse import BEAT_S, Heart
from mtd.core.shared_numbers import SharedNumbers
from mtd.listeners.flows.config import FlowsConfig
from mtd.listeners.flows.enrichment import Enrichments
from mtd.listeners.flows.handing import Outbox
from mtd.listeners.flows.ledger import Ledger, numbers_for
from mtd.listeners.flows.memory import Memory, read_learned
from mtd.listeners.flows.receiver import Receiver
from mtd.listeners.pipe import COUNTS, frame
from mtd.listeners.udp import UdpListener
from mtd.listeners.worker import regularly, run_worker
from mtd.model.events import Origin
from mtd.model.flows import FlowPortion, flow_event

logger = logging.getLogger(__name__)

NAME = "flows"
_TELL_S = 1.0
_REMEMBER_S = 10.0
_REFRESH_S = 60.0


class Worker:
    """Receives until standard input ends."""

    def __init__(self, job: dict[str, Any], output: asyncio.WriteTransport) -> None:
        self._config = FlowsConfig.model_validate(job["config"])
        self._folder = Path(job["folder"])
        self._number = int(job["number"])
        self._output = output
        self._heart = Heart()
        self._listening = False
        self._known = 0
        self._most_unread = int(job["most_unrecorded_bytes"])
        self._outbox = Outbox(
            output.write, self._most_unread, self._config.max_waiting_bytes, int(job["unrecorded_bytes"])
        )
        self._memory = Memory(self._folder, self._number)
        self._failures_told = 0
        learned = read_learned(self._folder)
        self._enrichments = Enrichments(self._config.enrichment)
        self._numbers = SharedNumbers(numbers_for(self._config.max_exporters), int(job["ledger"]))
        self._receiver = Receiver(
            self._config, self._send, learned, self._enrichments, Ledger(self._numbers.view)
        )
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
                tasks.create_task(regularly(self._config.flush_s, self._receiver.flush)),
                tasks.create_task(regularly(BEAT_S, self._heart.beat)),
                tasks.create_task(regularly(_TELL_S, self._tell_if_read)),
                tasks.create_task(self._keep_remembering()),
                tasks.create_task(regularly(_REFRESH_S, self._enrichments.refresh)),
            ]
            while line := await commands.readline():
                self._obey(json.loads(line))
            for task in regular:
                task.cancel()
        for listener in self._listeners:
            listener.stop()
        self._receiver.flush()
        self._outbox.finish()
        self._tell()
        await self._remember()

    def _obey(self, told: dict[str, Any]) -> None:
        if (size := told.get("taken")) is not None:
            self._outbox.taken(int(size))
            return
        self._known = int(told["number"])
        domains = {
            address: {int(domain): tenant for domain, tenant in tenants.items()}
            for address, tenants in told["domains"].items()
        }
        self._receiver.know(told["known"], domains)
        self._listen()

    def _listen(self) -> None:
        """Begin to receive: before it is known who sends, datagrams wait in the kernel."""
        if self._listening:
            return
        self._listening = True
        for listener, made in zip(self._listeners, self._sockets, strict=True):
            made.setblocking(False)
            listener.listen(made)

    def _send(self, portion: FlowPortion, tenant_id: str) -> bool:
        event = flow_event(Origin(tenant_id, ""), portion, SYSTEM_CLOCK.now_us())
        return self._outbox.put(event.SerializeToString())

    def _tell_if_read(self) -> None:
        """Tell what was counted, unless the daemon reads nothing: then it is told together, later."""
        if self._output.get_write_buffer_size() <= self._most_unread:
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener.count_drops()
        news = self._receiver.news()
        news["kernel_dropped"] = sum(listener.dropped for listener in self._listeners)
        failures, self._failures_told = self._memory.failures - self._failures_told, self._memory.failures
        news["unkept"], news["unkept_why"] = failures, self._memory.trouble
        news["waiting_bytes"] = self._outbox.waiting_bytes
        news["known"] = self._known  # which of what it was told holds for these
        self._output.write(frame(COUNTS, json.dumps(news).encode()))

    async def _keep_remembering(self) -> None:
        while True:
            await asyncio.sleep(_REMEMBER_S)
            await self._remember()

    async def _remember(self) -> None:
        await asyncio.to_thread(self._memory.keep, dict(self._receiver.learned()))


if __name__ == "__main__":
    sys.exit(run_worker(Worker))
