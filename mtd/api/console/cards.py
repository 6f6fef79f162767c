"""What the console knows of each device right now: encoded once, shared by all who look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from mtd.api.console.detail import DetailTexts, ShownLayout, is_current
from mtd.api.console.encode import encode
from mtd.api.console.summary import Summary, SummaryPlan
from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.latest_stream import Group
from mtd.api.grpc.overlaps import NONE, Overlaps
from mtd.api.grpc.stream_hub import StreamHub
from mtd.core.service import TaskGroup
from mtd.model.layout import Series

if TYPE_CHECKING:
    from mtd.api.console.trends import Ring

LARGE = 2000
"""Series of a layout whose text takes longer than the loop may be held."""


class Watcher(Protocol):
    """Who looks at devices. Told in the middle of a commit: may only make a mark."""

    def card_changed(self, card: Card) -> None:
        """The summary of a device in view is newer."""

    def detail_changed(self, card: Card, poll_group: str) -> None:
        """A poll group of the device in detail is newer."""


class Card:
    """One device: its summary and its values, as text, made when first asked for after each frame."""

    __slots__ = (
        "_fragment",
        "_groups",
        "_making",
        "_overlaps",
        "_plans",
        "_shown",
        "_summary",
        "_tasks",
        "_texts",
        "details",
        "device",
        "id_text",
        "ring",
        "viewers",
    )

    def __init__(self, device: KnownDevice, texts: DetailTexts, tasks: TaskGroup) -> None:
        self.device = device
        self.id_text = encode(device.device_id)
        self.viewers: set[Watcher] = set()
        self.details: set[Watcher] = set()
        self._texts = texts
        self._tasks = tasks
        self._making: set[str] = set()
        self._shown: dict[str, ShownLayout] = {}
        self.ring: Ring | None = None
        """Its last five minutes; see `Trends`."""
        self._groups: dict[str, Group] = {}
        self._overlaps = Overlaps()
        self._plans: dict[str, SummaryPlan] = {}
        self._summary: Summary | None = None
        self._fragment = ""

    def changed(self, group: Group) -> None:
        """Take a frame: nothing is computed before someone asks."""
        name = group.known.layout.poll_group
        self._groups[name] = group
        plan = self._plans.get(name)
        if plan is None or not plan.empty or plan.known is not group.known:
            self._summary = None
            for viewer in self.viewers:
                viewer.card_changed(self)
        for viewer in self.details:
            viewer.detail_changed(self, name)

    @property
    def groups(self) -> dict[str, Group]:
        """The device's newest frames by poll group."""
        return self._groups

    def detail(self, poll_group: str) -> ShownLayout | None:
        """Return the layout and newest values of a poll group, as text.

        None: there are none, or so many that they are being made; viewers are told when they are there.
        """
        group = self._groups.get(poll_group)
        if group is None:
            return None
        shown = self._shown.get(poll_group)
        if shown is None or not is_current(shown, group):
            if len(group.known.layout.series) > LARGE:
                self._make_aside(poll_group, group)
                return None
            shown = self._shown[poll_group] = self._texts.layout(group)
        self._texts.update(shown, group)
        return shown

    def _make_aside(self, poll_group: str, group: Group) -> None:
        if poll_group not in self._making:
            self._making.add(poll_group)
            self._tasks.spawn("layout", self._make_layout(poll_group, group))

    async def _make_layout(self, poll_group: str, group: Group) -> None:
        """Make a large layout in a thread, and tell the viewers that it is there."""
        try:
            shown = await asyncio.to_thread(self._texts.layout, group)
        finally:
            self._making.discard(poll_group)
        if self.details:
            self._shown[poll_group] = shown
            for viewer in self.details:
                viewer.detail_changed(self, poll_group)

    def leave(self, viewer: Watcher) -> None:
        """A viewer doesn't look at the details any more. Without one, their texts aren't kept."""
        self.details.discard(viewer)
        if not self.details:
            self._shown.clear()

    def summary(self) -> Summary:
        """Return what the newest frames say. NaN is what they don't."""
        if self._summary is None:
            self._summary = self._filled(self._groups)
            self._fragment = ""
        return self._summary

    def current(self, now_us: int, current_for_us: Callable[[KnownDevice, str], float]) -> Summary | None:
        """Return what the frames say that are still of now; None if there are none.

        ``current_for_us``: for how long the values of a device's poll group are called current.
        """
        fresh, old = [], False
        older = self._overlaps.older(self._groups)
        for name, group in self._groups.items():
            if now_us - group.newest.collected_at_us <= current_for_us(self.device, name):
                fresh.append(name)
            elif not self._plan(name, group, older).empty:
                old = True
        # As a rule all that counts is fresh, and there is one summary for all uses.
        summary = self._filled(fresh) if old else self.summary()
        return summary if summary.t_us else None

    def _filled(self, names: Iterable[str]) -> Summary:
        summary = Summary()
        older = self._overlaps.older(self._groups)
        for name in names:
            group = self._groups[name]
            plan = self._plan(name, group, older)
            if not plan.empty:
                plan.fill(summary, group.newest)
        return summary

    def _plan(self, name: str, group: Group, older: Mapping[str, frozenset[Series]]) -> SummaryPlan:
        """Return where a group has what counts; what a newer frame has as well counts there."""
        plan, device, without = self._plans.get(name), self.device, older.get(name, NONE)
        if plan is None or not plan.is_of(group.known, device.types_version, without):
            plan = self._plans[name] = SummaryPlan(group.known, device.types, device.types_version, without)
        return plan

    @property
    def fragment(self) -> str:
        """The device's part of a ``values`` message; empty if it has no values yet."""
        summary = self.summary()
        if not self._fragment and summary.t_us:
            self._fragment = f"{self.id_text}:{encode(summary.shown())}"
        return self._fragment


class Cards:
    """A card for each device of one tenant that has values; see `HubListener`."""

    def __init__(self, hub: StreamHub, tenant_id: str, tasks: TaskGroup) -> None:
        self._hub = hub
        self._tenant_id = tenant_id
        self._tasks = tasks
        self._cards: dict[str, Card] = {}
        self._texts = DetailTexts(hub.metrics)
        self.on_added: Callable[[Card], None] = lambda _: None
        self.on_gone: Callable[[Card], None] = lambda _: None
        hub.listen(self)

    def close(self) -> None:
        """Take no more frames."""
        self._hub.unlisten(self)

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._cards

    def __len__(self) -> int:
        return len(self._cards)

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def get(self, device_id: str) -> Card | None:
        """Return the card of a device of the inventory; made if it has none yet."""
        card = self._cards.get(device_id)
        if card is None:
            device = self._hub.device(self._tenant_id, device_id)
            if device is not None:
                card = self._add(device)
        return card

    def group_changed(self, group: Group) -> None:
        """Take a frame."""
        device = group.device
        if device.tenant_id != self._tenant_id:
            return
        card = self._cards.get(device.device_id) or self._add(device)
        card.changed(group)

    def device_gone(self, device: KnownDevice) -> None:
        """Forget a device."""
        card = self._cards.get(device.device_id)
        if card is not None and device.tenant_id == self._tenant_id:
            del self._cards[device.device_id]
            self.on_gone(card)

    def _add(self, device: KnownDevice) -> Card:
        card = self._cards[device.device_id] = Card(device, self._texts, self._tasks)
        for group in self._hub.groups_of(self._tenant_id, device.device_id).values():
            card.groups[group.known.layout.poll_group] = group
        self.on_added(card)
        return card
