"""Which things of a router are read at the live tier: what people may say about it, and why it was chosen."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

ALL: Literal["all"] = "all"

Limit: TypeAlias = int | Literal["all"]
"""How many, or all there are."""

MOST_PINS = 200
"""Of one device."""

INTERFACE = "interface"
"""What people call the rows that can be pinned."""

TABLE = "t0_selection"
"""Current-state table of what is read at the live tier while not everything is."""


class Why(enum.StrEnum):
    """Why a thing is read at the live tier, the strongest reason first."""

    PINNED = "pinned"  # an operator wants it: an agreement about its service hangs on it
    UPLINK = "uplink"  # a default route leaves by it
    PPPOE_SERVER = "pppoe_server"  # subscribers arrive by it
    VRRP_MASTER = "vrrp_master"  # it answers for a shared address
    TRAFFIC = "traffic"  # it is among those that carry most

    @property
    def rank(self) -> int:
        """Its place among the reasons; 0 is the strongest."""
        return _RANKS[self]

    @property
    def words(self) -> str:
        """What people are told."""
        return _WORDS[self]


_RANKS: Mapping[Why, int] = {why: rank for rank, why in enumerate(Why)}
_WORDS: Mapping[Why, str] = {
    Why.PINNED: "pinned by an operator",
    Why.UPLINK: "a default route leaves by it",
    Why.PPPOE_SERVER: "it serves PPPoE",
    Why.VRRP_MASTER: "it is VRRP master",
    Why.TRAFFIC: "it is among those with the most traffic",
}


EVERYTHING = "all"
"""Reason of what is read at the live tier because everything is."""
REST = "rest"
"""Reason of what is read more seldom."""


def explained(reason: str) -> str:
    """Return a reason in words."""
    if reason in set(Why):
        return Why(reason).words
    return {EVERYTHING: "all are read at the live tier", REST: "others were chosen for the live tier"}.get(
        reason, reason
    )


@dataclass(frozen=True, slots=True)
class T0Settings:
    """What people set about a device's live tier. None: as the collector is configured.

    ``pins`` are interfaces by their name on the router, or by their id in mtd.
    """

    interfaces: Limit | None = None
    metrics: Limit | None = None
    pins: tuple[str, ...] = ()

    def problems(self) -> list[str]:
        """Return what is wrong with them, one sentence each."""
        wrong = [
            f"t0.{name} is {limit!r}: give a number, 0 or more, or {ALL!r}"
            for name, limit in (("interfaces", self.interfaces), ("metrics", self.metrics))
            if limit is not None and limit != ALL and (not isinstance(limit, int) or limit < 0)
        ]
        if len(self.pins) > MOST_PINS:
            wrong.append(f"t0.pins names {len(self.pins)} interfaces, {MOST_PINS} are allowed")
        if not all(pin.strip() for pin in self.pins):
            wrong.append("t0.pins holds an empty name")
        return wrong


def limit_of(text: str) -> Limit | None:
    """Return the limit that a text says; None for an empty one. Raises ValueError."""
    text = text.strip().lower()
    if not text:
        return None
    if text == ALL:
        return ALL
    if not text.isdecimal():
        raise ValueError(f"{text!r} is neither a number nor {ALL!r}")
    return int(text)


def text_of(limit: Limit | None) -> str:
    """Return a limit as text, the other way round."""
    return "" if limit is None else str(limit)
