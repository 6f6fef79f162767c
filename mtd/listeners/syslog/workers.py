"""The daemon's side of processes that receive lines over UDP: opens the port, keeps them running, records what they read."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mtd.core.queues import Policy, declare
from mtd.core.service import TaskGroup
from mtd.core.worker_process import Patience, WorkerProcess
from mtd.listeners import metrics
from mtd.listeners.pipe import COUNTS, frames_of
from mtd.listeners.sharing import close_all, shared_sockets
from mtd.listeners.syslog.lines import NAME
from mtd.listeners.syslog.outbox import count_stored
from mtd.listeners.syslog.pipe import Portion, told_addresses, told_devices, told_taken
from mtd.listeners.syslog.slot import Slot
from mtd.listeners.turns import HELD_UP, LOOK_AGAIN_S
from mtd.listeners.udp import WAITING

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.ingest.recorder import Recorder
    from mtd.listeners.directory import Directory
    from mtd.listeners.pace import Excess
    from mtd.listeners.syslog.config import SyslogConfig
    from mtd.model.device import Device
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

_WORKER = ("-m", "mtd.listeners.syslog.worker")
# To look at what waits, and to hand that over; while one hangs the kernel's buffer runs over.
_PATIENCE = Patience(stop_s=5.0, silence_s=30.0)
_TURN_S = 0.004
_STRANGERS_AT_ONCE = 50
# Workers hand over a MiB each that isn't recorded yet. More is there only of such as died since.
_MOST_BYTES_EACH = 4 * 2**20

HANDED_OVER = declare(
    "listeners.handed_over",
    "bytes",
    Policy.WAIT,
    "Lines that workers read and that wait to be recorded.",
    limited_by="4 MiB for each of syslog.workers",
)


class _Handed(NamedTuple):
    """A portion that waits to be recorded. ``start``: which of the workers of its slot it is of."""

    slot: Slot
    start: int
    portion: Portion
    event: Envelope


class Workers:
    """Processes that share a port, and what they hand over, which waits while the log takes nothing.

    ``rules``: what ``syslog.rules_file`` held at the start: whatever is in it by now, all go by the same.
    """

    def __init__(
        self,
        config: SyslogConfig,
        rules: str | None,
        recorder: Recorder,
        directory: Directory,
        excess: Excess,
        clock: Clock,
    ) -> None:
        self._config = config
        self._rules = rules
        self._recorder = recorder
        self._directory = directory
        self._excess = excess
        self._clock = clock
        self._devices: Mapping[str, Device] = {}
        self._told_devices = b""
        self._told_addresses = b""
        self._slots: list[Slot] = []
        self._waiting: deque[_Handed] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()
        self._stopping = False
        self._tasks = TaskGroup("listeners.syslog.workers")
        self._recording: asyncio.Task[None] | None = None
        WAITING.watch(self, Workers._read_waiting, lambda one: one._config.max_waiting_bytes)
        HANDED_OVER.watch(
            self, lambda one: one._waiting_bytes, lambda one: _MOST_BYTES_EACH * one._config.workers
        )

    def _read_waiting(self) -> float:
        return sum(slot.waiting_bytes for slot in self._slots)

    @property
    def port(self) -> int:
        """The port, once it listens."""
        return int(self._slots[0].socket.getsockname()[1]) if self._slots else 0

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""
        if self._recording is not None and self._recording.done() and not self._stopping:
            return "what the workers read isn't recorded any more: the log says why; restart mtd"
        processes = [slot.process for slot in self._slots if slot.process is not None]
        return next((process.died for process in processes if process.died), "")

    async def start(self, advice: str) -> None:
        """Listen. Raises Misconfigured if the port can't be had; ``advice``: what to do about it."""
        config = self._config
        sockets = await shared_sockets(
            NAME, config.host, [config.udp_port], config.workers, config.receive_buffer_bytes, advice
        )
        self._slots = [Slot(made) for (made,) in sockets]
        self._recording = self._tasks.spawn("record", self._record_regularly())
        for slot in self._slots:
            slot.process = self._process(slot)
            await slot.process.start()
        logger.info(
            "listening for %s on %s, UDP port %d, with %d workers",
            NAME,
            config.host,
            self.port,
            config.workers,
        )

    async def stop(self) -> None:
        """End; what was received is read and passed on."""
        self._stopping = True
        await asyncio.gather(*(slot.process.stop() for slot in self._slots if slot.process is not None))
        await self._tasks.stop()
        while self._waiting:
            self._record_some()
            await asyncio.sleep(0)
        for slot in self._slots:
            self._note_end(slot)
            slot.close()
        close_all([[slot.socket for slot in self._slots]])
        self._slots = []

    def _process(self, slot: Slot) -> WorkerProcess:
        made, received = slot.fds
        config = self._config.model_dump(mode="json")
        settings = {"socket": made, "received": received, "config": config, "rules": self._rules}
        first = json.dumps(settings).encode() + b"\n"
        return WorkerProcess(
            NAME,
            _WORKER,
            lambda: first + self._told_addresses + self._told_devices,
            lambda reader: self._hear(slot, reader),
            fds=slot.fds,
            patience=_PATIENCE,
            on_end=lambda: self._note_end(slot),
            clock=self._clock,
        )

    # -- what workers are told ---------------------------------------------------------

    def apply_devices(self, devices: Mapping[str, Device]) -> None:
        """Know these devices, by their ids, and no others."""
        self._devices = devices
        self._told_devices = self._tell(told_devices(devices.values()), self._told_devices)

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces."""
        self._told_addresses = self._tell(told_addresses(owners), self._told_addresses)

    def _tell(self, line: bytes, before: bytes) -> bytes:
        if line != before:
            for slot in self._slots:
                _write(slot, line)
        return line

    # -- what a worker says ------------------------------------------------------------

    async def _hear(self, slot: Slot, reader: asyncio.StreamReader) -> None:
        metrics.WORKER_STARTS.labels(listener=NAME).inc()
        slot.starts += 1
        async for kind, body in frames_of(reader):
            if kind == COUNTS:
                await self._count(slot, json.loads(body))
                continue
            while self._waiting_bytes > _MOST_BYTES_EACH * len(self._slots):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_AGAIN_S)
            portion = Portion.read(body)
            self._waiting.append(_Handed(slot, slot.starts, portion, portion.envelope()))
            slot.settle(portion.whole)
            self._waiting_bytes += portion.size
            self._filled.set()
            await asyncio.sleep(0)

    async def _count(self, slot: Slot, news: Mapping[str, Any]) -> None:
        """Take in what was counted since the last time."""
        for name, count in news["counts"].items():
            what, _, reason = name.partition(".")
            labels = {"reason": reason} if reason else {}
            metrics.TOLD[what].labels(listener=NAME, **labels).inc(count)
            if reason:
                slot.settle(count)
        slot.count()
        slot.waiting_bytes = int(news["waiting_bytes"])
        if slot.process is not None:
            slot.process.recovered()
        for device_id, lines in news["too_fast"].items():
            self._excess.add(device_id, lines)
        for number, (address, (lines, at_us, name)) in enumerate(news["strangers"].items(), 1):
            if number % _STRANGERS_AT_ONCE == 0:
                await asyncio.sleep(0)  # forged senders are as many as one likes, and each may be news
            if not self._directory.find(address):  # it may be known since
                self._directory.meet(address, at_us, lines, _named(name))
        for address, (lines, at_us) in news["confused"].items():
            devices = self._directory.find(address)
            if len(devices) > 1:
                self._directory.confuse(address, at_us, devices, lines)

    def _note_end(self, slot: Slot) -> None:
        lost = slot.lose()
        if lost > 0:
            logger.error("a worker for %s ended with %d lines in its memory: they are lost", NAME, lost)

    def count_drops(self) -> None:
        """Count what was received, and what the kernel dropped, since the last time."""
        for slot in self._slots:
            slot.count()

    # -- on to the recorder ------------------------------------------------------------

    async def _record_regularly(self) -> None:
        while True:
            await self._filled.wait()
            if self._recorder.pressure > HELD_UP and not self._stopping:
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            self._record_some()
            await asyncio.sleep(0)

    def _record_some(self) -> None:
        """Record for some milliseconds, and tell the workers, which then may hand over more."""
        taken: Counter[Slot] = Counter()
        end = self._clock.monotonic() + _TURN_S
        while self._waiting and self._clock.monotonic() < end:
            handed = self._waiting.popleft()
            size = handed.portion.size
            self._waiting_bytes -= size
            self._record(handed.portion, handed.event)
            if handed.start == handed.slot.starts:  # not of one that is there no more
                taken[handed.slot] += size
        if not self._waiting:
            self._filled.clear()
        for slot, size in taken.items():
            _write(slot, told_taken(size))

    def _record(self, portion: Portion, event: Envelope) -> None:
        event.received_at_us = self._clock.now_us()
        device = self._devices.get(event.device_id)
        if device is None:  # removed meanwhile
            metrics.DROPPED.labels(listener=NAME, reason="unknown_sender").inc(portion.whole)
        elif self._recorder.record_pushed(device, event):
            count_stored(NAME, portion.lines, portion.whole)
        else:
            metrics.DROPPED.labels(listener=NAME, reason="not_recorded").inc(portion.whole)


def _write(slot: Slot, line: bytes) -> None:
    if slot.process is not None:
        slot.process.write(line)


def _named(name: str) -> Callable[[], str]:
    return lambda: name
