"""The listener for SNMP traps: from a socket to the recorder, on the reactor, a few milliseconds at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.codec.snmp import Engine
from mtd.codec.snmp.rules import Rules
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.service import TaskGroup
from mtd.listeners import metrics as listener_metrics
from mtd.listeners.senders import Senders, Stranger, Strangers
from mtd.listeners.traps import metrics
from mtd.listeners.traps.config import TrapsConfig
from mtd.listeners.traps.credentials import Credentials, read_credentials
from mtd.listeners.traps.meaning import load_rules
from mtd.listeners.traps.memory import Keeper, begun
from mtd.listeners.traps.naming import Names, ReadNames
from mtd.listeners.traps.outbox import Outbox, Trap
from mtd.listeners.traps.pace import Paces
from mtd.listeners.traps.reading import Refused, TrapReader
from mtd.listeners.traps.repeats import Marks
from mtd.listeners.udp import Inbox, Received, UdpListener
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device

logger = logging.getLogger(__name__)

NAME = "traps"
_ADVICE = (
    "end the program that has it (often snmptrapd), or let mtd have ports below 1024: CAP_NET_BIND_SERVICE behind both "
    "CapabilityBoundingSet= and AmbientCapabilities= of the unit. RouterOS sends to 162 only: with another traps.port, redirect "
    "that one to it"
)
_HINTS = {
    "wrong_community": "its community is in no line of traps.communities_file",
    "version_off": "its version of SNMP isn't among traps.versions",
    "unknown_user": "its user is neither that by which it is polled nor among traps.users",
    "wrong_digest": "its password isn't the one that mtd has for the user",
    "wrong_level": "it doesn't prove or encrypt as mtd is told that the user does",
    "undecryptable": "its password for encryption isn't the one that mtd has for the user",
    "not_in_time_window": "its clock of SNMP is behind what it was before: somebody sends recorded traps, or the router forgets "
    "how often it started",
}
_TURN_S = 0.004
_TOLD_AGAIN_S = 60.0
_KEEP_S = 10.0
# What the log takes nothing of, waits here: the recorder would give up polls for it.
_HELD_UP = 0.5
_LOOK_AGAIN_S = 0.05
_DRAIN_S = 2.0


class TrapsService:
    """Listens for traps, and records those of known devices. ``on_stranger`` is told of senders that are nobody's device.

    ``folder``: where it is kept what our SNMP engine is called. ``read_names``: of interfaces, if they can be known.
    Traps wait until it is known which devices there are.
    """

    def __init__(
        self,
        config: TrapsConfig,
        recorder: Recorder,
        folder: Path,
        on_stranger: Callable[[Sighting], None] = lambda _: None,
        read_names: ReadNames | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config
        self._recorder = recorder
        self._folder = folder
        self._on_stranger = on_stranger
        self._clock = clock
        self._inbox = Inbox(NAME, config.max_waiting_bytes)
        self._senders = Senders()
        self._strangers = Strangers()
        self._devices_known = asyncio.Event()
        self._paces = Paces(config.traps_per_s, clock)
        self._complained: dict[tuple[str, str], float] = {}
        self._marks = Marks()
        self._tasks = TaskGroup("listeners.traps")
        self._names = Names(read_names, clock)
        self._outbox: Outbox | None = None
        self._reader: TrapReader | None = None
        self._keeper: Keeper | None = None
        self.udp = UdpListener(
            NAME, config.host, config.port, self._inbox, clock, config.receive_buffer_bytes
        )

    async def start(self) -> None:
        """Listen. Raises Misconfigured if the port can't be had, or a file of the settings can't be used."""
        rules, credentials, engine = await asyncio.to_thread(self._prepare)
        self._keeper = Keeper(self._folder, engine)
        self._reader = TrapReader(self._config.versions, credentials, engine)
        self._outbox = Outbox(NAME, self._recorder, rules, self._names, self._tasks)
        self.udp.start(_ADVICE)
        self._tasks.spawn("read", self._read())
        self._tasks.spawn("count", self._count_regularly())
        self._tasks.spawn("keep", self._keep_regularly(self._keeper))

    def _prepare(self) -> tuple[Rules, Credentials, Engine]:
        rules, credentials = load_rules(self._config.rules_file), read_credentials(self._config)
        return rules, credentials, begun(self._folder, self._clock.monotonic())

    async def stop(self) -> None:
        """End; what was received is passed on, and counted if there is no time for it."""
        await asyncio.sleep(0)
        self.udp.stop()
        await self._tasks.stop()
        deadline = self._clock.monotonic() + _DRAIN_S
        while self._inbox and self._clock.monotonic() < deadline:
            self._take_some()
            await asyncio.sleep(0)
        while self._inbox:
            self._inbox.take()
            _drop("stopped")
        if self._outbox is not None:
            self._outbox.flush()
        self._tell_too_fast(now=True)
        if self._keeper is not None:
            await self._keeper.keep()

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        self._senders.apply(known)
        by_id = {device.device_id: device for device in known}
        self._paces.apply(by_id)
        for device_id, reason in [one for one in self._complained if one[0] not in by_id]:
            del self._complained[device_id, reason]
        self._forget_strangers()
        self._devices_known.set()

    def apply_addresses(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Know the addresses on the interfaces of devices, by the ids of these."""
        self._senders.apply_addresses(addresses)
        self._forget_strangers()

    def _forget_strangers(self) -> None:
        self._strangers.forget(lambda address: len(self._senders.find(address)) == 1)
        listener_metrics.STRANGERS.labels(listener=NAME).set(len(self._strangers))

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
        """Devices that sent more traps than are taken in, and how many were dropped since it began."""
        return self._paces.too_fast

    def devices_of(self, address: str) -> Sequence[Device]:
        """Return the devices that a sender can be."""
        return self._senders.find(address)

    # -- a trap ------------------------------------------------------------------

    async def _read(self) -> None:
        await self._devices_known.wait()
        while True:
            await self._inbox.filled.wait()
            if self._recorder.pressure > _HELD_UP:
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            self._take_some()
            await asyncio.sleep(0)

    def _take_some(self) -> None:
        """Take traps for some milliseconds."""
        end = self._clock.monotonic() + _TURN_S
        while self._inbox:
            self._take(self._inbox.take())
            if self._clock.monotonic() >= end:
                return

    def _take(self, received: Received) -> None:
        devices = self._senders.find(received.sender)
        if len(devices) != 1:
            self._meet(received, devices)
        # Looked at before it is read: a trap of which there are too many costs nearly nothing.
        elif self._paces.has_room(devices[0]):
            self._hear(received, devices[0])
        else:
            _drop("too_fast")

    def _hear(self, received: Received, device: Device) -> None:
        assert self._reader is not None
        assert self._outbox is not None
        now = self._clock.monotonic()
        try:
            heard = self._reader.read(received.data, device, now)
        except Refused as refused:
            self._refuse(received, device, refused)
            return
        if self._marks.is_repeat(heard.mark, now):
            metrics.REPEATED.inc()
        else:
            metrics.READ.labels(version=heard.version.value).inc()
            self._outbox.put(Trap(device, heard.notification, received.at_us))
        if heard.answer is not None:
            sent = self.udp.answer(heard.answer, received.peer)
            (metrics.ANSWERED if sent else metrics.UNANSWERED).inc()

    def _refuse(self, received: Received, device: Device, refused: Refused) -> None:
        if refused.answer is not None:
            self.udp.answer(refused.answer, received.peer)
        if refused.asks:
            metrics.ASKED.inc()
            return
        _drop(refused.reason)
        now, key = self._clock.monotonic(), (device.device_id, refused.reason)
        if now - self._complained.get(key, now - _TOLD_AGAIN_S) >= _TOLD_AGAIN_S:
            self._complained[key] = now
            hint = _HINTS.get(refused.reason, str(refused))
            logger.warning("a trap of %s is dropped, %s: %s", device.name, refused.reason, hint)

    def _meet(self, received: Received, devices: Sequence[Device]) -> None:
        """Take note of a sender that is nobody's device, or that several can be. Its trap is dropped: it would be another's."""
        _drop("ambiguous_sender" if devices else "unknown_sender")
        stranger = self._strangers.seen(received.sender, received.at_us)
        listener_metrics.STRANGERS.labels(listener=NAME).set(len(self._strangers))
        if not stranger.is_news(self._clock.monotonic(), _TOLD_AGAIN_S):
            return
        if not devices:
            self._on_stranger(Sighting(FoundBy.TRAPS, address=received.sender))
            return
        logger.warning(
            "traps from %s are dropped: that is an address of %s; have each send from an address of its own (src-address of "
            "/snmp)",
            received.sender,
            ", ".join(f"{device.name} (tenant {device.tenant_id})" for device in devices[:5]),
        )

    # -- now and then --------------------------------------------------------------

    async def _count_regularly(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.udp.count_drops()
            self._tell_too_fast()

    async def _keep_regularly(self, keeper: Keeper) -> None:
        while True:
            await asyncio.sleep(_KEEP_S)
            await keeper.keep()

    def _tell_too_fast(self, *, now: bool = False) -> None:
        for device, change in self._paces.due(now=now):
            self._recorder.record_event(change, device)


def _drop(reason: str) -> None:
    listener_metrics.DROPPED.labels(listener=NAME, reason=reason).inc()
