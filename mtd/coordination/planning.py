"""Who is to poll what: decided from a picture, without I/O.

The order: the collector that a device is pinned to, then those that name its
site, then canaries for what they are to try, then rendezvous hashing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mtd.coordination.rendezvous import percent_of, score
from mtd.storage.stores.assignments import (
    ASSIGNED,
    EXCLUSIVE,
    FREE,
    LEASE,
    RELEASING,
    WITHDRAWN,
    AssignmentRow,
    Picture,
    PlacedDevice,
    SettingRow,
)

_SCORES_KEPT = 1_000_000


class Move(NamedTuple):
    """A device that another collector is to poll now. ``old`` is empty if nobody did before."""

    tenant_id: str
    device_id: str
    old: str
    new: str
    reason: str


@dataclass(slots=True)
class Plan:
    """What is to be changed, and what can't be helped."""

    changes: list[AssignmentRow] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)
    """Devices that no collector may poll."""
    held: dict[str, str] = field(default_factory=dict)
    """Devices that a collector has alone which isn't heard of, and which it is."""
    polled: Counter[str] = field(default_factory=Counter)
    """How many devices each collector is to poll now."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A collector that is there."""

    collector_id: str
    tenants: frozenset[str] | None
    setting: SettingRow


class Rank(NamedTuple):
    """How well a collector suits a device: the higher the better."""

    pinned: bool
    site: int  # 2: it names the site; 1: it names none; 0: others
    canary: int  # 2: it is to try this device; 1: it isn't a canary; 0: it is, for others
    score: float


class Planner:
    """Decides. Keeps what it computed: hashes don't change."""

    def __init__(self) -> None:
        self._scores: dict[tuple[str, str, float], float] = {}

    def plan(self, picture: Picture, alive: Collection[str], now_s: int) -> Plan:
        """Return what is to be changed. ``alive``: collectors whose lease is good; ``now_s`` makes new epochs new."""
        return _Planning(self, picture, alive, now_s).plan()

    def score(self, device_id: str, collector_id: str, weight: float) -> float:
        """Return the score of a pair."""
        key = (device_id, collector_id, weight)
        found = self._scores.get(key)
        if found is None:
            if len(self._scores) >= _SCORES_KEPT:
                self._scores.clear()
            found = self._scores[key] = score(*key)
        return found


class _Planning:
    """One decision about all devices."""

    def __init__(self, planner: Planner, picture: Picture, alive: Collection[str], now_s: int) -> None:
        self._planner = planner
        self._picture = picture
        self._alive = alive
        self._now_s = now_s
        self._result = Plan()
        settings = picture.settings
        self._candidates = [
            _Candidate(key, picture.members[key].tenants, settings.get(key, SettingRow(key)))
            for key in sorted(alive)
            if key in picture.members and key not in picture.disabled
        ]
        self._own_sites = {
            site for one in settings.values() if one.sites_only for site in one.sites
        }  # nobody else polls these, even if who names them is away

    def plan(self) -> Plan:
        rows: defaultdict[str, dict[int, AssignmentRow]] = defaultdict(dict)
        for row in self._picture.rows:
            rows[row.device_id][row.slot] = row
        for device in self._picture.devices:
            self._place(device, rows.get(device.device_id, {}))
        return self._result

    # -- candidates ------------------------------------------------------------

    def _ranked(self, device: PlacedDevice, *, draining: bool) -> list[str]:
        """Return the collectors that may poll a device, the best first."""
        ranks = {
            one.collector_id: self._rank(device, one)
            for one in self._candidates
            if one.setting.draining is draining and self._may(device, one)
        }
        return sorted(ranks, key=lambda key: (ranks[key], key), reverse=True)

    def _may(self, device: PlacedDevice, one: _Candidate) -> bool:
        if one.tenants is not None and device.tenant_id not in one.tenants:
            return False
        names_it = device.site_id in one.setting.sites
        return names_it or not (one.setting.sites_only or device.site_id in self._own_sites)

    def _rank(self, device: PlacedDevice, one: _Candidate) -> Rank:
        setting = one.setting
        elsewhere = 0 if setting.sites else 1
        return Rank(
            device.pin == one.collector_id,
            2 if device.site_id in setting.sites else elsewhere,
            self._canary(device, setting),
            self._planner.score(device.device_id, one.collector_id, setting.weight),
        )

    def _canary(self, device: PlacedDevice, setting: SettingRow) -> int:
        if setting.canary_percent is None and not setting.canary_group_id:
            return 1
        if device.device_id in self._picture.groups.get(setting.canary_group_id, ()):
            return 2
        return 2 if percent_of(device.device_id) < (setting.canary_percent or 0) else 0

    # -- one device ------------------------------------------------------------

    def _place(self, device: PlacedDevice, rows: Mapping[int, AssignmentRow]) -> None:
        ranked = self._ranked(device, draining=False)
        spare = self._ranked(device, draining=True)
        targets = ranked[: device.redundancy] or spare[:1]  # rather one that is to be drained than nobody
        after = {slot: self._kept(row, targets, device) for slot, row in rows.items()}
        self._grant(device, after, targets, rows)
        alone = len(ranked or spare) <= 1
        for slot, row in after.items():
            after[slot] = self._with_hold(row, alone=alone)
            if after[slot] != rows.get(slot):
                self._result.changes.append(after[slot])
        self._note_waiting(device, after)

    def _is_there(self, collector_id: str) -> bool:
        return collector_id in self._alive

    def _kept(self, row: AssignmentRow, targets: Sequence[str], device: PlacedDevice) -> AssignmentRow:
        """Return what becomes of a row, before anything is granted."""
        if row.state == FREE:
            return row
        if not self._is_there(row.collector_id):
            if row.hold == LEASE or row.collector_id in self._picture.disabled:
                return replace(row, state=FREE, hold=LEASE, reason=row.reason or "offline")
            return row  # it may poll still, whoever can't hear it
        if row.collector_id in targets[: device.redundancy] and row.slot < device.redundancy:
            return row
        if row.state == ASSIGNED:
            return replace(row, state=RELEASING, reason=self._why(row, device, targets))
        return row

    def _why(self, row: AssignmentRow, device: PlacedDevice, targets: Sequence[str]) -> str:
        settings = self._picture.settings
        if settings.get(row.collector_id, SettingRow(row.collector_id)).draining:
            return "drained"
        if device.pin and device.pin in targets:
            return "pinned"
        if any(device.site_id in settings[key].sites for key in targets if key in settings):
            return "site"
        return "balance"

    def _grant(
        self,
        device: PlacedDevice,
        after: dict[int, AssignmentRow],
        targets: Sequence[str],
        before: Mapping[int, AssignmentRow],
    ) -> None:
        """Give free slots to those who are to have the device, and have it not."""
        have = {row.collector_id for row in after.values() if row.state == ASSIGNED}
        missing = [key for key in targets if key not in have]
        again = [
            slot
            for slot, row in after.items()
            if row.state == RELEASING and row.collector_id in missing and slot < device.redundancy
        ]
        epoch = max([self._now_s, *(row.epoch + 1 for row in before.values())])
        granted = False
        for slot in again:
            # Back before it was let go. A new epoch: what is still said of the old one counts no more.
            row = after[slot]
            after[slot] = replace(row, state=ASSIGNED, epoch=epoch, granted_epoch=epoch, reason="")
            missing.remove(row.collector_id)
            granted = True
        for slot in range(device.redundancy):
            row_now = after.get(slot)
            if not missing or not (row_now is None or row_now.state == FREE):
                continue
            if any(row.collector_id == missing[0] and row.state == RELEASING for row in after.values()):
                continue  # in another slot, which it has to let go first
            after[slot] = self._granted(device, slot, missing.pop(0), epoch, row_now)
            granted = True
        if granted:
            for slot, row in after.items():
                after[slot] = replace(row, epoch=epoch)

    def _granted(
        self, device: PlacedDevice, slot: int, collector_id: str, epoch: int, before: AssignmentRow | None
    ) -> AssignmentRow:
        old = "" if before is None else before.collector_id
        if old != collector_id:
            reason = "first" if before is None else before.reason or "offline"
            self._result.moves.append(Move(device.tenant_id, device.device_id, old, collector_id, reason))
        return AssignmentRow(
            device.tenant_id, device.device_id, slot, collector_id, epoch, epoch, ASSIGNED, LEASE
        )

    def _with_hold(self, row: AssignmentRow, *, alone: bool) -> AssignmentRow:
        """Return a row with how it is held: alone, if nobody else could have it."""
        if row.state == FREE or not self._is_there(row.collector_id):
            return row
        if alone and row.state == ASSIGNED:
            return row if row.hold == EXCLUSIVE else replace(row, hold=EXCLUSIVE)
        return replace(row, hold=WITHDRAWN) if row.hold == EXCLUSIVE else row

    def _note_waiting(self, device: PlacedDevice, after: Mapping[int, AssignmentRow]) -> None:
        self._result.polled.update(row.collector_id for row in after.values() if row.state == ASSIGNED)
        polled = [row for row in after.values() if row.state != FREE]
        if not polled:
            self._result.unserved.append(device.device_id)
        elif not any(self._is_there(row.collector_id) for row in polled):
            self._result.held[device.device_id] = polled[0].collector_id
