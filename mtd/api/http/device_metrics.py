"""Values of routers for Prometheus: what is newest in memory, and how old it is. Never asks a router."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from mtd.api.config import HttpConfig
from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.latest_stream import Group
from mtd.api.grpc.overlaps import NONE
from mtd.api.http.device_lines import DeviceLines, GroupLines, names_now
from mtd.api.http.exposition import Body, Format, Lines, Slices, header, labelled, number
from mtd.api.http.metric_families import PREFIX, Families, Family, Type
from mtd.core.clock import Clock
from mtd.model.catalogue import Catalogue
from mtd.model.device import DeviceStatus
from mtd.model.metric import Lane, Tier
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate
from mtd.queries.records import DeviceView
from mtd.scheduler.account import Polled

UP = Family(
    PREFIX + "up",
    Type.GAUGE,
    "1 if the router is polled (up or degraded), 0 if it isn't (down, or not reached yet).",
)
STATUS = Family(PREFIX + "status", Type.INFO, "Status of the router, and why it is that.")
DEVICE = Family(PREFIX + "device", Type.INFO, "What the router is, and the labels that people gave it.")
TIMESTAMP = Family(
    PREFIX + "poll_timestamp_seconds",
    Type.GAUGE,
    "When the newest values of a poll group were collected, in seconds since the epoch.",
    "seconds",
)
AGE = Family(
    PREFIX + "poll_age_seconds",
    Type.GAUGE,
    "Age of the newest values of a poll group. Too old ones aren't served, their age is.",
    "seconds",
)
TALLIES: Sequence[tuple[Family, Callable[[Polled], float]]] = (
    (
        Family(PREFIX + "polls_answered", Type.COUNTER, "Polls that the router answered."),
        lambda polled: polled.polls,
    ),
    (
        Family(PREFIX + "polls_answered_seconds", Type.COUNTER, "Time until they were answered.", "seconds"),
        lambda polled: polled.poll_s,
    ),
    (Family(PREFIX + "polls_failed", Type.COUNTER, "Polls that failed."), lambda polled: polled.failed),
    (
        Family(
            PREFIX + "polls_skipped",
            Type.COUNTER,
            "Polls that were due and not made, since one was under way, the router was busy, or mtd was.",
        ),
        lambda polled: polled.skipped,
    ),
    (
        Family(PREFIX + "cost_commands", Type.COUNTER, "Commands that the router was sent."),
        lambda polled: polled.cost.commands,
    ),
    (
        Family(PREFIX + "cost_received_bytes", Type.COUNTER, "Bytes that the router answered with.", "bytes"),
        lambda polled: polled.cost.received_bytes,
    ),
    (
        Family(PREFIX + "cost_sent_bytes", Type.COUNTER, "Bytes that the router was sent.", "bytes"),
        lambda polled: polled.cost.sent_bytes,
    ),
    (
        Family(PREFIX + "cost_rows", Type.COUNTER, "Rows that the router answered with."),
        lambda polled: polled.cost.rows,
    ),
    (
        Family(
            PREFIX + "cost_busy_seconds",
            Type.COUNTER,
            "Time in which commands were under way at the router.",
            "seconds",
        ),
        lambda polled: polled.cost.busy_s,
    ),
)
ALIVE = frozenset({DeviceStatus.UP, DeviceStatus.DEGRADED})

Intervals = Callable[[], Mapping[Tier, float]]
PolledOf = Callable[[str], Polled | None]
"""Returns what came of polling a device, by its id, so far; None if it isn't polled here."""


class Values(Protocol):
    """Where the newest values are: the stream hub."""

    def device(self, tenant_id: str, device_id: str) -> KnownDevice | None:
        """Return a device, None if the inventory hasn't it."""

    def groups_of(self, tenant_id: str, device_id: str) -> Mapping[str, Group]:
        """Return a device's newest values by poll group."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One poll group as it was when the scrape began: the parts of an answer belong together."""

    name: str
    lines: GroupLines
    newest: LatestUpdate
    age_s: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One device of an answer. ``name`` is what it was called when the answer began."""

    name: str
    view: DeviceView
    groups: Sequence[Taken]
    infos: Mapping[Family, str]
    polled: Polled | None = None


Part = tuple[Lane, Lines, LatestUpdate]


class DeviceMetrics:
    """Writes expositions. To be used from the loop's thread only, which it gives back every few milliseconds.

    A `HubListener`: what was compiled for a device goes with it.

    ``intervals_s`` gives the collector's seconds between polls, by tier.
    """

    def __init__(
        self,
        values: Values,
        catalogue: Catalogue,
        config: HttpConfig,
        clock: Clock,
        intervals_s: Intervals,
        polled_of: PolledOf = lambda _: None,
    ) -> None:
        self._values = values
        self._config = config
        self._clock = clock
        self._intervals_s = intervals_s
        self._polled_of = polled_of
        self._families = Families(catalogue)
        # Bound: the inventory; `device_gone` drops the others.
        self._lines: dict[str, DeviceLines] = {}

    def group_changed(self, group: Group) -> None:
        """Nothing: values are read when they are asked for."""

    def device_gone(self, device: KnownDevice) -> None:
        """Forget what was compiled for a device."""
        self._lines.pop(device.device_id, None)

    @property
    def kept(self) -> int:
        """For how many devices something is compiled."""
        return len(self._lines)

    async def write(self, views: Iterable[DeviceView], style: Format, *, gzip: bool = False) -> bytes:
        """Return the exposition of these devices."""
        slices = Slices()
        rows: list[Row] = []
        parts: dict[Family, list[Part]] = {}
        for view, name in self._named(views):
            row = await self._take(view, name)
            rows.append(row)
            for group in row.groups:
                if group.fresh:
                    for family, (lane, lines) in group.lines.by_family.items():
                        parts.setdefault(family, []).append((lane, lines, group.newest))
            if slices.over:
                await slices.rest()
        body = Body(gzip=gzip)
        for family, texts in _texts(rows, parts, self._families.infos):
            body.add(header(family, style))
            for text in texts:
                body.add(text)
                if slices.over:
                    await slices.rest()
            if body.full:
                await body.encode()
        body.add(style.end)
        return await body.finish()

    def _named(self, views: Iterable[DeviceView]) -> list[tuple[DeviceView, str]]:
        """Return devices with their names, all as of this moment, so that no two have the same.

        The views were read before: who was renamed since goes by the new name,
        and who isn't in the inventory any more, or not yet, isn't there.
        """
        known = ((view, self._values.device(view.tenant_id, view.device_id)) for view in views)
        return [(view, device.name) for view, device in known if device is not None]

    async def _take(self, view: DeviceView, name: str) -> Row:
        now_us = self._clock.now_us()
        groups = self._values.groups_of(view.tenant_id, view.device_id)
        polled = self._polled_of(view.device_id)
        if not groups or view.status is DeviceStatus.DISABLED:
            return Row(name, view, (), {}, polled)
        device = names_now(next(iter(groups.values())).device, name)
        compiled = self._lines.setdefault(view.device_id, DeviceLines())
        older = compiled.overlaps.older(groups)
        # Together, and before anything is awaited: values are read by their layout.
        frames = [(name, group.known, group.newest) for name, group in sorted(groups.items())]
        taken = []
        for poll_group, known, newest in frames:
            if not known.layout.series:
                continue  # what it had is read with another group
            without = older.get(poll_group, NONE)
            lines = await compiled.of(poll_group, known, device, self._families, without)
            age_s = max(0.0, (now_us - newest.collected_at_us) / 1e6)
            taken.append(Taken(poll_group, lines, newest, age_s, age_s <= self._limit_s(view, poll_group)))
        infos = await compiled.infos(device, self._families, [group.lines for group in taken])
        return Row(name, view, taken, infos, polled)

    def _limit_s(self, view: DeviceView, poll_group: str) -> float:
        """Return the age from which on values of a poll group aren't served."""
        intervals_s = {**self._intervals_s(), **view.settings.intervals_s}
        # An egg may name a group of its own: nothing is known of its pace.
        interval_s = intervals_s.get(cast("Tier", poll_group)) or max(intervals_s.values())
        return max(self._config.device_stale_intervals * interval_s, self._config.device_stale_min_s)


def _texts(
    rows: Sequence[Row], parts: Mapping[Family, Sequence[Part]], infos: Sequence[Family]
) -> Iterator[tuple[Family, Iterator[str]]]:
    """Yield each family that has samples, with them."""
    for family, make in HEADS:
        if any(True for row in rows if make(row)):
            yield family, (make(row) for row in rows)
    for family in infos:
        if any(family in row.infos for row in rows):
            yield family, (row.infos.get(family, "") for row in rows)
    for family in sorted(parts, key=lambda family: family.name):
        yield family, (_values(part) for part in parts[family])


def _values(part: Part) -> str:
    lane, lines, newest = part
    if lane is Lane.COUNTER:
        return lines.of_counters(newest.counters, newest.counters_present)
    return lines.of_floats(newest.gauges if lane is Lane.GAUGE else newest.rates)


def _up(row: Row) -> str:
    # Of one that nobody looks at, because its collector isn't there, nothing is known: absent is not down.
    if row.view.status in (DeviceStatus.DISABLED, DeviceStatus.UNKNOWN):
        return ""
    return f"{labelled(UP, {'device': row.name})} {int(row.view.status in ALIVE)}\n"


def _status(row: Row) -> str:
    return _info(STATUS, row, {"status": row.view.status, "reason": row.view.status_reason})


def _device(row: Row) -> str:
    view = row.view
    told = {
        "id": view.device_id,
        "host": view.settings.host,
        "version": view.routeros_version,
        "board": view.board_name,
        "identity": view.identity,
    }
    return _info(DEVICE, row, told | prefixed_labels(view, "label_"))


def _info(family: Family, row: Row, told: Mapping[str, str]) -> str:
    known = {key: value for key, value in told.items() if value}
    return f"{labelled(family, {'device': row.name, **known})} 1\n"


def _timestamp(row: Row) -> str:
    return "".join(
        f"{labelled(TIMESTAMP, {'device': row.name, 'poll_group': group.name})}"
        f" {number(group.newest.collected_at_us / 1e6)}\n"
        for group in row.groups
    )


def _age(row: Row) -> str:
    return "".join(
        f"{labelled(AGE, {'device': row.name, 'poll_group': group.name})} {number(group.age_s)}\n"
        for group in row.groups
    )


def _tally(family: Family, read: Callable[[Polled], float], row: Row) -> str:
    if row.polled is None:
        return ""
    return f"{labelled(family, {'device': row.name})} {number(float(read(row.polled)))}\n"


HEADS: Sequence[tuple[Family, Callable[[Row], str]]] = (
    (UP, _up),
    (STATUS, _status),
    (DEVICE, _device),
    (TIMESTAMP, _timestamp),
    (AGE, _age),
    *((family, partial(_tally, family, read)) for family, read in TALLIES),
)
"""Families that say how a device is rather than what it measures: there even if it is down."""


def prefixed_labels(view: DeviceView, prefix: str) -> dict[str, str]:
    """Return the labels that people gave a device, by names that Prometheus accepts, each its own."""
    labels = view.settings.labels
    # Names that may stay as they are come first: nobody takes them away.
    found: dict[str, str] = {}
    for name in sorted(labels, key=lambda name: (_accepted(name) != name, name)):
        accepted = free = _accepted(name)
        number = 1
        while free in found:
            number += 1
            free = f"{accepted}_{number}"
        found[free] = labels[name]
    return {prefix + name: found[name] for name in sorted(found)}


def _accepted(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)
