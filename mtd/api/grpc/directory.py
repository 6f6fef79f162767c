"""Names of devices and of the things on them, as the stream hub knows them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mtd.model.device import Device, InterfaceNaming
from mtd.model.labels import INTERFACES, LabelSource
from mtd.model.metric import Tier


@dataclass(slots=True)
class KnownDevice:
    """One device. ``version`` grows whenever people would read a name differently.

    ``things``: name and comment of instances by scope, made of what each table
    named, which is in ``named_by``.
    ``types``: RouterOS types of its interfaces by instance (``ether``,
    ``vlan``); ``types_version`` grows with them. ``intervals_s``: seconds
    between its polls by tier, where they aren't the collector's.
    """

    tenant_id: str
    device_id: str
    name: str
    naming: InterfaceNaming = InterfaceNaming.NAME
    intervals_s: Mapping[Tier, float] = field(default_factory=dict)
    version: int = 0
    things: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    types_version: int = 0
    named_by: dict[LabelSource, dict[str, tuple[str, str]]] = field(default_factory=dict)

    def label(self, scope: str, instance: str) -> str:
        """Return what people call an instance; the instance itself as long as nobody said."""
        if not instance:
            return ""
        named = self.things.get(scope, {}).get(instance)
        return (self.naming.label(*named) or instance) if named is not None else instance

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

    def things_of(self, source: LabelSource) -> Collection[str]:
        """Return the instances that a table named."""
        return self.named_by.get(source, {}).keys()

    def name_things(
        self,
        source: LabelSource,
        rows: Mapping[str, tuple[str, str]],
        removed: Iterable[str] = (),
        *,
        complete: bool = False,
    ) -> None:
        """Take (name, comment) by instance; ``complete``: what isn't among them is gone."""
        before = self.named_by.get(source, {})
        after = dict(rows) if complete else {**before, **rows}
        for key in removed:
            after.pop(key, None)
        if after != before:
            self.named_by[source] = after
            self.things[source.scope] = self._together(source)
            self.version += 1

    def _together(self, source: LabelSource) -> dict[str, tuple[str, str]]:
        """Return what all tables of a scope named. Never changed: others may hold it."""
        tables = [other for other in self.named_by if other.scope == source.scope]
        if len(tables) == 1:
            return self.named_by[source]
        found: dict[str, tuple[str, str]] = {}
        for table in sorted(tables, key=lambda other: -other.place):
            found.update(self.named_by[table])
        return found

    def type_things(
        self,
        source: LabelSource,
        types: Mapping[str, str],
        removed: Iterable[str] = (),
        *,
        complete: bool = False,
    ) -> None:
        """Take the types of interfaces, as `name_things` takes names. Types of other things aren't kept."""
        if source.scope != INTERFACES:
            return
        # The same few words for each of a hundred thousand interfaces.
        told = {key: sys.intern(kind) for key, kind in types.items()}
        after = told if complete else {**self.types, **told}
        for key in removed:
            after.pop(key, None)
        if after != self.types:
            self.types = after
            self.types_version += 1


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

    def find(self, tenant_id: str, device_id: str) -> KnownDevice | None:
        """Return a device if it is here; unlike `get`, never make one."""
        return self._devices.get((tenant_id, device_id))

    def of_tenant(self, tenant_id: str) -> list[KnownDevice]:
        """Return a tenant's devices."""
        return [known for key, known in self._devices.items() if key[0] == tenant_id]

    def tenants(self) -> set[str]:
        """Return the tenants that have devices."""
        return {tenant_id for tenant_id, _ in self._devices}

    def apply(self, devices: Iterable[Device]) -> tuple[list[KnownDevice], list[KnownDevice]]:
        """Make this the inventory's list; return the devices that were renamed, and those that are gone."""
        wanted = {(device.tenant_id, device.device_id): device for device in devices}
        renamed = []
        for key, device in wanted.items():
            known = self._devices.get(key) or self._add(*key)
            known.intervals_s = device.intervals_s
            if known.rename(device.name, device.naming):
                renamed.append(known)
        gone = [self._devices.pop(key) for key in list(self._devices) if key not in wanted]
        self._complete = True
        return renamed, gone

    def _add(self, tenant_id: str, device_id: str) -> KnownDevice:
        known = self._devices[tenant_id, device_id] = KnownDevice(tenant_id, device_id, name=device_id)
        return known
