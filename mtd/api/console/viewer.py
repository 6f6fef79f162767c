"""One open console: what it looks at, what it knows, and what it is told next. Does no I/O of its own.

A viewer holds marks, never values: which devices changed since they were sent,
how far it knows the list and the events. Whatever is sent is the newest there
is at that moment. So a browser that doesn't read costs its marks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from mtd.api.console import metrics
from mtd.api.console.encode import encode, entry, joined, listed, message
from mtd.api.console.events import Reached
from mtd.api.console.view import BadView, View, parse_view

if TYPE_CHECKING:
    from mtd.api.console.cards import Card
    from mtd.api.console.detail import ShownLayout
    from mtd.api.console.fleet import News
    from mtd.api.console.world import World

TICK_S = 0.25
MIN_GAP_S = 1.0
"""Least time between two messages about one device."""

STALE_AFTER_S = 5.0

# A message stays small enough to be made and sent without holding the loop.
DEVICES_AT_ONCE = 200
TRENDS_AT_ONCE = 100


class Viewer:
    """Decides at each tick what its browser is told. ``full``: whether its connection takes nothing now.

    ``whole``: whether it may know of the process what tells of all tenants.
    """

    def __init__(
        self, world: World, send: Callable[[str], None], full: Callable[[], bool], *, whole: bool = False
    ) -> None:
        self._whole = whole
        self.view = View()
        self._world = world
        self._send = send
        self._full = full
        self._cards: dict[str, Card] = {}
        self._detail: Card | None = None
        self._wanted: View | None = None
        self._missing: set[str] = set()  # asked for, and not known (any more)
        self._error = ""
        self._greeted = False
        # Marks: what is to be told.
        self._changed: dict[Card, None] = {}
        self._groups: dict[str, None] = {}
        self._trends: dict[Card, None] = {}
        # What is known: when devices were told of last, layouts, versions.
        self._told: dict[str, float] = {}
        self._layouts: set[int] = set()
        self._fleet = 0
        self._list: tuple[News, int] | None = None  # what is being told of the list, and from where on
        self._events = Reached()
        self._rank = 0
        self._self = 0

    # -- what comes in ---------------------------------------------------------

    def receive(self, text: str) -> None:
        """Take a request. It is looked at with the next tick: of many, only the newest counts."""
        try:
            self._wanted = parse_view(text)
        except BadView as bad:
            self.complain(str(bad), bad.hint)

    def complain(self, error: str, hint: str) -> None:
        """Tell the browser that its last request could not be used."""
        metrics.BAD_REQUESTS.inc()
        self._error = f"{entry('error', error)},{entry('hint', hint)}"

    def card_changed(self, card: Card) -> None:
        """Mark a device as newer than what was told."""
        if card in self._changed:
            metrics.SKIPPED.inc()
        else:
            self._changed[card] = None

    def detail_changed(self, card: Card, poll_group: str) -> None:
        """Mark a poll group of the device in detail as newer."""
        if poll_group in self._groups:
            metrics.SKIPPED.inc()
        else:
            self._groups[poll_group] = None

    def card_added(self, card: Card) -> None:
        """Look again with the next tick if this device was asked for before it was known."""
        if card.device.device_id in self._missing and self._wanted is None:
            self._wanted = self.view

    def card_gone(self, card: Card) -> None:
        """Forget a device that the inventory hasn't any more."""
        if self._cards.pop(card.device.device_id, None) is not None or self._detail is card:
            self._missing.add(card.device.device_id)
        self._changed.pop(card, None)
        self._trends.pop(card, None)
        if self._detail is card:
            self._detail = None
            self._groups.clear()

    def leave(self) -> None:
        """Look at nothing any more."""
        for card in self._cards.values():
            card.viewers.discard(self)
        if self._detail is not None:
            self._detail.leave(self)
        self._cards, self._detail = {}, None
        self._send, self._full = _nobody, lambda: True

    # -- what goes out ---------------------------------------------------------

    def tick(self, now: float) -> None:
        """Tell what is new, as far as the connection takes it. ``now``: monotonic."""
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self._look_at(wanted, now)
        self._tell(self._messages(now))

    def _messages(self, now: float) -> Iterator[str]:
        """Yield what is to be sent, most important first. Each is made only if it is taken."""
        if self._full():
            return
        world = self._world
        if not self._greeted:
            self._greeted = True
            yield self._message("hello", world.hello)
        if self._error:
            error, self._error = self._error, ""
            yield self._message("error", error)
        yield from self._fleet_news()
        yield from self._values(now)
        if self._trends:
            yield self._trend()
        yield from self._shared()

    def go_on(self) -> None:
        """The connection takes more again: a long list needn't wait for the next tick."""
        if self._list is not None:
            self._tell(self._fleet_news())

    def _tell(self, messages: Iterator[str]) -> None:
        for text in messages:
            self._send(text)
            if self._full():
                return

    def _fleet_news(self) -> Iterator[str]:
        """Yield what is new in the list, in portions: as many as the connection takes."""
        fleet = self._world.fleet
        if self._list is None and self._fleet != fleet.version:
            self._list = fleet.news(self._fleet), 0
        while self._list is not None:
            news, at = self._list
            parts, at = fleet.portion(news, at)
            if at < len(news.rows):
                self._list = news, at
            else:
                self._list, self._fleet = None, news.version
            yield self._message("fleet", parts)

    def _values(self, now: float) -> Iterator[str]:
        """Yield what is due of devices: one message a second about each."""
        due = [card for card in self._changed if self._is_due(card, now)][:DEVICES_AT_ONCE]
        detail = self._detail
        if detail is not None and self._groups and self._is_due(detail, now):
            if detail in due:
                due.remove(detail)  # its summary goes with its details
        else:
            detail = None
        for card in due:
            self._told[card.device.device_id] = now
            del self._changed[card]
        fragments = [card.fragment for card in due]
        if any(fragments):
            yield self._message("values", joined("devices", filter(None, fragments)))
        if detail is not None:
            groups, self._groups = self._groups, {}
            shown = [one for one in map(detail.detail, groups) if one is not None]
            if shown:
                self._told[detail.device.device_id] = now
                yield self._detail_message(detail, shown)

    def _is_due(self, card: Card, now: float) -> bool:
        return now - self._told.get(card.device.device_id, -MIN_GAP_S) >= MIN_GAP_S

    def _detail_message(self, card: Card, shown: Sequence[ShownLayout]) -> str:
        layouts = [one.text for one in shown if one.number not in self._layouts]
        self._layouts.update(one.number for one in shown)
        parts = [
            f'"id":{card.id_text}',
            listed("layouts", layouts),
            listed("updates", [one.update_text for one in shown]),
        ]
        if card in self._changed:
            del self._changed[card]
            parts.append(joined("devices", [card.fragment] if card.fragment else []))
        return self._message("detail", *parts)

    def _trend(self) -> str:
        cards = list(self._trends)[:TRENDS_AT_ONCE]
        for card in cards:
            del self._trends[card]
        trends = self._world.trends
        return self._message(
            "trend", f'"step_s":{trends.step_s:g}', joined("devices", map(trends.fragment, cards))
        )

    def _shared(self) -> Iterator[str]:
        """Yield what is the same for all who want it."""
        world, view = self._world, self.view
        if view.rank and self._rank != world.trends.version:
            self._rank = world.trends.version
            yield self._message("rank", world.trends.rank)
        if view.events != "none" and world.events.has_news(self._events):
            devices = None if view.events == "all" else self._in_view()
            missed = world.events.misses(self._events)
            found, self._events = world.events.after(self._events, devices)
            if missed:
                yield self._message("events", listed("events", found), entry("missed", missed))
            elif found:
                yield self._message("events", listed("events", found))
        if view.self_ and self._self != world.own.version:
            self._self = world.own.version
            yield self._message("self", world.own.told(whole=self._whole))

    def _message(self, kind: str, *parts: str) -> str:
        return message(kind, self._world.clock.now_us(), *parts)

    # -- what is in view ---------------------------------------------------------

    def _look_at(self, wanted: View, now: float) -> None:
        anew = wanted.look != self.view.look
        if wanted.events != "none" and (
            anew or self.view.events == "none" or wanted.after != self.view.after
        ):
            self._events = self._world.events.since(wanted.after)
        cards = self._world.cards
        self._missing = set()
        found = {one: card for one in wanted.devices if (card := cards.get(one)) is not None}
        for device_id, card in self._cards.items():
            if device_id not in found:
                card.viewers.discard(self)
                self._changed.pop(card, None)
                self._trends.pop(card, None)
        for device_id, card in found.items():
            if device_id not in self._cards:
                card.viewers.add(self)
                self._changed[card] = None
                self._trends[card] = None
        self._cards = found
        self._look_into(cards.get(wanted.detail) if wanted.detail is not None else None, anew)
        self.view = wanted
        asked = {*wanted.devices} if wanted.detail is None else {*wanted.devices, wanted.detail}
        self._missing = {one for one in asked if one not in cards}
        # The gap is kept over changes of the view: who scrolls there and back gets no more.
        self._told = {key: at for key, at in self._told.items() if now - at < MIN_GAP_S or key in found}

    def _look_into(self, card: Card | None, anew: bool) -> None:
        """Tell of this device in detail. ``anew``: the page that asks has not even its layouts."""
        if card is self._detail and not anew:
            return
        if self._detail is not None and self._detail is not card:
            self._detail.leave(self)
        self._detail, self._layouts = card, set()
        self._groups = dict.fromkeys(card.groups) if card is not None else {}
        if card is not None:
            card.details.add(self)

    def _in_view(self) -> set[str]:
        devices = set(self._cards)
        if self._detail is not None:
            devices.add(self._detail.device.device_id)
        return devices


def _nobody(text: str) -> None:
    """Take what is said after the browser left."""


def hello_parts(version: str) -> str:
    """Return what is told first of all."""
    return f'"version":{encode(version)},"interval_s":{MIN_GAP_S:.1f},"stale_after_s":{STALE_AFTER_S:.1f}'
