"""The process that receives lines over UDP and reads them: ``python -m mtd.listeners.syslog.worker``.

It does with lines what the daemon does without workers, and hands over events that are ready to be recorded, so
many bytes at most that the daemon hasn't recorded yet: then lines wait here, and are dropped and counted when too
many do. See ``mtd.listeners.worker`` for its beginning and end.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.pulse import BEAT_S, Heart
from mtd.core.shared_numbers import SharedNumbers
from mtd.listeners import metrics
from mtd.listeners.pipe import COUNTS, frame
from mtd.listeners.senders import Sender, Senders
from mtd.listeners.syslog.config import SyslogConfig
from mtd.listeners.syslog.lines import GATHER_S, LINES_PER_LOOK, NAME, Lines
from mtd.listeners.syslog.outbox import Outbox
from mtd.listeners.syslog.pipe import KnownDevice, Portion
from mtd.listeners.syslog.reading import rules_of
from mtd.listeners.turns import Turns
from mtd.listeners.udp import Inbox, Received, UdpListener
from mtd.listeners.worker import regularly, run_worker
from mtd.model.logs import LogEntry

logger = logging.getLogger(__name__)

_TELL_S = 0.5
_EVENTS_AT_ONCE = 8
_MOST_UNRECORDED_BYTES = 2**20
_MOST_STRANGERS = 1000


class Met:
    """Who sends, as the daemon told; and who else did since that was told the last time."""

    def __init__(self) -> None:
        self.senders: Senders[KnownDevice] = Senders()
        self._strangers: dict[str, tuple[int, int, str]] = {}
        self._confused: dict[str, tuple[int, int]] = {}
        self._too_fast: Counter[str] = Counter()

    def find(self, address: str, name: str = "") -> Sequence[KnownDevice]:
        """Return the devices that a sender can be."""
        return self.senders.find(address, name)

    def meet(
        self, address: str, at_us: int, messages: int = 1, name_of: Callable[[], str] = lambda: ""
    ) -> None:
        """Take note of a sender that is nobody's device. Of more than a thousand at a time, lines are counted, and no names told."""
        known = self._strangers.get(address)
        if known is not None:
            self._strangers[address] = (known[0] + messages, at_us, known[2])
        elif len(self._strangers) < _MOST_STRANGERS:
            self._strangers[address] = (messages, at_us, name_of())

    def confuse(self, address: str, at_us: int, devices: Sequence[Sender], messages: int = 1) -> None:
        """Take note of a sender that several devices can be."""
        del devices  # the daemon knows them
        before, _ = self._confused.get(address, (0, 0))
        self._confused[address] = (before + messages, at_us)

    def too_fast(self, device_id: str) -> None:
        """Take note of a device that sends too much."""
        self._too_fast[device_id] += 1

    def news(self) -> dict[str, Any]:
        """Return what there is to tell, and forget it."""
        told = {"strangers": self._strangers, "confused": self._confused, "too_fast": self._too_fast}
        self._strangers, self._confused, self._too_fast = {}, {}, Counter()
        return told


class Worker:
    """Receives until standard input ends."""

    def __init__(self, job: dict[str, Any], output: asyncio.WriteTransport) -> None:
        self._config = SyslogConfig.model_validate(job["config"])
        self._output = output
        self._heart = Heart()
        self._numbers = SharedNumbers(1, int(job["received"]))
        self._received = self._numbers.view
        self._told: Counter[str] = Counter()
        self._unrecorded_bytes = 0
        self._met = Met()
        # Each has its part of what may wait in all.
        self._inbox = Inbox(NAME, self._config.max_waiting_bytes // self._config.workers)
        self._outbox: Outbox[KnownDevice] = Outbox(NAME, self._hand_over)
        rules = rules_of(job["rules"], self._config.rules_file)
        self._lines = Lines(self._config, rules, self._met, self._met.too_fast, self._outbox, SYSTEM_CLOCK)
        self._udp = UdpListener(
            NAME,
            self._config.host,
            0,
            self,
            SYSTEM_CLOCK,
            self._config.receive_buffer_bytes,
            gather_s=GATHER_S,
        )
        self._turns = Turns(
            NAME,
            self._inbox,
            self._lines.take,
            self._held_up,
            SYSTEM_CLOCK,
            at_once=LINES_PER_LOOK,
            is_behind=lambda: self._udp.is_behind,
        )
        self._socket: socket.socket | None = socket.socket(fileno=int(job["socket"]))

    async def run(self, commands: asyncio.StreamReader) -> None:
        """Work; return when there are no commands any more, and all is told."""
        async with asyncio.TaskGroup() as tasks:
            regular = [
                tasks.create_task(self._turns.run()),
                tasks.create_task(self._flush_regularly()),
                tasks.create_task(regularly(BEAT_S, self._heart.beat)),
                tasks.create_task(regularly(_TELL_S, self._tell)),
            ]
            while line := await commands.readline():
                self._obey(json.loads(line))
            for task in regular:
                task.cancel()
        self._udp.stop()
        await self._turns.finish()
        self._lines.tell_repeats(all_of_them=True)
        for _ in self._outbox.flush():
            pass
        self._tell()

    def _obey(self, told: dict[str, Any]) -> None:
        if (size := told.get("taken")) is not None:
            self._unrecorded_bytes -= int(size)
        if (addresses := told.get("addresses")) is not None:
            self._met.senders.apply_addresses(addresses)
        if (rows := told.get("devices")) is not None:
            devices = [KnownDevice(*row) for row in rows]
            self._met.senders.apply(devices)
            self._outbox.devices = {device.device_id: device for device in devices}
            self._lines.paces.keep(self._outbox.devices)
            self._listen()

    def _listen(self) -> None:
        """Begin to receive: before it is known who sends, datagrams wait in the kernel."""
        if self._socket is not None:
            self._socket.setblocking(False)
            self._udp.listen(self._socket)
            self._socket = None

    def put(self, one: Received) -> None:
        """Take a datagram. It is counted where it stays counted if this process is killed."""
        self._received[0] += 1
        self._inbox.put(one)

    def _held_up(self) -> bool:
        return self._unrecorded_bytes >= _MOST_UNRECORDED_BYTES

    def _hand_over(self, device: KnownDevice, sender: str, entries: Sequence[LogEntry]) -> bool:
        portion = Portion.of(device.device_id, sender, entries)
        self._unrecorded_bytes += portion.size
        self._output.write(portion.framed)
        return True

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.flush_s)
            if self._held_up():
                continue
            self._lines.tell_repeats()
            for number, _ in enumerate(self._outbox.flush(), 1):
                if number % _EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # the kernel keeps little: what comes meanwhile is received

    def _tell(self) -> None:
        """Tell what was counted since the last time."""
        totals = counted()
        counts = {name: count - self._told[name] for name, count in totals.items()}
        self._told = totals
        news = {"counts": counts, "waiting_bytes": self._inbox.size, **self._met.news()}
        self._output.write(frame(COUNTS, json.dumps(news).encode()))


def counted() -> Counter[str]:
    """Return what this process counted of what daemons tell, by name; of what was dropped, by reason."""
    found: Counter[str] = Counter()
    for name, metric in metrics.TOLD.items():
        for family in metric.collect():
            for sample in family.samples:
                if sample.name.endswith("_total") and sample.labels.get("listener") == NAME:
                    found[f"{name}.{sample.labels.get('reason', '')}"] += int(sample.value)
    return found


if __name__ == "__main__":
    sys.exit(run_worker(Worker))
