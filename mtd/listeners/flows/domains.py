"""Devices that send from one address, told apart by source ids or observation domains, as the settings say.

A name tells a device within its tenant only: whoever may name a device could take what another's sends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mtd.listeners.flows.config import ExporterConfig

if TYPE_CHECKING:
    from mtd.model.device import Device

logger = logging.getLogger(__name__)

_TOLD_NAMES = 5


class Domains:
    """Devices by address and domain, where the settings tell.

    A device is written as its id, or as ``tenant-id/name``. A bare name counts while devices of one tenant only were
    seen since the start: it doesn't become another's when the last device of the first is gone.
    """

    def __init__(self, exporters: Mapping[str, ExporterConfig]) -> None:
        self._written = {address: one.domains for address, one in exporters.items() if one.domains}
        self._devices: Mapping[str, Mapping[int, Sequence[Device]]] = {}
        self._seen_tenants: set[str] = set()
        self._refused: frozenset[str] = frozenset()

    def apply(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        if not self._written:
            return
        by_id: dict[str, Device] = {}
        by_name: dict[str, list[Device]] = {}
        for device in devices:
            self._seen_tenants.add(device.tenant_id)
            by_id[device.device_id] = device
            by_name.setdefault(device.name, []).append(device)
        self._devices = {
            address: {domain: self._find(text, by_id, by_name) for domain, text in domains.items()}
            for address, domains in self._written.items()
        }
        self._tell_refused(by_id, by_name)

    def find(self, address: str, domain: int) -> Sequence[Device] | None:
        """Return the device that a domain is, which may be gone; None where the settings don't tell."""
        return self._devices.get(address, {}).get(domain)

    def all_of(self, address: str) -> Sequence[Device]:
        """Return all devices that the settings tell of an address."""
        return [device for found in self._devices.get(address, {}).values() for device in found]

    @property
    def tenants(self) -> Mapping[str, Mapping[int, str]]:
        """Tenants by address and domain; empty where there is no such device."""
        return {
            address: {domain: found[0].tenant_id if found else "" for domain, found in domains.items()}
            for address, domains in self._devices.items()
        }

    def _find(
        self, text: str, by_id: Mapping[str, Device], by_name: Mapping[str, Sequence[Device]]
    ) -> Sequence[Device]:
        if (device := by_id.get(text)) is not None:
            return (device,)
        tenant_id, _, name = text.partition("/")
        found = [device for device in by_name.get(name, ()) if device.tenant_id == tenant_id]
        if found or len(self._seen_tenants) > 1:
            return found
        return by_name.get(text, ())

    def _tell_refused(self, by_id: Mapping[str, Device], by_name: Mapping[str, Sequence[Device]]) -> None:
        """Warn of bare names where there are several tenants, once each."""
        written = {text for domains in self._written.values() for text in domains.values()}
        several = len(self._seen_tenants) > 1
        refused = frozenset(text for text in written if several and "/" not in text and text not in by_id)
        for text in sorted(refused - self._refused):
            known = [f"{one.tenant_id}/{one.name}" for one in by_name.get(text, ())]
            logger.warning(
                "flows.exporters: %r in domains isn't used, as there are several tenants, each of which may have a device of "
                "that name: write the device's id, or tenant-id/name%s",
                text,
                f", such as {', '.join(known[:_TOLD_NAMES])}" if known else "",
            )
        self._refused = refused
