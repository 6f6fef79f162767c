"""The things of one device that have names: interfaces, peers, users.

Shared by the menus of a device: a table teaches names, the metric menus ask
for instances, and messages ask for labels.
"""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.device import InterfaceNaming
from mtd.model.values import text
from mtd.plugin.declaration import Labels, SameThing

_AGAIN = "@"


class Things:
    """Instances by scope: stable ids, labels for people, link speeds.

    ``version`` grows whenever an answer of ``instance`` or ``named`` may differ
    from before.
    """

    def __init__(self, naming: InterfaceNaming, code_page: str) -> None:
        self.naming = naming
        self.code_page = code_page
        self.version = 0
        self.speeds_version = 0
        self._known: dict[tuple[str, str], Mapping[str, str]] = {}  # (scope, raw id) -> fields
        self._aliases: dict[tuple[str, str], str] = {}  # (scope, raw id) -> instance
        self._labels: dict[tuple[str, str], str] = {}  # (scope, instance) -> label
        self._names: dict[tuple[str, str], str] = {}  # (scope, name) -> instance
        self._names_of: dict[tuple[str, str], str] = {}  # (scope, instance) -> name
        self._speeds: dict[tuple[str, str], float] = {}

    def instance(self, scope: str, raw: bytes) -> str:
        """Return the stable id of what the router calls ``raw``."""
        plain = text(raw, self.code_page)
        return self._aliases.get((scope, plain), plain) if self._aliases else plain

    def named(self, scope: str, raw: bytes) -> str | None:
        """Return the stable id of the thing with this name; None if it isn't known (yet)."""
        return self._names.get((scope, text(raw, self.code_page)))

    def label(self, scope: str, instance: str) -> str:
        """Return what people call it; its id as long as nothing else is known."""
        return self._labels.get((scope, instance), instance)

    def learn(
        self, scope: str, raw_id: str, fields: Mapping[str, str], labels: Labels, same: SameThing | None
    ) -> str:
        """Take note of a row of a table; return its instance.

        An id that the router uses again for another thing gets a new instance,
        so that two histories are never joined.
        """
        place = (scope, raw_id)
        known = self._known.get(place)
        if known is not None and same is not None and not same(known, fields):
            self._aliases[place] = self._next_instance(scope, raw_id)
            self.version += 1
        self._known[place] = fields
        instance = self._aliases.get(place, raw_id)
        name = fields.get(labels.name, "")
        self._labels[scope, instance] = self.naming.label(name, fields.get(labels.comment, "")) or instance
        self._rename(scope, instance, name)
        return instance

    def restore(
        self, scope: str, raw_id: str, instance: str, fields: Mapping[str, str], labels: Labels
    ) -> None:
        """Take note of what was known before a restart of mtd: the router's id, and the instance."""
        if instance != raw_id:
            self._aliases[scope, raw_id] = instance
        self.version += 1
        self.learn(scope, raw_id, fields, labels, None)

    def forget_name(self, scope: str, instance: str) -> None:
        """The thing is gone: its name may be given to another. Its identity is remembered."""
        name = self._names_of.pop((scope, instance), None)
        if name is not None and self._names.get((scope, name)) == instance:
            del self._names[scope, name]
            self.version += 1
        self.set_speed(scope, instance, None)

    def speed(self, scope: str, instance: str) -> float | None:
        """Return the link's speed in bits per second, if it is known."""
        return self._speeds.get((scope, instance))

    def set_speed(self, scope: str, instance: str, speed: float | None) -> None:
        """Set the link's speed in bits per second; None: unknown, or no link."""
        if self._speeds.get((scope, instance)) == speed:
            return
        self.speeds_version += 1
        if speed is None:
            del self._speeds[scope, instance]
        else:
            self._speeds[scope, instance] = speed

    def _rename(self, scope: str, instance: str, name: str) -> None:
        old = self._names_of.get((scope, instance))
        if old == name and (not name or self._names.get((scope, name)) == instance):
            return
        if old is not None and self._names.get((scope, old)) == instance:
            del self._names[scope, old]
        self._names_of[scope, instance] = name
        if name:
            self._names[scope, name] = instance
        self.version += 1

    def _next_instance(self, scope: str, raw_id: str) -> str:
        """Return ``*1@2`` after ``*1``, ``*1@3`` after ``*1@2``; the router's own ids may hold an ``@``, too."""
        number = self._aliases.get((scope, raw_id), "").removeprefix(raw_id + _AGAIN)
        following = int(number) + 1 if number.isdecimal() else 2
        while (scope, f"{raw_id}{_AGAIN}{following}") in self._known:
            following += 1
        return f"{raw_id}{_AGAIN}{following}"
