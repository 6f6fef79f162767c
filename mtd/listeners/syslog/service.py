"""The syslog listener: from sockets to the recorder, on the reactor, a few milliseconds at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.service import TaskGroup
from mtd.listeners.directory import Directory, Kind
from mtd.listeners.handshakes import Handshakes, server_context
from mtd.listeners.pace import Complaint, Excess
from mtd.listeners.senders import Stranger
from mtd.listeners.syslog.config import SyslogConfig
from mtd.listeners.syslog.lines import GATHER_S, LINES_PER_LOOK, NAME, Lines
from mtd.listeners.syslog.outbox import Outbox
from mtd.listeners.syslog.reading import read_rules, rules_of
from mtd.listeners.syslog.workers import Workers
from mtd.listeners.tcp import Bounds, TcpListener
from mtd.listeners.turns import HELD_UP, Turns
from mtd.listeners.udp import Inbox, UdpListener
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device

_KIND = Kind(FoundBy.SYSLOG, "lines", "src-address of the logging action")
_COMPLAINT = Complaint(
    "syslog.lines.dropped", "log lines", "have it send fewer topics, or raise syslog.lines_per_s"
)
_ADVICE = (
    "end the program that has it (often rsyslog), set another one with syslog.{} here and in /system logging action on the "
    "routers, or let mtd have ports below 1024: CAP_NET_BIND_SERVICE behind both CapabilityBoundingSet= and "
    "AmbientCapabilities= of the unit"
)


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
        self._clock = clock
        self._inbox = Inbox(NAME, config.max_waiting_bytes)
        self._directory = Directory(_KIND, on_stranger, clock)
        self._excess = Excess(config.lines_per_s, _COMPLAINT, clock)
        self._outbox: Outbox[Device] = Outbox(NAME, recorder.record_lines)
        text = read_rules(config.rules_file)
        rules = rules_of(text, config.rules_file)
        self._lines = Lines(config, rules, self._directory, self._excess.add, self._outbox, clock)
        self._turns = Turns(
            NAME,
            self._inbox,
            self._lines.take,
            self._held_up,
            clock,
            at_once=LINES_PER_LOOK,
            is_behind=lambda: self.udp.is_behind,
        )
        self._devices_known = asyncio.Event()
        self._tasks = TaskGroup("listeners.syslog")
        self.udp = UdpListener(
            NAME,
            config.host,
            config.udp_port,
            self._inbox,
            clock,
            config.receive_buffer_bytes,
            gather_s=GATHER_S,
        )
        self._workers: Workers | None = None
        if config.udp and config.workers:
            self._workers = Workers(config, text, recorder, self._directory, self._excess, clock)
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
        if self._config.udp and self._workers is None:
            self.udp.start(_ADVICE.format("udp_port"))
        for listener, setting in ((self.tcp, "tcp_port"), (self.tls, "tls_port")):
            if listener is not None:
                await listener.start(_ADVICE.format(setting))
        if self._workers is not None:
            await self._workers.start(_ADVICE.format("udp_port"))
        self._tasks.spawn("read", self._read())
        self._tasks.spawn("flush", self._flush_regularly())

    async def stop(self) -> None:
        """End; what was received is passed on, and counted if there is no time for it."""
        for listener in (self.tcp, self.tls):
            if listener is not None:
                await listener.stop()
        if self._workers is not None:
            await self._workers.stop()
        self.udp.stop()
        await asyncio.sleep(0)  # connections tell what they have left
        await self._tasks.stop()
        await self._turns.finish()
        self._lines.tell_repeats(all_of_them=True)
        for _ in self._outbox.flush():
            await asyncio.sleep(0)
        self._tell_too_fast(now=True)

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        by_id = {device.device_id: device for device in known}
        self._directory.apply(known)
        self._outbox.devices = by_id
        self._lines.paces.keep(by_id)
        self._excess.apply(by_id)
        if self._workers is not None:
            self._workers.apply_devices(by_id)
        self._devices_known.set()

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces."""
        self._directory.apply_addresses(owners)
        if self._workers is not None:
            self._workers.apply_addresses(owners)

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""
        return "" if self._workers is None else self._workers.failure

    @property
    def udp_port(self) -> int:
        """The UDP port, once it listens."""
        return self.udp.port if self._workers is None else self._workers.port

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Senders that are nobody's device, the newest first."""
        return self._directory.strangers

    @property
    def too_fast(self) -> Sequence[tuple[Device, int]]:
        """Devices that sent more lines than are taken in, and how many were dropped since it began."""
        return self._excess.devices

    def devices_of(self, address: str) -> Sequence[Device]:
        """Return the devices that a sender can be."""
        return self._directory.find(address)

    def _held_up(self) -> bool:
        return self._recorder.pressure > HELD_UP

    async def _read(self) -> None:
        await self._devices_known.wait()
        await self._turns.run()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._config.flush_s)
            self.udp.count_drops()
            if self._workers is not None:
                self._workers.count_drops()
            self._lines.tell_repeats()
            for _ in self._outbox.flush():
                await asyncio.sleep(0)
            self._tell_too_fast()

    def _tell_too_fast(self, *, now: bool = False) -> None:
        """Put on the timelines of devices how many of their lines were too many."""
        for device, change in self._excess.due(now=now):
            self._recorder.record_event(change, device)
