"""What all viewers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.api.console.cards import Cards
    from mtd.api.console.events import EventTail
    from mtd.api.console.fleet import Fleet
    from mtd.api.console.own import OwnState
    from mtd.api.console.trends import Trends
    from mtd.core.clock import Clock


@dataclass(frozen=True, slots=True)
class World:
    """Texts that are made once for all. ``hello``: the parts of the first message."""

    clock: Clock
    hello: str
    cards: Cards
    fleet: Fleet
    events: EventTail
    trends: Trends
    own: OwnState
