"""Which poll groups there are, by device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from mtd.api.grpc.latest_stream import Group

NO_GROUPS: Mapping[str, Group] = MappingProxyType({})


class GroupIndex:
    """The poll groups of all devices: iterable, and by device and name."""

    def __init__(self) -> None:
        self._by_device: dict[tuple[str, str], dict[str, Group]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Group]:
        for groups in self._by_device.values():
            yield from groups.values()

    def of_device(self, tenant_id: str, device_id: str) -> Mapping[str, Group]:
        """Return a device's groups by name; none if it has no values yet."""
        return self._by_device.get((tenant_id, device_id), NO_GROUPS)

    def add(self, group: Group) -> None:
        """Take in a group that isn't here yet."""
        device = group.device
        groups = self._by_device.setdefault((device.tenant_id, device.device_id), {})
        groups[group.known.layout.poll_group] = group
        self._count += 1

    def remove(self, tenant_id: str, device_id: str) -> Sequence[Group]:
        """Forget a device; return the groups that it had."""
        groups = list(self._by_device.pop((tenant_id, device_id), {}).values())
        self._count -= len(groups)
        return groups
