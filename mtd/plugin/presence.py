"""Which menus one device has, as far as is known: by its capabilities, and by its own refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from mtd.model.observation import CapabilityFact, ProbeFacts
from mtd.plugin.declaration import Collector, Companion, Menu, Probe
from mtd.plugin.refusals import Refusals


class Presence:
    """Says whether a menu is to be read. Without a probe most are: their own answers will tell."""

    def __init__(self, collectors: Iterable[Collector], probes: Iterable[Probe], refusals: Refusals) -> None:
        self._refusals = refusals
        self._known: Mapping[str, bool] = {}
        self._menus = {
            (collector.name, menu.name): menu for collector in collectors for menu in collector.menus
        }
        # Whether there are few rows, or any, has to be known first.
        self._unknown = {probe.capability: False for probe in probes if probe.counts}
        self._some = {probe.capability for probe in probes if probe.at_least}

    def learn(self, capabilities: ProbeFacts | AbstractSet[str] | None) -> None:
        """Take what the device can do: of a probe, as plain names, or None if it isn't known."""
        if isinstance(capabilities, ProbeFacts):
            # Of what isn't among them nothing is known.
            facts = {fact.name: fact for fact in capabilities.capabilities}
            self._known = {name: fact.present or self._may_come_back(fact) for name, fact in facts.items()}
        elif capabilities is None:
            self._known = {}
        else:
            menus = self._menus.values()
            names = {menu.requires for menu in menus}
            names |= {companion.requires for menu in menus for companion in menu.companions}
            self._known = {name: name in capabilities for name in names}
        self._refusals.forget_missing()

    def _may_come_back(self, fact: CapabilityFact) -> bool:
        """Whether a menu has no rows now, and had some: those of a controller whose access points are all gone."""
        return fact.name in self._some and fact.detail.isdecimal() and self._known.get(fact.name, False)

    def wants(self, collector: str, menu: Menu) -> bool:
        """Whether a collector's menu is to be read: it is there, and what it is made of."""
        if not self.has(menu):
            return False
        needed = [companion for companion in menu.companions if companion.needed]
        if needed and not any(map(self.has, needed)):
            return False
        preferred = self._menus.get((collector, menu.instead_of))
        return preferred is None or not self.has(preferred)

    def has(self, read: Menu | Companion) -> bool:
        """Whether the device has a menu, as far as is known."""
        name = read.requires
        if name and not self._known.get(name, self._unknown.get(name, True)):
            return False
        return not self._refusals.is_missing(read.command_path)
