"""The syslog listener: from sockets to the recorder, on the reactor, a few milliseconds at a time."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from mtd.codec.syslog import read_line
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.limits import TokenBucket
from mtd.core.service import TaskGroup
from mtd.listeners import metrics
from mtd.listeners.handshakes import Handshakes, server_context
from mtd.listeners.senders import Senders, Stranger, Strangers
from mtd.listeners.syslog.config import LeastSevere, Stored, SyslogConfig
from mtd.listeners.syslog.outbox import Outbox
from mtd.listeners.syslog.reading import entry_of, load_rules
from mtd.listeners.syslog.repeats import Repeats
from mtd.listeners.tcp import Bounds, TcpListener
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
    "routers, or let mtd have ports below 1024: CAP_NET_BIND_SERVICE behind both CapabilityBoundingSet= and "
    "AmbientCapabilities= of the unit"
)
_GATHER_S = 0.005
_TURN_S = 0.004
_LINES_PER_LOOK = 16  # half a millisecond to a millisecond
_BURST_S = 10.0
_TOLD_AGAIN_S = 60.0
# What the log takes nothing of, waits here: the recorder would give up polls for it.
_HELD_UP = 0.5
_HALF = 0.5
_LOOK_AGAIN_S = 0.05
_DRAIN_S = 2.0


class SyslogService:
    """Listens, and passes lines of known devices on. ``on_stranger`` is told of senders that are nobody's device.

    Lines wait until it is known which devices there are.
    """

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
        self._outbox = Outbox(NAME, recorder)
        self._devices_known = asyncio.Event()
        self._paces: dict[str, TokenBucket] = {}
        self._too_fast: defaultdict[str, int] = defaultdict(int)
        self._told_too_fast_at = clock.monotonic()
        self._too_fast_in_all: Counter[str] = Counter()
        self._understood = metrics.UNDERSTOOD.labels(listener=NAME)
        self._tasks = TaskGroup("listeners.syslog")
        self.udp = UdpListener(
            NAME,
            config.host,
            config.udp_port,
            self._inbox,
            clock,
            config.receive_buffer_bytes,
            gather_s=_GATHER_S,
        )
        self.tcp = None if config.tcp_port is None else self._tcp(config.tcp_port)
        self.tls: TcpListener | None = None
        if config.tls_port is not None and config.tls_certificate is not None and config.tls_key is not None:
            context = server_context(config.tls_certificate, config.tls_key, config.tls_client_ca)
            self.tls = self._tcp(config.tls_port, context)

    def _tcp(self, port: int, tls: ssl.SSLContext | None = None) -> TcpListener:
        config = self._config
        handshakes = None
        if tls is not None:
            handshakes = Handshakes(
                NAME, tls, self._clock, most=config.max_handshakes, longest_s=config.handshake_s
            )
        return TcpListener(
            NAME,
            (config.host, port),
            self._inbox,
            self._clock,
            self._held_up,
            bounds=Bounds(config.max_connections, config.max_connections_per_sender),
            idle_s=config.idle_s,
            handshakes=handshakes,
        )

    async def start(self) -> None:
        """Listen. Raises Misconfigured if a port can't be had."""
        if self._config.udp:
            self.udp.start(_ADVICE.format("udp_port"))
        for listener, setting in ((self.tcp, "tcp_port"), (self.tls, "tls_port")):
            if listener is not None:
                await listener.start(_ADVICE.format(setting))
        self._tasks.spawn("read", self._read())
        self._tasks.spawn("flush", self._flush_regularly())

    async def stop(self) -> None:
        """End; what was received is passed on, and counted if there is no time for it."""
        for listener in (self.tcp, self.tls):
            if listener is not None:
                await listener.stop()
        self.udp.stop()
        await asyncio.sleep(0)  # connections tell what they have left
        await self._tasks.stop()
        deadline = self._clock.monotonic() + _DRAIN_S
        while self._inbox and self._clock.monotonic() < deadline:
            self._take_some()
            await asyncio.sleep(0)
        while self._inbox:
            self._inbox.take()
            _drop("stopped")
        self._tell_repeats(math.inf)
        for _ in self._outbox.flush():
            await asyncio.sleep(0)
        self._tell_too_fast(now=True)

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        self._senders.apply(known)
        self._outbox.devices = {device.device_id: device for device in known}
        for gone in self._paces.keys() - self._outbox.devices.keys():
            del self._paces[gone]
            self._too_fast_in_all.pop(gone, None)
        self._forget_strangers()
        self._devices_known.set()

    def apply_addresses(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Know the addresses on the interfaces of devices, by the ids of these."""
        self._senders.apply_addresses(addresses)
        self._forget_strangers()

    def _forget_strangers(self) -> None:
        self._strangers.forget(lambda address: len(self._senders.find(address)) == 1)
        metrics.STRANGERS.labels(listener=NAME).set(len(self._strangers))

    @property
    def failure(self) -> str:
        """What an operator has to look at: nothing, as what can't be listened on keeps mtd from starting."""
        return ""

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Senders that are nobody's device, the newest first."""
        return self._strangers.list()

    @property
    def too_fast(self) -> Sequence[tuple[Device, int]]:
        """Devices that sent more lines than are taken in, and how many were dropped since it began."""
        devices = self._outbox.devices
        return [
            (devices[device_id], lines)
            for device_id, lines in self._too_fast_in_all.items()
            if device_id in devices
        ]

    def devices_of(self, address: str) -> Sequence[Device]:
        """Return the devices that a sender can be."""
        return self._senders.find(address)

    def _held_up(self) -> bool:
        return self._recorder.pressure > _HELD_UP

    # -- a line ------------------------------------------------------------------

    async def _read(self) -> None:
        await self._devices_known.wait()
        while True:
            await self._inbox.filled.wait()
            if self._held_up():
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            # In a burst, what the kernel holds comes first: it has less room than we.
            if not (self.udp.is_behind and self._inbox.fill < _HALF):
                self._take_some()
            await asyncio.sleep(0)

    def _take_some(self) -> None:
        """Take lines for some milliseconds."""
        end = self._clock.monotonic() + _TURN_S
        while self._clock.monotonic() < end:
            for _ in range(_LINES_PER_LOOK):
                if not self._inbox:
                    return
                self._take(self._inbox.take())

    def _take(self, received: Received) -> None:
        devices = self._senders.find(received.sender)
        if not devices:
            self._meet(received)
            return
        # Looked at first: a line of which there are too many costs nearly nothing.
        if len(devices) == 1 and not self._has_room(devices[0]):
            return
        line = read_line(received.data, devices[0].code_page, [_encoded(device.name) for device in devices])
        if line.cut:
            metrics.CUT.labels(listener=NAME).inc()
        if len(devices) > 1:
            devices = self._senders.find(received.sender, line.host)
            if len(devices) > 1:
                self._confuse(received, devices)
                return
            if not self._has_room(devices[0]):
                return
        device = devices[0]
        entry = entry_of(line, received.at_us, self._rules, device.name)
        if entry.event_type:
            self._understood.inc()
        too_mild = entry.severity is not None and entry.severity > self._least
        if too_mild or (self._config.stored is Stored.EVENTS and not entry.event_type):
            _drop("filtered")
            return
        if self._config.repeat_window_s and self._is_repeat(device, received, entry):
            metrics.REPEATS.labels(listener=NAME).inc()
        else:
            self._outbox.add(device.device_id, received.sender, entry)

    def _is_repeat(self, device: Device, received: Received, entry: LogEntry) -> bool:
        now = self._clock.monotonic()
        self._tell_repeats(now)
        return self._repeats.is_repeat(device.device_id, received.sender, entry, now)

    def _has_room(self, device: Device) -> bool:
        """Return whether one more line of a device is taken in; if not, it is counted."""
        pace = self._paces.get(device.device_id)
        if pace is None:
            rate = self._config.lines_per_s
            pace = TokenBucket(rate, max(1.0, rate * _BURST_S), clock=self._clock)
            self._paces[device.device_id] = pace
        if pace.take():
            return True
        _drop("too_fast")
        self._too_fast[device.device_id] += 1
        self._too_fast_in_all[device.device_id] += 1
        return False

    def _meet(self, received: Received) -> None:
        """Take note of a sender that is nobody's device. Its line is dropped: it belongs to no tenant."""
        _drop("unknown_sender")
        stranger = self._note(received)
        if stranger.is_news(self._clock.monotonic(), _TOLD_AGAIN_S):
            stranger.name = read_line(received.data).host or stranger.name
            self._on_stranger(Sighting(FoundBy.SYSLOG, address=received.sender, identity=stranger.name))

    def _note(self, received: Received) -> Stranger:
        found = self._strangers.seen(received.sender, received.at_us)
        metrics.STRANGERS.labels(listener=NAME).set(len(self._strangers))
        return found

    def _confuse(self, received: Received, devices: Sequence[Device]) -> None:
        """Take note of a sender that several devices can be. Its line is dropped: it would be another's."""
        _drop("ambiguous_sender")
        if self._note(received).is_news(self._clock.monotonic(), _TOLD_AGAIN_S):
            logger.warning(
                "lines from %s are dropped: that is an address of %s; have each send from an address of its own (src-address "
                "of the logging action)",
                received.sender,
                ", ".join(f"{device.name} (tenant {device.tenant_id})" for device in devices[:5]),
            )

    # -- on to the recorder ------------------------------------------------------

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.flush_s)
            self.udp.count_drops()
            self._tell_repeats(self._clock.monotonic())
            for _ in self._outbox.flush():
                await asyncio.sleep(0)
            self._tell_too_fast()

    def _tell_repeats(self, now: float) -> None:
        for again in self._repeats.due(now):
            self._outbox.add(again.device_id, again.sender, again.last)

    def _tell_too_fast(self, *, now: bool = False) -> None:
        """Put on the timelines of devices how many of their lines were too many."""
        moment = self._clock.monotonic()
        if not self._too_fast or (moment - self._told_too_fast_at < _TOLD_AGAIN_S and not now):
            return
        told, self._too_fast, self._told_too_fast_at = self._too_fast, defaultdict(int), moment
        for device_id, lines in told.items():
            device = self._outbox.devices.get(device_id)
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


@lru_cache(maxsize=4096)
def _encoded(name: str) -> bytes:
    return name.encode()


def _drop(reason: str) -> None:
    metrics.DROPPED.labels(listener=NAME, reason=reason).inc()
