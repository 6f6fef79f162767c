"""The things of one device that have names: interfaces, peers, users.

Shared by the menus of a device: a table teaches names, the metric menus ask
for instances, and messages ask for labels. Where the names of a table are
private, pseudonyms are what it teaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from mtd.model.device import InterfaceNaming
from mtd.model.values import text
from mtd.plugin.declaration import Labels, SameThing
from mtd.plugin.watchdog import guarded

_AGAIN = "@"
# Things that are gone, whose ids may be used again for others: of each scope, so many are remembered.
_GONE_KEPT = 4096


@dataclass(slots=True)
class Scope:
    """The things of one scope. ``version`` grows when ``instance`` or ``named`` may answer otherwise than before.

    ``known`` holds the fields of those that have to be told from others with
    their id; the oldest of ``gone`` are forgotten, so that a table whose rows
    come and go for years doesn't fill the memory.
    """

    version: int = 0
    known: dict[str, Mapping[str, str]] = field(default_factory=dict)  # router's id -> fields
    gone: dict[str, None] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)  # router's id -> instance
    labels: dict[str, str] = field(default_factory=dict)  # instance -> label, where that is another
    logged: dict[str, str] = field(default_factory=dict)  # instance -> name in log lines, if not the label
    names: dict[str, str] = field(default_factory=dict)  # name -> instance
    names_of: dict[str, str] = field(default_factory=dict)  # instance -> name
    doubles: dict[str, int] = field(default_factory=dict)  # name -> how many have it, if more than one
    speeds: dict[str, float] = field(default_factory=dict)


class Things:
    """Instances by scope: stable ids, labels for people, link speeds."""

    def __init__(self, naming: InterfaceNaming, code_page: str) -> None:
        self.naming = naming
        self.code_page = code_page
        self.speeds_version = 0
        self._scopes: dict[str, Scope] = {}

    def scope(self, name: str) -> Scope:
        """Return a scope, which stays the same object as long as the device is watched."""
        found = self._scopes.get(name)
        if found is None:
            found = self._scopes[name] = Scope()
        return found

    def instance(self, scope: str, raw: bytes) -> str:
        """Return the stable id of what the router calls ``raw``."""
        return self.alias(scope, text(raw, self.code_page))

    def alias(self, scope: str, raw_id: str) -> str:
        """Return the stable id of what the router calls by this text, or what stands for it."""
        aliases = self.scope(scope).aliases
        return aliases.get(raw_id, raw_id) if aliases else raw_id

    def named(self, scope: str, raw: bytes) -> str | None:
        """Return the stable id of the thing with this name; None if it isn't known (yet)."""
        return self.scope(scope).names.get(text(raw, self.code_page))

    def label(self, scope: str, instance: str) -> str:
        """Return what people call it; its id as long as nothing else is known."""
        return self.scope(scope).labels.get(instance, instance)

    def logged_as(self, scope: str, instance: str) -> str:
        """Return what the router's log lines call it; empty if that is the label, or isn't known."""
        return self.scope(scope).logged.get(instance, "")

    def names(self, scope: str) -> dict[str, tuple[str, str]]:
        """Return names and labels of the things of a scope that have a name, by their stable ids."""
        things = self.scope(scope)
        return {
            instance: (name, things.labels.get(instance, instance))
            for instance, name in things.names_of.items()
            if name
        }

    def learn(
        self, scope: str, raw_id: str, fields: Mapping[str, str], labels: Labels, same: SameThing | None
    ) -> str:
        """Take note of a row of a table; return its instance.

        An id that the router uses again for another thing gets a new instance,
        so that two histories are never joined.
        """
        things = self.scope(scope)
        if same is not None:
            known = things.known.get(raw_id)
            if known is not None and not guarded(partial(same, known, fields)):
                things.aliases[raw_id] = _next_instance(things, raw_id)
                things.version += 1
            things.known[raw_id] = fields
            things.gone.pop(raw_id, None)
        instance = things.aliases.get(raw_id, raw_id)
        name = fields.get(labels.name, "")
        label = self.naming.label(name, fields.get(labels.comment, "")) or instance
        if label != instance:
            things.labels[instance] = label
        else:
            things.labels.pop(instance, None)
        logged = fields.get(labels.logged or labels.name, "")
        if logged and logged != label:
            things.logged[instance] = logged
        else:
            things.logged.pop(instance, None)
        _rename(things, instance, name)
        return instance

    def restore(
        self,
        scope: str,
        raw_id: str,
        instance: str,
        fields: Mapping[str, str],
        labels: Labels,
        same: SameThing | None = None,
    ) -> None:
        """Take note of what was known before a restart of mtd: the router's id, and the instance."""
        things = self.scope(scope)
        if instance != raw_id:
            things.aliases[raw_id] = instance
        things.version += 1
        things.known.pop(raw_id, None)
        self.learn(scope, raw_id, fields, labels, same)

    def forget(self, scope: str, instance: str) -> None:
        """The thing is gone: its name may be given to another."""
        things = self.scope(scope)
        name = things.names_of.pop(instance, None)
        if name:
            _release(things, name, instance)
        things.labels.pop(instance, None)
        things.logged.pop(instance, None)
        self.set_speed(scope, instance, None)

    def forget_id(self, scope: str, raw_id: str) -> None:
        """Nothing has the router's id any more. What had it is remembered for a while, by ``known``."""
        things = self.scope(scope)
        if raw_id not in things.known:
            return
        things.gone[raw_id] = None
        if len(things.gone) > _GONE_KEPT:
            oldest = next(iter(things.gone))
            del things.gone[oldest]
            del things.known[oldest]
            things.aliases.pop(oldest, None)

    def speed(self, scope: str, instance: str) -> float | None:
        """Return the link's speed in bits per second, if it is known."""
        return self.scope(scope).speeds.get(instance)

    def set_speed(self, scope: str, instance: str, speed: float | None) -> None:
        """Set the link's speed in bits per second; None: unknown, or no link."""
        speeds = self.scope(scope).speeds
        if speeds.get(instance) == speed:
            return
        self.speeds_version += 1
        if speed is None:
            del speeds[instance]
        else:
            speeds[instance] = speed


def _rename(things: Scope, instance: str, name: str) -> None:
    old = things.names_of.get(instance)
    if old == name:
        return
    if old:
        _release(things, old, instance)
    things.names_of[instance] = name
    if name:
        if name in things.names:
            things.doubles[name] = things.doubles.get(name, 1) + 1
        things.names[name] = instance
    things.version += 1


def _release(things: Scope, name: str, instance: str) -> None:
    """Let go of a name; another thing that has it as well is called by it from now on."""
    others = things.doubles.get(name, 1) - 1
    if others > 1:
        things.doubles[name] = others
    else:
        things.doubles.pop(name, None)
    if things.names.get(name) != instance:
        return
    del things.names[name]
    things.version += 1
    if others:
        # Looked for among all of them, which is rare: a session that begins anew takes the name before.
        has_it = (other for other, its in things.names_of.items() if its == name and other != instance)
        things.names[name] = next(has_it)


def _next_instance(things: Scope, raw_id: str) -> str:
    """Return ``*1@2`` after ``*1``, ``*1@3`` after ``*1@2``; the router's own ids may hold an ``@``, too."""
    number = things.aliases.get(raw_id, "").removeprefix(raw_id + _AGAIN)
    following = int(number) + 1 if number.isdecimal() else 2
    while f"{raw_id}{_AGAIN}{following}" in things.known:
        following += 1
    return f"{raw_id}{_AGAIN}{following}"
