"""Names of devices and of the things on them, as the stream hub knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mtd.model.device import Device, InterfaceNaming
from mtd.storage.stores.catalogue import LABEL_TABLES

LABELLED_TABLES: Mapping[str, str] = {table: scope for scope, table in LABEL_TABLES.items()}
"""Current-state tables whose rows name instances, and the scope of the metrics that they name."""


@dataclass(slots=True)
class KnownDevice:
    """One device. ``version`` grows whenever people would read a name differently."""

    tenant_id: str
    device_id: str
    name: str
    naming: InterfaceNaming = InterfaceNaming.NAME
    version: int = 0
    things: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def label(self, scope: str, instance: str) -> str:
        """Return what people call an instance; the instance itself as long as nobody said."""
        if not instance:
            return ""
        named = self.things.get(scope, {}).get(instance)
        return self.naming.label(*named) if named is not None else instance

    def names(self, things: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Return the device's name and the labels of these (scope, instance) pairs."""
        return (self.name, *(self.label(scope, instance) for scope, instance in things))

    def rename(self, name: str, naming: InterfaceNaming) -> bool:
        """Take the inventory's word; return whether anything changed."""
        if (self.name, self.naming) == (name, naming):
            return False
        self.name, self.naming = name, naming
        self.version += 1
        return True

    def name_things(
        self,
        table: str,
        rows: Mapping[str, tuple[str, str]],
        removed: Iterable[str] = (),
        *,
        complete: bool = False,
    ) -> None:
        """Take (name, comment) by instance; ``complete``: what isn't among them is gone."""
        scope = LABELLED_TABLES[table]
        before = self.things.get(scope, {})
        after = dict(rows) if complete else {**before, **rows}
        for key in removed:
            after.pop(key, None)
        if after != before:
            self.things[scope] = after
            self.version += 1


class Directory:
    """All devices. Once the inventory spoke, only those that it lists."""

    def __init__(self) -> None:
        self._devices: dict[tuple[str, str], KnownDevice] = {}
        self._complete = False

    def get(self, tenant_id: str, device_id: str) -> KnownDevice | None:
        """Return a device, None if the inventory hasn't it (any more).

        Before the inventory spoke, a device is called by its id.
        """
        known = self._devices.get((tenant_id, device_id))
        if known is None and not self._complete:
            known = self._add(tenant_id, device_id)
        return known

    def apply(self, devices: Iterable[Device]) -> tuple[list[KnownDevice], list[KnownDevice]]:
        """Make this the inventory's list; return the devices that were renamed, and those that are gone."""
        wanted = {(device.tenant_id, device.device_id): device for device in devices}
        renamed = []
        for key, device in wanted.items():
            known = self._devices.get(key) or self._add(*key)
            if known.rename(device.name, device.naming):
                renamed.append(known)
        gone = [self._devices.pop(key) for key in list(self._devices) if key not in wanted]
        self._complete = True
        return renamed, gone

    def _add(self, tenant_id: str, device_id: str) -> KnownDevice:
        known = self._devices[tenant_id, device_id] = KnownDevice(tenant_id, device_id, name=device_id)
        return known
