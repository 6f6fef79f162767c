"""Menus of which a few rows are read at the live tier, and the tables that say which matter."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.model.metric import Tier
from mtd.model.selection import Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectable:
    """Of a menu of metrics: when it has more rows than the live tier is to hold, the rest is read more seldom.

    Its rows need ids, which a transform has to keep. Series stay what they are; only their poll group is another.

    Attributes:
        traffic: counters whose growth, added up, tells how busy a row is.
        noun: what people call a row; the events of a selection have its name in front.
        rest: tier at which the rows are read that weren't chosen.
    """

    traffic: tuple[str, ...]
    noun: str
    rest: Tier = Tier.T1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooses:
    """Of a current-state table: its rows name things that are to be read at the live tier.

    Attributes:
        why: the reason that operators are told.
        scope: of the things, such as ``iface``.
        field: column that holds a thing's name.
        where: (field, value) pairs that a row must have to count.
    """

    why: Why
    scope: str
    field: str
    where: tuple[tuple[str, str], ...] = ()
