"""The last five minutes of every device, and all devices by what moves: looked at together, every five seconds."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from mtd.api.console.encode import encode, joined
from mtd.api.console.summary import Summary, rounded

if TYPE_CHECKING:
    from mtd.api.console.cards import Card, Cards
    from mtd.api.grpc.directory import KnownDevice
    from mtd.core.clock import Clock

STEP_S = 5.0
STEPS = 60
POLLS_CURRENT = 2.5
"""Values are of now for so many intervals between polls, and for two steps at least."""
AT_ONCE = 50
"""Devices looked at without a pause: a few milliseconds."""

_SLOTS = STEPS + 1  # one is being written while the others are read
_UNKNOWN = Summary()
_NONE = array("f", [math.nan]) * _SLOTS


class Ring:
    """Traffic of one device, a value per step. Bound: 60 steps of 8 bytes."""

    __slots__ = ("rx", "tx")

    def __init__(self) -> None:
        self.rx = _NONE[:]
        self.tx = _NONE[:]

    def put(self, slot: int, rx_bps: float, tx_bps: float) -> None:
        """Write one step."""
        self.rx[slot] = rx_bps
        self.tx[slot] = tx_bps


class Trends:
    """Rings of all devices, kept on their cards. All have the same steps, so there is one clock for all.

    ``intervals_s``: seconds between polls by tier, of devices that have none of their own.
    """

    step_s = STEP_S

    def __init__(self, cards: Cards, clock: Clock, intervals_s: Callable[[], Mapping[str, float]]) -> None:
        self._cards = cards
        self._clock = clock
        self._intervals_s = intervals_s
        self._slot = 0  # of the newest step that is complete
        self._end_us = 0
        self._texts: dict[Card, str] = {}
        self.version = 0
        """Steps made so far."""
        self.rank = joined("values", ())
        """What is told of all devices."""

    async def follow(self) -> None:
        """Make a step every five seconds, without end."""
        due = self._clock.monotonic() + STEP_S
        while True:
            await asyncio.sleep(due - self._clock.monotonic())
            await self.step()
            due = max(due + STEP_S, self._clock.monotonic())

    async def step(self) -> None:
        """Look at all devices once."""
        now_us = self._clock.now_us()
        slot = (self._slot + 1) % _SLOTS
        ranks: dict[str, str] = {}
        for number, card in enumerate(list(self._cards)):
            summary = self._current(card, now_us)
            _put(card, slot, summary)
            ranks[card.device.device_id] = f"{card.id_text}:{encode(_ranked(summary or _UNKNOWN))}"
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        # Some may have gone while others were looked at.
        self.rank = joined("values", [text for key, text in ranks.items() if key in self._cards])
        self._slot, self._end_us = slot, now_us
        self._texts.clear()
        self.version += 1

    def fragment(self, card: Card) -> str:
        """Return a device's part of a ``trend`` message, made once per step."""
        text = self._texts.get(card)
        if text is None:
            text = self._texts[card] = f"{card.id_text}:{encode(self._shown(card.ring))}"
        return text

    def cpu_pct(self, device_id: str) -> float:
        """Return a router's CPU load, NaN if it isn't known at this moment."""
        card = self._cards.get(device_id)
        summary = None if card is None else self._current(card, self._clock.now_us())
        return math.nan if summary is None else summary.cpu_pct

    def forget(self, card: Card) -> None:
        """Forget a device."""
        self._texts.pop(card, None)

    def _current(self, card: Card, now_us: int) -> Summary | None:
        intervals_s = self._intervals_s()
        slowest_s = max(intervals_s.values(), default=0.0)

        def current_for_us(device: KnownDevice, poll_group: str) -> float:
            # How often it should be polled, not how often it was: an outage makes nothing current.
            own = cast("Mapping[str, float]", device.intervals_s)
            interval_s = own.get(poll_group) or intervals_s.get(poll_group, slowest_s)
            return 1e6 * max(POLLS_CURRENT * interval_s, 2 * STEP_S)

        return card.current(now_us, current_for_us)

    def _shown(self, ring: Ring | None) -> dict[str, object]:
        end_us = self._end_us or self._clock.now_us()
        if ring is None:
            return {"end_us": end_us, "rx_bps": [None] * STEPS, "tx_bps": [None] * STEPS}
        return {"end_us": end_us, "rx_bps": self._in_order(ring.rx), "tx_bps": self._in_order(ring.tx)}

    def _in_order(self, values: array[float]) -> list[float | None]:
        """Return the steps, oldest first; the slot behind the newest is the one that is written next."""
        first = self._slot + 2
        return [rounded(values[(first + step) % _SLOTS]) for step in range(STEPS)]


def _put(card: Card, slot: int, summary: Summary | None) -> None:
    if card.ring is None:
        if summary is None:
            return
        card.ring = Ring()
    if summary is None:
        card.ring.put(slot, math.nan, math.nan)
    else:
        card.ring.put(slot, summary.rx_bps, summary.tx_bps)


def _ranked(summary: Summary) -> list[float | None]:
    return [
        rounded(summary.cpu_pct, 1),
        rounded(summary.mem_pct, 1),
        rounded(summary.rx_bps),
        rounded(summary.tx_bps),
        rounded(summary.errors_per_s, 3),
        rounded(summary.uptime_s),
    ]
