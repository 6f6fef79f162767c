"""Who sends: devices by the addresses that they are known by."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.model.device import Device

_MOST_STRANGERS = 1000


class Senders:
    """Devices by address: by the one that they are polled at, else by one of their interfaces.

    Many routers of a tenant have the same address on some interface: the name in a line tells such apart. Where it is an
    address of several tenants, nothing does: a name is what its sender says.
    """

    def __init__(self) -> None:
        self._devices: Sequence[Device] = ()
        self._addresses: Mapping[str, Sequence[str]] = {}
        self._by_host: dict[str, Sequence[Device]] = {}
        self._by_address: dict[str, Sequence[Device]] = {}

    def apply(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        self._devices = list(devices)
        self._by_host = _grouped((_normal(device.host), device) for device in self._devices)
        self._apply_addresses()

    def apply_addresses(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Know the addresses on the interfaces of devices, by the ids of these."""
        self._addresses = addresses
        self._apply_addresses()

    def find(self, address: str, name: str = "") -> Sequence[Device]:
        """Return the devices that a sender can be; one if all is well. ``name``: what the line calls its sender."""
        hosts, others = self._by_host.get(address, ()), self._by_address.get(address, ())
        if not hosts and not others:
            return ()
        if len({device.tenant_id for device in (*hosts, *others)}) > 1:
            return (*hosts, *others)
        found = hosts or others
        named = [device for device in found if device.name == name] if len(found) > 1 and name else ()
        return named or found

    def _apply_addresses(self) -> None:
        self._by_address = _grouped(
            (_normal(address), device)
            for device in self._devices
            for address in self._addresses.get(device.device_id, ())
        )


@dataclass(slots=True)
class Stranger:
    """A sender that is nobody's device, and what it sent last."""

    address: str
    lines: int = 0
    seen_us: int = 0
    name: str = ""
    told_at: float = -math.inf

    def is_news(self, now: float, again_s: float) -> bool:
        """Return whether it is to be told, and take note that it is: at the first time, and once in a while."""
        if now - self.told_at < again_s:
            return False
        self.told_at = now
        return True


class Strangers:
    """Senders that are nobody's device: so many at most, those that were silent longest go."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Stranger] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def seen(self, address: str, at_us: int) -> Stranger:
        """Take note of a line of one."""
        stranger = self._known.get(address)
        if stranger is None:
            stranger = self._known[address] = Stranger(address)
            if len(self._known) > _MOST_STRANGERS:
                self._known.popitem(last=False)
        self._known.move_to_end(address)
        stranger.lines += 1
        stranger.seen_us = at_us
        return stranger

    def list(self) -> Sequence[Stranger]:
        """Return all of them, the newest first."""
        return list(reversed(self._known.values()))


def _grouped(pairs: Iterable[tuple[str, Device]]) -> dict[str, Sequence[Device]]:
    found: dict[str, list[Device]] = {}
    for address, device in pairs:
        found.setdefault(address, []).append(device)
    return dict(found)


def _normal(host: str) -> str:
    if ":" not in host:  # there is one way to write an IPv4 address, and names are as they are
        return host
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host
