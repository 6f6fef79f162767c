"""The lines of one poll group of one device: made once, filled in at each scrape."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.layouts import KnownLayout
from mtd.api.grpc.overlaps import NONE, Overlaps
from mtd.api.http.exposition import Lines, labelled
from mtd.api.http.metric_families import Families, Family
from mtd.model.labels import INTERFACES
from mtd.model.layout import Series
from mtd.model.metric import Lane

T = TypeVar("T")

# A series takes about 5 microseconds. More of them than this are compiled in a thread.
INLINE_SERIES = 250

# Rates are 32-bit floats: nine digits are all that is in them.
VALUE: Mapping[Lane, str] = {Lane.COUNTER: "%d", Lane.GAUGE: "%r", Lane.RATE: "%.9g"}


def unique_labels(device: KnownDevice, scope: str, instances: Iterable[str]) -> dict[str, str]:
    """Return the label of each instance, no two the same: those that share one get their id behind it.

    Two interfaces may have one comment, or the name of one be the comment of
    another; Prometheus would take them for one series.
    """
    # All that are known count, so that a label doesn't depend on what else a poll brought.
    everything = dict.fromkeys([*device.things.get(scope, ()), *instances])
    labels = {instance: device.label(scope, instance) for instance in everything}
    while shared := {label for label, count in Counter(labels.values()).items() if count > 1}:
        for instance, label in labels.items():
            if label in shared:
                labels[instance] = f"{label} ({instance})"
    return labels


def names_now(device: KnownDevice, name: str) -> KnownDevice:
    """Return a copy that stays as it is, under a name of its own: for threads, and for one answer's whole length."""
    # The tables of names and types in it are never changed, only replaced by others.
    return replace(device, name=name, things=dict(device.things))


class GroupLines:
    """All samples of one poll group of one device, by family. ``device`` is a copy: see `names_now`."""

    __slots__ = ("_known", "_name", "_version", "_without", "by_family", "things")

    def __init__(
        self,
        known: KnownLayout,
        device: KnownDevice,
        families: Families,
        without: frozenset[Series] = NONE,
    ) -> None:
        self._known = known
        self._without = without
        self._name = device.name
        self._version = device.version
        scopes: dict[str, list[str]] = {}
        for scope, instance in known.things:
            scopes.setdefault(scope, []).append(instance)
        labels = {scope: unique_labels(device, scope, instances) for scope, instances in scopes.items()}
        self.things: Mapping[str, Mapping[str, str]] = {
            scope: {instance: labels[scope][instance] for instance in instances}
            for scope, instances in scopes.items()
        }
        """Label by instance of each scope that the group speaks of."""
        self.by_family: Mapping[Family, tuple[Lane, Lines]] = _compiled(
            device, known, labels, families, without
        )

    def is_of(self, known: KnownLayout, device: KnownDevice, without: frozenset[Series]) -> bool:
        """Return whether layout and names are these, less some series."""
        named = device.version == self._version and device.name == self._name
        return known is self._known and named and without == self._without


def _compiled(
    device: KnownDevice,
    known: KnownLayout,
    labels: Mapping[str, Mapping[str, str]],
    families: Families,
    without: frozenset[Series],
) -> dict[Family, tuple[Lane, Lines]]:
    parts: dict[tuple[Family, Lane], tuple[list[int], list[str]]] = {}
    seen = dict.fromkeys(Lane, 0)
    for series in known.layout.series:
        position = seen[series.lane]
        seen[series.lane] += 1
        family = families.of(series.metric, series.lane)
        if family is None or series in without:
            continue
        pairs = {"device": device.name}
        if series.instance:
            pairs[family.label] = labels[family.scope][series.instance]
        positions, lines = parts.setdefault((family, series.lane), ([], []))
        positions.append(position)
        lines.append(labelled(family, pairs).replace("%", "%%") + f" {VALUE[series.lane]}\n")
    return {
        family: (lane, Lines(family.divisor, tuple(positions), "".join(lines)))
        for (family, lane), (positions, lines) in parts.items()
    }


class DeviceLines:
    """All samples of one device, and what its things are."""

    __slots__ = ("_groups", "_info_version", "_infos", "overlaps")

    def __init__(self) -> None:
        self.overlaps = Overlaps()
        self._groups: dict[str, GroupLines] = {}
        self._infos: Mapping[Family, str] = {}
        self._info_version: object = None

    async def of(
        self,
        poll_group: str,
        known: KnownLayout,
        device: KnownDevice,
        families: Families,
        without: frozenset[Series] = NONE,
    ) -> GroupLines:
        """Return the lines of a poll group with this layout and these names, but for some series."""
        lines = self._groups.get(poll_group)
        if lines is None or not lines.is_of(known, device, without):
            size = len(known.layout.series)
            lines = await _made(size, lambda: GroupLines(known, device, families, without))
            self._groups[poll_group] = lines
        return lines

    async def infos(
        self, device: KnownDevice, families: Families, groups: Sequence[GroupLines]
    ) -> Mapping[Family, str]:
        """Return the lines that tell what the things are which these groups speak of; of families with some."""
        version = (device.name, device.version, device.types_version, tuple(groups))
        if version != self._info_version:
            size = sum(len(things) for group in groups for things in group.things.values())
            infos = await _made(size, lambda: _infos(device, families, groups))
            self._infos, self._info_version = infos, version
            return infos
        return self._infos


async def _made(size: int, make: Callable[[], T]) -> T:
    """Return what is made of so many series: in a thread if they are more than the loop has time for."""
    return await asyncio.to_thread(make) if size > INLINE_SERIES else make()


def _infos(device: KnownDevice, families: Families, groups: Sequence[GroupLines]) -> dict[Family, str]:
    found = {family: _info_lines(device, family, groups) for family in families.infos}
    return {family: lines for family, lines in found.items() if lines}


def _info_lines(device: KnownDevice, family: Family, groups: Iterable[GroupLines]) -> str:
    labels: dict[str, str] = {}
    for group in groups:
        labels.update(group.things.get(family.scope, {}))
    things = device.things.get(family.scope, {})
    lines = []
    for instance, label in labels.items():
        name, comment = things.get(instance, ("", ""))
        kind = device.types.get(instance, "") if family.scope == INTERFACES else ""
        told = {"id": instance, "name": name, "comment": comment, "type": kind}
        pairs = {"device": device.name, family.label: label, **{key: told[key] for key in told if told[key]}}
        lines.append(f"{labelled(family, pairs)} 1\n")
    return "".join(lines)
