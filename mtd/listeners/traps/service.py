"""The listener for SNMP traps: from a socket to the recorder, on the reactor, a few milliseconds at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtd.codec.snmp import Engine
from mtd.codec.snmp.rules import Rules
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.service import TaskGroup
from mtd.listeners import metrics as listener_metrics
from mtd.listeners.directory import Directory, Kind
from mtd.listeners.pace import Complaint, Excess, Paces
from mtd.listeners.senders import Stranger
from mtd.listeners.traps import metrics
from mtd.listeners.traps.answers import Answers
from mtd.listeners.traps.config import TrapsConfig
from mtd.listeners.traps.credentials import Credentials, read_credentials
from mtd.listeners.traps.meaning import load_rules
from mtd.listeners.traps.memory import Keeper, begun
from mtd.listeners.traps.naming import Names, ReadNames
from mtd.listeners.traps.outbox import Outbox, Trap
from mtd.listeners.traps.reading import Heard, Refused, TrapReader
from mtd.listeners.traps.repeats import Marks
from mtd.listeners.turns import HELD_UP, Turns
from mtd.listeners.udp import Inbox, Received, UdpListener
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device

logger = logging.getLogger(__name__)

NAME = "traps"
_KIND = Kind(FoundBy.TRAPS, "traps", "src-address of /snmp")
_COMPLAINT = Complaint(
    "snmp.traps.dropped",
    "SNMP traps",
    "have it send fewer (trap-generators, trap-interfaces), or raise traps.traps_per_s",
)
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
_TOLD_AGAIN_S = 60.0
_KEEP_S = 10.0


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
        self._clock = clock
        self._inbox = Inbox(NAME, config.max_waiting_bytes)
        self._turns = Turns(NAME, self._inbox, self._take, self._held_up, clock)
        self._directory = Directory(_KIND, on_stranger, clock)
        self._devices_known = asyncio.Event()
        self._paces = Paces(config.traps_per_s, clock)
        self._excess = Excess(config.traps_per_s, _COMPLAINT, clock)
        self._complained: dict[tuple[str, str], float] = {}
        self._marks = Marks()
        self._unsettled: set[bytes] = set()  # marks of those that aren't with the recorder yet
        self._tasks = TaskGroup("listeners.traps")
        self._names = Names(read_names, clock)
        self._outbox: Outbox | None = None
        self._reader: TrapReader | None = None
        self._keeper: Keeper | None = None
        self.udp = UdpListener(
            NAME, config.host, config.port, self._inbox, clock, config.receive_buffer_bytes
        )
        self._answers = Answers(recorder.flush, self.udp.answer, self._tasks)

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
        self._answers.stop()
        await self._turns.finish()
        if self._outbox is not None:
            self._outbox.flush()
        self._tell_too_fast(now=True)
        if self._keeper is not None:
            await self._keeper.keep()

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        self._directory.apply(known)
        by_id = {device.device_id: device for device in known}
        self._paces.keep(by_id)
        self._excess.apply(by_id)
        for device_id, reason in [one for one in self._complained if one[0] not in by_id]:
            del self._complained[device_id, reason]
        self._devices_known.set()

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces."""
        self._directory.apply_addresses(owners)

    @property
    def failure(self) -> str:
        """What an operator has to look at: nothing, as what can't be listened on keeps mtd from starting."""
        return ""

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Senders that are nobody's device, the newest first."""
        return self._directory.strangers

    @property
    def too_fast(self) -> Sequence[tuple[Device, int]]:
        """Devices that sent more traps than are taken in, and how many were dropped since it began."""
        return self._excess.devices

    def devices_of(self, address: str) -> Sequence[Device]:
        """Return the devices that a sender can be."""
        return self._directory.find(address)

    # -- a trap ------------------------------------------------------------------

    async def _read(self) -> None:
        await self._devices_known.wait()
        await self._turns.run()

    def _held_up(self) -> bool:
        return self._recorder.pressure > HELD_UP

    def _take(self, received: Received) -> None:
        devices = self._directory.find(received.sender)
        if not devices:
            _drop("unknown_sender")
            self._directory.meet(received.sender, received.at_us)
        elif len(devices) > 1:
            _drop("ambiguous_sender")
            self._directory.confuse(received.sender, received.at_us, devices)
        # Looked at before it is read: a trap of which there are too many costs nearly nothing.
        elif self._paces.has_room(devices[0].device_id):
            self._hear(received, devices[0])
        else:
            _drop("too_fast")
            self._excess.add(devices[0].device_id)

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
            if heard.mark not in self._unsettled:
                self._answer(heard, received.peer)
            return
        metrics.READ.labels(version=heard.version.value).inc()
        self._unsettled.add(heard.mark)
        settle = partial(self._settle, heard, received.peer)
        self._outbox.put(Trap(device, heard.notification, received.at_us, settle))

    def _settle(self, heard: Heard, peer: Any, taken: bool) -> None:
        """Answer what is recorded; what isn't, its sender sends again."""
        self._unsettled.discard(heard.mark)
        if taken:
            self._answer(heard, peer)
        else:
            self._marks.forget(heard.mark)

    def _answer(self, heard: Heard, peer: Any) -> None:
        if heard.answer is not None:
            self._answers.add(heard.answer, peer)

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
        for device, change in self._excess.due(now=now):
            self._recorder.record_event(change, device)


def _drop(reason: str) -> None:
    listener_metrics.DROPPED.labels(listener=NAME, reason=reason).inc()
