"""What of one device is read at the live tier (S000-7.4.2): chosen by data, told, and kept steady.

Looked at with each poll of the slower tier, which is when there can be news:
who the uplinks are, which rows there are, and each few minutes who is busy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mtd.model.command import Command
from mtd.model.device import Device, Severity
from mtd.model.metric import Tier
from mtd.model.observation import Observation, StateChange, TableChange
from mtd.model.selection import ALL, INTERFACE, REST, TABLE, Why
from mtd.plugin.choosing import Rules, TrafficWatch, choose
from mtd.plugin.config import T0Config
from mtd.plugin.declaration import Chooses
from mtd.plugin.metrics_menu import MetricsMenu
from mtd.plugin.split import Split
from mtd.plugin.table_menu import TableMenu
from mtd.plugin.things import Things

# Tables that choose are read within seconds of the first poll; one that isn't answered is waited for so long.
_SETTLES_WITHIN_S = 120.0

Choosers = Callable[[], Iterable[TableMenu]]
"""The current-state tables of the device that choose, and that it has."""


@dataclass(slots=True)
class _Watched:
    """A split menu with what its choice rests on."""

    split: Split
    traffic: TrafficWatch
    restored: dict[str, Why]  # of before a restart: believed until the tables were read
    first_at: float | None = None
    settled: bool = False  # the tables that choose were read: changes are news from here on
    basis: object = None  # what the last choice was made of


class LiveRows:
    """Chooses the rows of the selectable menus of one device. One menu of each scope, the first."""

    def __init__(
        self,
        device: Device,
        settings: T0Config,
        things: Things,
        intervals_s: Mapping[Tier, float],
        choosers: Choosers,
        other_values: Callable[[], int],
    ) -> None:
        self._pins = device.t0.pins
        self._interfaces, self._metrics = settings.limits(device.t0)
        self._settings = settings
        self._things = things
        self._intervals = intervals_s
        self._choosers = choosers
        self._other_values = other_values
        self._watched: dict[str, _Watched] = {}  # by scope
        self._halves: dict[int, tuple[MetricsMenu, _Watched]] = {}  # by id of the half
        self._restored: dict[str, dict[str, Why]] = {}
        self._told: dict[str, Mapping[str, str]] = {}

    @property
    def limited(self) -> bool:
        """Whether there are limits at all."""
        return (self._interfaces, self._metrics) != (ALL, ALL)

    def takes(self, scope: str) -> bool:
        """Whether a selectable menu of this scope is to be split."""
        return self.limited and scope not in self._watched

    def watch(self, split: Split) -> None:
        """Choose the rows of a menu from now on."""
        scope = split.fast.menu.scope
        watched = _Watched(split, TrafficWatch(self._settings.evaluate_s), self._restored.get(scope, {}))
        self._watched[scope] = watched
        for half in (split.fast, split.slow):
            self._halves[id(half)] = half, watched

    def restore(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Take what was chosen before a restart of mtd: what it chose stays chosen."""
        self._told = dict(rows)
        for row in rows.values():
            if row.get("reason") in set(Why):
                chosen = self._restored.setdefault(row.get("scope", ""), {})
                chosen[row.get("instance", "")] = Why(row["reason"])
        for scope, watched in self._watched.items():
            watched.restored = self._restored.get(scope, {})

    # ------------------------------------------------------------ what to ask

    def outdated(self, tier: Tier) -> bool:
        """Whether a tier's plan doesn't ask for what it should any more."""
        found = [watched.split.outdated(half) for half, watched in self._of(tier)]
        return any(found)

    def has(self, mapped: MetricsMenu) -> bool:
        """Whether a menu is a half of a split one."""
        return id(mapped) in self._halves

    def narrowed(self, mapped: object, command: Command) -> Command | None:
        """Return the command of a menu for the rows that it is to read; None if there are none."""
        found = self._halves.get(id(mapped))
        if found is None:
            return command
        half, watched = found
        return watched.split.narrowed(half, command)

    def _of(self, tier: Tier) -> Iterator[tuple[MetricsMenu, _Watched]]:
        return (found for found in self._halves.values() if found[0].menu.tier is tier)

    # ------------------------------------------------------------ what is chosen

    def polled(self, tier: Tier, at: float, out: Observation) -> None:
        """Take note of a poll that was mapped. ``at``: monotonic, seconds."""
        news = False
        for half, watched in self._of(tier):
            watched.split.polled(half)
            if half is watched.split.fast:
                if watched.first_at is None and half.instances:
                    self._begin(watched, at)
                    news = True
            else:
                news = True
                if watched.first_at is not None:
                    self._consider(watched, at, out)
        if news or (self._told and not self._watched):
            self._tell(out)

    def _begin(self, watched: _Watched, at: float) -> None:
        """Choose for the first time, by what was chosen before, or by all the bytes ever counted."""
        watched.first_at = at
        split, totals = watched.split, watched.split.totals()
        watched.traffic.guess(totals, [row for row, why in watched.restored.items() if why is Why.TRAFFIC])
        watched.traffic.begin(totals, at)
        rows = split.rows
        places = self._places(watched)
        chosen = choose(
            rows, self._reasons(watched), watched.traffic.traffic, watched.restored, self._rules(places)
        )
        split.choose(chosen, everything=len(rows) <= places, at_once=True)

    def _consider(self, watched: _Watched, at: float, out: Observation) -> None:
        """Choose again if there is a reason to."""
        split = watched.split
        compared = watched.traffic.take(split.totals(), at)
        settles = not watched.settled and self._may_settle(watched, at)
        rows, places = split.rows, self._places(watched)
        if settles:
            watched.restored = {}
        reasons = self._reasons(watched)
        basis = (tuple(rows), tuple(reasons.items()), places)
        if compared or settles or basis != watched.basis:
            watched.basis = basis
            before = split.live
            chosen = choose(rows, reasons, watched.traffic.traffic, split.chosen, self._rules(places))
            split.choose(chosen, everything=len(rows) <= places)
            if watched.settled:
                self._tell_changes(split, before & set(rows), out)
        watched.settled = watched.settled or settles

    def _may_settle(self, watched: _Watched, at: float) -> bool:
        if watched.first_at is None or at - watched.first_at >= _SETTLES_WITHIN_S:
            return True
        scope = watched.split.fast.menu.scope
        return all(table.row_count is not None for table, _ in self._choices(scope))

    def _choices(self, scope: str) -> Iterator[tuple[TableMenu, Chooses]]:
        for table in self._choosers():
            for choice in table.menu.chooses:
                if choice.scope == scope:
                    yield table, choice

    def _rules(self, places: float) -> Rules:
        settings = self._settings
        return Rules(places, settings.top_traffic, settings.margin_pct / 100.0)

    def _places(self, watched: _Watched) -> float:
        """Return how many rows the limits allow. Of the values that may be read, who is watched first has more."""
        places = math.inf if self._interfaces == ALL else float(self._interfaces)
        if self._metrics == ALL:
            return places
        left = self._metrics - self._other_values()
        for one in self._watched.values():
            if one is watched:
                break
            left -= len(one.split.live) * one.split.values_per_row
        return min(places, max(0, left) // max(1, watched.split.values_per_row))

    def _reasons(self, watched: _Watched) -> dict[str, Why]:
        """Return the strongest reason of each row that has one besides its traffic."""
        split = watched.split
        rows, scope = set(split.rows), split.fast.menu.scope
        found: dict[str, Why] = {
            row: why for row, why in watched.restored.items() if row in rows and why is not Why.TRAFFIC
        }
        for table, choice in self._choices(scope):
            for name in _names(table, choice):
                row = self._find(scope, name)
                if row is not None and row in rows and choice.why.rank < found.get(row, Why.TRAFFIC).rank:
                    found[row] = choice.why
        # Pins are interfaces: a queue may have the same id.
        for pin in self._pins if split.selectable.noun == INTERFACE else ():
            row = pin if pin in rows else self._find(scope, pin)
            if row is not None and row in rows:
                found[row] = Why.PINNED
        return found

    def _find(self, scope: str, name: str) -> str | None:
        return self._things.named(scope, name.encode())

    # ------------------------------------------------------------ what is told

    def _tell_changes(self, split: Split, before: set[str], out: Observation) -> None:
        now, rows = split.live, split.rows
        came = [row for row in rows if row in now and row not in before]
        went = [row for row in rows if row in before and row not in now]
        out.state_changes += [self._event(split, row, live=True) for row in came]
        out.state_changes += [self._event(split, row, live=False) for row in went]

    def _event(self, split: Split, row: str, *, live: bool) -> StateChange:
        scope, noun = split.fast.menu.scope, split.selectable.noun
        slow, fast = split.slow.menu.tier, split.fast.menu.tier
        label = self._things.label(scope, row)
        if live:
            why = split.chosen[row].words if row in split.chosen else "all fit the limits"
        else:
            why = "others matter more, or have more traffic"
        interval_s = self._intervals[fast if live else slow]
        return StateChange(
            event_type=f"{noun}.tier.changed",
            severity=Severity.INFO,
            entity_type=noun,
            entity_id=row,
            entity_label=label,
            field="tier",
            old=slow if live else fast,
            new=fast if live else slow,
            message=f"{label} is read every {interval_s:g} s now: {why}",
        )

    def _tell(self, out: Observation) -> None:
        """Keep the table of what is chosen as it is: empty where everything is live."""
        rows: dict[str, Mapping[str, str]] = {}
        for scope, watched in self._watched.items():
            if watched.first_at is None:  # nothing was read yet, or there is nothing of it
                if not watched.split.was_read:
                    rows |= {key: row for key, row in self._told.items() if row.get("scope") == scope}
            elif not watched.split.everything:
                rows |= _told_of(watched.split)
        if rows != self._told:
            self._told = rows
            out.tables.append(TableChange(TABLE, complete=True, upserted=rows))


def _names(table: TableMenu, choice: Chooses) -> set[str]:
    """Return the names that rows give which fulfil all conditions."""
    rows = table.values_of(choice.field, *(name for name, _ in choice.where)) or ()
    wanted = tuple(value for _, value in choice.where)
    return {name for name, *rest in rows if name and tuple(rest) == wanted}


def _told_of(split: Split) -> dict[str, Mapping[str, str]]:
    """Return the rows that tell what of a menu is at the live tier, by their keys."""
    scope, fast, rest = split.fast.menu.scope, split.fast.menu.tier, split.slow.menu.tier
    told = {"scope": scope, "tier": fast.value, "rest": rest.value}
    if not split.chosen:  # that is not as if all were
        return {f"{scope}:": {**told, "instance": "", "reason": REST}}
    return {
        f"{scope}:{row}": {**told, "instance": row, "reason": why.value} for row, why in split.chosen.items()
    }
