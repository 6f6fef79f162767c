"""Who sends to a listener: devices, those that are nobody's, and addresses that several devices have."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.listeners import metrics
from mtd.listeners.senders import Sender, Senders, Stranger, Strangers
from mtd.model.sighting import FoundBy, Sighting

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device

logger = logging.getLogger(__name__)

_TOLD_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What a listener listens for: how a sender of it was found, what it sends, and where its own address is set."""

    found_by: FoundBy
    what: str
    setting: str


class Directory:
    """Devices by their addresses. ``on_stranger`` is told of senders that are nobody's device, once in a while each.

    ``lists_shared``: whether addresses of several devices are among the strangers.
    """

    def __init__(
        self, kind: Kind, on_stranger: Callable[[Sighting], None], clock: Clock, *, lists_shared: bool = True
    ) -> None:
        self._kind = kind
        self._on_stranger = on_stranger
        self._clock = clock
        self._lists_shared = lists_shared
        self._senders: Senders[Device] = Senders()
        self._strangers = Strangers()
        self._confused: dict[str, float] = {}
        self._gauge = metrics.STRANGERS.labels(listener=kind.found_by.value)

    def apply(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        self._senders.apply(devices)
        self._forget()

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces."""
        self._senders.apply_addresses(owners)
        self._forget()

    def _forget(self) -> None:
        """Forget strangers that are somebody's device by now, and what was told a while ago."""
        self._strangers.forget(self._is_listed_no_more)
        self._gauge.set(len(self._strangers))
        before = self._clock.monotonic() - _TOLD_AGAIN_S
        self._confused = {address: at for address, at in self._confused.items() if at > before}

    def _is_listed_no_more(self, address: str) -> bool:
        devices = self.find(address)
        return len(devices) == 1 if self._lists_shared else bool(devices)

    @property
    def tenants(self) -> Mapping[str, str]:
        """All addresses that somebody may send from; see ``Senders.tenants``."""
        return self._senders.tenants

    @property
    def strangers(self) -> Sequence[Stranger]:
        """Senders that are nobody's device, the newest first."""
        return self._strangers.list()

    def find(self, address: str, name: str = "") -> Sequence[Device]:
        """Return the devices that a sender can be; one if all is well. ``name``: what it calls itself."""
        return self._senders.find(address, name)

    def meet(
        self, address: str, at_us: int, messages: int = 1, name_of: Callable[[], str] = lambda: ""
    ) -> None:
        """Take note of a sender that is nobody's device. ``name_of`` is asked what it calls itself if it is news."""
        stranger = self._note(address, at_us, messages)
        if stranger.is_news(self._clock.monotonic(), _TOLD_AGAIN_S):
            stranger.name = name_of() or stranger.name
            self._on_stranger(Sighting(self._kind.found_by, address=address, identity=stranger.name))

    def confuse(self, address: str, at_us: int, devices: Sequence[Sender], messages: int = 1) -> None:
        """Take note of a sender that several devices can be: what it sends would be another's."""
        if self._lists_shared:
            self._note(address, at_us, messages)
        now = self._clock.monotonic()
        if now - self._confused.get(address, -math.inf) < _TOLD_AGAIN_S:
            return
        self._confused[address] = now
        logger.warning(
            "%s from %s are dropped: that is an address of %s; have each send from an address of its own (%s)",
            self._kind.what,
            address,
            ", ".join(f"{device.name} (tenant {device.tenant_id})" for device in devices[:5]),
            self._kind.setting,
        )

    def _note(self, address: str, at_us: int, messages: int) -> Stranger:
        found = self._strangers.seen(address, at_us, messages)
        self._gauge.set(len(self._strangers))
        return found
