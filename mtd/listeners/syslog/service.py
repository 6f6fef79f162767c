"""The syslog listener: from sockets to the recorder, on the reactor, a few milliseconds at a time."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.limits import TokenBucket
from mtd.core.service import TaskGroup
from mtd.listeners import metrics
from mtd.listeners.senders import Senders, Stranger, Strangers
from mtd.listeners.syslog.config import LeastSevere, Stored, SyslogConfig
from mtd.listeners.syslog.reading import entry_of, load_rules, read
from mtd.listeners.syslog.repeats import Repeats
from mtd.listeners.tcp import TcpListener, server_context
from mtd.listeners.udp import Inbox, Received, UdpListener
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device
    from mtd.model.logs import LogEntry

logger = logging.getLogger(__name__)

NAME = "syslog"
_ADVICE = (
    "end the program that has it (often rsyslog), set another one with syslog.{} here and in /system logging action on the "
    "routers, or let mtd have ports below 1024: AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit"
)
_TURN_S = 0.004
_LOOK_AT_CLOCK = 16
_BURST_S = 10.0
_TOLD_TOO_FAST_S = 60.0
_EVENT_LINES = 500
_EVENT_BYTES = 256 * 1024


class SyslogService:
    """Listens, and passes lines of known devices on. ``on_stranger`` is told of senders that are nobody's device."""

    def __init__(
        self,
        config: SyslogConfig,
        recorder: Recorder,
        on_stranger: Callable[[Sighting], None] = lambda _: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config
        self._recorder = recorder
        self._on_stranger = on_stranger
        self._clock = clock
        self._rules = load_rules(config.rules_file)
        self._least = list(LeastSevere).index(config.least_severe)
        self._inbox = Inbox(NAME, config.max_waiting_bytes)
        self._senders = Senders()
        self._strangers = Strangers()
        self._repeats = Repeats(config.repeat_window_s)
        self._devices: dict[str, Device] = {}
        self._paces: dict[str, TokenBucket] = {}
        self._too_fast: defaultdict[str, int] = defaultdict(int)
        self._told_too_fast_at = clock.monotonic()
        self._pending: dict[tuple[str, str], list[LogEntry]] = {}
        self._tasks = TaskGroup("listeners.syslog")
        self.udp = UdpListener(
            NAME, config.host, config.udp_port, self._inbox, clock, config.receive_buffer_bytes
        )
        self.tcp = None if config.tcp_port is None else self._tcp(config.tcp_port)
        self.tls: TcpListener | None = None
        if config.tls_port is not None and config.tls_certificate is not None and config.tls_key is not None:
            context = server_context(config.tls_certificate, config.tls_key, config.tls_client_ca)
            self.tls = self._tcp(config.tls_port, context)

    def _tcp(self, port: int, tls: ssl.SSLContext | None = None) -> TcpListener:
        config = self._config
        return TcpListener(
            NAME,
            (config.host, port),
            self._inbox,
            self._clock,
            most=config.max_connections,
            idle_s=config.idle_s,
            tls=tls,
        )

    async def start(self) -> None:
        """Listen. Raises Misconfigured if a port can't be had."""
        self.udp.start(_ADVICE.format("udp_port"))
        for listener, setting in ((self.tcp, "tcp_port"), (self.tls, "tls_port")):
            if listener is not None:
                await listener.start(_ADVICE.format(setting))
        self._tasks.spawn("read", self._read())
        self._tasks.spawn("flush", self._flush_regularly())

    async def stop(self) -> None:
        """End; what was received is passed on."""
        for listener in (self.tcp, self.tls):
            if listener is not None:
                await listener.stop()
        self.udp.stop()
        await self._tasks.stop()
        while self._inbox:
            self._take(self._inbox.take())
        for device_id, entry in self._repeats.due(self._clock.now_us(), all_of_them=True):
            self._pend_repeat(device_id, entry)
        self._flush()

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        self._senders.apply(known)
        self._devices = {device.device_id: device for device in known}
        for gone in self._paces.keys() - self._devices.keys():
            del self._paces[gone]

    def apply_addresses(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Know the addresses on the interfaces of devices, by the ids of these."""
        self._senders.apply_addresses(addresses)

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Senders that are nobody's device, the newest first."""
        return self._strangers.list()

    # -- a line ------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            await self._inbox.filled.wait()
            end = self._clock.monotonic() + _TURN_S
            while self._inbox and self._clock.monotonic() < end:
                for _ in range(min(_LOOK_AT_CLOCK, len(self._inbox))):
                    self._take(self._inbox.take())
            await asyncio.sleep(0)

    def _take(self, received: Received) -> None:
        devices = self._senders.find(received.sender)
        line = read(received.data, devices[0].code_page if devices else "latin-1")
        if len(devices) > 1:
            devices = self._senders.find(received.sender, line.host)
        if not devices:
            self._meet(received, line.host)
            return
        if len(devices) > 1:
            _drop("ambiguous_sender")
            return
        device = devices[0]
        if not self._pace(device.device_id).take():
            _drop("too_fast")
            self._too_fast[device.device_id] += 1
            return
        if line.severity is not None and line.severity > self._least:
            _drop("filtered")
            return
        entry = entry_of(line, received.at_us, self._rules, device.name)
        if entry.event_type:
            metrics.UNDERSTOOD.labels(listener=NAME).inc()
        elif self._config.stored is Stored.EVENTS:
            _drop("filtered")
            return
        if self._repeats.is_repeat(device.device_id, entry):
            metrics.REPEATS.labels(listener=NAME).inc()
            return
        if (before := self._repeats.due_of(device.device_id, entry)) is not None:
            self._pend(device, received.sender, before)
        self._repeats.stored(device.device_id, entry)
        self._pend(device, received.sender, entry)

    def _pace(self, device_id: str) -> TokenBucket:
        pace = self._paces.get(device_id)
        if pace is None:
            rate = self._config.lines_per_s
            pace = self._paces[device_id] = TokenBucket(rate, max(1.0, rate * _BURST_S), clock=self._clock)
        return pace

    def _meet(self, received: Received, name: str) -> None:
        """Take note of a sender that is nobody's device. Its line is dropped: it belongs to no tenant."""
        _drop("unknown_sender")
        self._strangers.seen(received.sender, received.at_us, name)
        metrics.STRANGERS.labels(listener=NAME).set(len(self._strangers))
        self._on_stranger(Sighting(FoundBy.SYSLOG, address=received.sender, identity=name))

    # -- on to the recorder ------------------------------------------------------

    def _pend(self, device: Device, sender: str, entry: LogEntry) -> None:
        key = (device.device_id, sender)
        pending = self._pending.setdefault(key, [])
        pending.append(entry)
        if len(pending) >= _EVENT_LINES:
            self._record(key)

    def _pend_repeat(self, device_id: str, entry: LogEntry) -> None:
        device = self._devices.get(device_id)
        if device is None:
            _drop("unknown_sender")
            return
        self._pend(device, device.host, entry)

    def _record(self, key: tuple[str, str]) -> None:
        device_id, sender = key
        entries = self._pending.pop(key)
        device = self._devices.get(device_id)
        if device is None:  # removed meanwhile
            metrics.DROPPED.labels(listener=NAME, reason="unknown_sender").inc(len(entries))
            return
        for some in _portions(entries):
            if self._recorder.record_lines(device, sender, some):
                metrics.STORED.labels(listener=NAME).inc(len(some))
            else:
                metrics.DROPPED.labels(listener=NAME, reason="not_recorded").inc(len(some))

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.flush_s)
            self.udp.count_drops()
            for device_id, entry in self._repeats.due(self._clock.now_us()):
                self._pend_repeat(device_id, entry)
            for key in list(self._pending):
                if key in self._pending:
                    self._record(key)
                    await asyncio.sleep(0)
            self._tell_too_fast()

    def _flush(self) -> None:
        for key in list(self._pending):
            self._record(key)
        self._tell_too_fast(now=True)

    def _tell_too_fast(self, *, now: bool = False) -> None:
        """Put on the timelines of devices how many of their lines were too many."""
        moment = self._clock.monotonic()
        if not self._too_fast or (moment - self._told_too_fast_at < _TOLD_TOO_FAST_S and not now):
            return
        told, self._too_fast, self._told_too_fast_at = self._too_fast, defaultdict(int), moment
        for device_id, lines in told.items():
            device = self._devices.get(device_id)
            if device is None:
                continue
            change = StateChange(
                event_type="syslog.lines.dropped",
                severity=Severity.WARNING,
                entity_type="device",
                entity_id=device_id,
                entity_label=device.name,
                field="dropped",
                old="",
                new=str(lines),
                message=f"{device.name} sends more than {self._config.lines_per_s:g} log lines a second: {lines} were dropped; "
                "have it send fewer topics, or raise syslog.lines_per_s",
            )
            self._recorder.record_event(change, device)


def _drop(reason: str) -> None:
    metrics.DROPPED.labels(listener=NAME, reason=reason).inc()


def _portions(entries: Sequence[LogEntry]) -> Iterable[Sequence[LogEntry]]:
    """Cut lines into what one event holds."""
    first, size = 0, 0
    for place, entry in enumerate(entries):
        size += len(entry.original) + len(entry.text) + 100
        if place > first and size > _EVENT_BYTES:
            yield entries[first:place]
            first, size = place, 0
    yield entries[first:]
