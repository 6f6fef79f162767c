"""Who sends: devices by the addresses that they are known by."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

_MOST_STRANGERS = 1000
# Each listener asks for the same, whenever one device of many changes.
_MOST_NAMES = 50_000


class Sender(Protocol):
    """What has to be known of a device to tell that it sends."""

    @property
    def device_id(self) -> str:
        """Its id."""

    @property
    def tenant_id(self) -> str:
        """Whose it is."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def host(self) -> str:
        """Where it is polled: an address, or a name."""


S = TypeVar("S", bound=Sender)


class Senders(Generic[S]):
    """Devices by the address that they are polled at; of a sole tenant, by those of their interfaces, too.

    What interfaces have, routers tell, and any tenant's could tell another's address: so where there are several tenants,
    only what operators entered counts. Many routers of a tenant have the same address on some interface: the name in a line
    tells such apart. It never tells tenants apart: a name is what its sender says.
    """

    def __init__(self) -> None:
        self._by_host: dict[str, Sequence[S]] = {}
        self._by_id: dict[str, S] = {}
        self._is_sole = False
        self._addresses: Mapping[str, Sequence[str]] = {}

    def apply(self, devices: Iterable[S]) -> None:
        """Know these devices, and no others."""
        self._by_id = {device.device_id: device for device in devices}
        self._by_host = _grouped(self._by_id.values())
        self._is_sole = len({device.tenant_id for device in self._by_id.values()}) == 1

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces; see ``owners_of_addresses``. Costs nothing: it is kept."""
        self._addresses = owners

    @property
    def tenants(self) -> Mapping[str, str]:
        """All addresses that somebody may send from, and names of hosts, with their tenants; empty where there are several."""
        found: dict[str, str] = {}
        if self._is_sole:
            sole = next(iter(self._by_id.values())).tenant_id
            ids = self._by_id.keys()
            found = {one: sole for one, owners in self._addresses.items() if not ids.isdisjoint(owners)}
        for address, devices in self._by_host.items():
            found[address] = devices[0].tenant_id if len({one.tenant_id for one in devices}) == 1 else ""
        return found

    def find(self, address: str, name: str = "") -> Sequence[S]:
        """Return the devices that a sender can be; one if all is well. ``name``: what the line calls its sender."""
        found = self._by_host.get(address) or self._with_address(address)
        if len(found) < 2 or len({device.tenant_id for device in found}) > 1:
            return found
        named = [device for device in found if device.name == name] if name else ()
        return named or found

    def _with_address(self, address: str) -> Sequence[S]:
        """Return the devices that have an address on an interface."""
        owners = self._addresses.get(address) if self._is_sole else None
        if not owners:
            return ()
        known = self._by_id
        return [known[owner] for owner in owners if owner in known]


def owners_of_addresses(addresses: Mapping[str, Iterable[str]]) -> Mapping[str, Sequence[str]]:
    """Return the ids of devices by each address, as senders are compared with it, out of the addresses of each.

    The same for the same, in whatever order that comes. Takes two microseconds of CPU for each, 20 for one of IPv6.
    """
    found: dict[str, list[str]] = {}
    for device_id in sorted(addresses):
        for address in {normal(one) for one in addresses[device_id] if not one.lower().startswith("fe80:")}:
            found.setdefault(address, []).append(device_id)
    return found


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

    def seen(self, address: str, at_us: int, messages: int = 1) -> Stranger:
        """Take note of a line of one, or of some datagrams."""
        stranger = self._known.get(address)
        if stranger is None:
            stranger = self._known[address] = Stranger(address)
            if len(self._known) > _MOST_STRANGERS:
                self._known.popitem(last=False)
        self._known.move_to_end(address)
        stranger.lines += messages
        stranger.seen_us = at_us
        return stranger

    def forget(self, is_known: Callable[[str], bool]) -> None:
        """Forget those that are somebody's device by now."""
        for address in [one for one in self._known if is_known(one)]:
            del self._known[address]

    def list(self) -> Sequence[Stranger]:
        """Return all of them, the newest first."""
        return list(reversed(self._known.values()))


def _grouped(devices: Iterable[S]) -> dict[str, Sequence[S]]:
    found: dict[str, list[S]] = {}
    for device in devices:
        found.setdefault(normal(device.host), []).append(device)
    return dict(found)


@lru_cache(maxsize=_MOST_NAMES)
def normal(host: str) -> str:
    """Return the usual form of an address; a name is as it is."""
    if ":" not in host:  # there is one way to write an IPv4 address, and names are as they are
        return host
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return host
