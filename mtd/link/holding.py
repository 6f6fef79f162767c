"""What an edge holds: devices, its lease, and what it has still to say of devices that it let go. No I/O."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping

from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.core.errors import Bug
from mtd.link.kept import Kept, TenantKey
from mtd.link.metrics import DEVICES, DEVICES_UNREADABLE
from mtd.model.assignment import AssignedDevice, Assignment
from mtd.security.pseudonyms import Pseudonym, pseudonym_by

logger = logging.getLogger(__name__)


class Holding:
    """Tells whether a device may be polled. ``version`` grows with each change of what is held."""

    def __init__(self, margin_s: float, clock: Clock = LEASE_CLOCK) -> None:
        self._margin_s = margin_s
        self._clock = clock
        self._good_until = -math.inf
        self._lease_epoch = 0
        self._tenants: Mapping[str, TenantKey] = {}
        self._pseudonyms: dict[str, Pseudonym] = {}
        self._leaving: dict[str, int] = {}  # withdrawn, and maybe being polled at this moment
        self._lapsed: dict[str, int] = {}  # held under a lease of before, and the hub hasn't told all since
        self._to_tell: dict[str, int] = {}  # let go, and the hub hasn't noted it
        self.assignment = Assignment(0)
        self.known = False
        """Whether there is an assignment: a hub's, or one that was kept."""
        self.version = 0

    # -- what is asked at each poll -------------------------------------------

    def may_poll(self, device_id: str) -> bool:
        """Whether a device may be polled at this moment.

        One that is withdrawn may be under the lease until it is let go: the hub waits for that.
        """
        assigned = self.assignment.devices.get(device_id)
        if assigned is not None and assigned.exclusive:
            return True
        if assigned is None and device_id not in self._leaving:
            return False
        return self._clock.monotonic() < self._good_until

    def epoch_of(self, device_id: str) -> int:
        """Return the epoch under which a device is held, or was until it is released; 0 if it isn't."""
        assigned = self.assignment.devices.get(device_id)
        return self._leaving.get(device_id, 0) if assigned is None else assigned.epoch

    def pseudonym_of(self, tenant_id: str) -> Pseudonym | None:
        """Return what replaces texts of a tenant that name people; None if they are kept."""
        tenant = self._tenants.get(tenant_id)
        if tenant is None:  # devices of others aren't taken
            raise Bug(f"the hub told nothing of the tenant {tenant_id}: its names can't be replaced")
        if not tenant.key:
            return None
        if tenant_id not in self._pseudonyms:
            self._pseudonyms[tenant_id] = pseudonym_by(tenant.key)
        return self._pseudonyms[tenant_id]

    @property
    def lease_left_s(self) -> float:
        """What is left of the lease, in seconds; 0 when it is over."""
        return max(0.0, self._good_until - self._clock.monotonic())

    @property
    def allowed(self) -> Assignment:
        """What may be polled at this moment: without a lease, what needs none."""
        if self.lease_left_s > 0:
            return self.assignment
        return Assignment(self.assignment.revision, self._exclusive)

    @property
    def _exclusive(self) -> Mapping[str, AssignedDevice]:
        return {device_id: one for device_id, one in self.assignment.devices.items() if one.exclusive}

    # -- what the hub tells ------------------------------------------------------

    def joined(self, lease_epoch: int, asked_at: float, lease_s: float) -> None:
        """Take part, by a lease that may be another than before: then others may have what needed it."""
        if lease_epoch != self._lease_epoch or self.lease_left_s <= 0:
            # The hub may wait for any of it: it hears of what it doesn't assign again.
            self._lapsed |= self._leaving
            self._lapsed |= {
                key: one.epoch for key, one in self.assignment.devices.items() if not one.exclusive
            }
            self._leaving = {}
            self.assignment = Assignment(self.assignment.revision, self._exclusive)
            self._good_until = -math.inf
            self.version += 1
        self._lease_epoch = lease_epoch
        self.leased(asked_at, lease_s)

    def leased(self, asked_at: float, lease_s: float) -> None:
        """Take part for ``lease_s`` from when that was asked for, less the margin. Never for a shorter time than before."""
        if lease_s > 0:
            self._good_until = max(self._good_until, asked_at + lease_s - self._margin_s)

    def take_tenants(self, tenants: Mapping[str, TenantKey]) -> None:
        """Take the tenants that are polled for. Devices of others are let go."""
        if tenants == self._tenants:
            return
        self._tenants, self._pseudonyms = tenants, {}
        self.version += 1
        if self.known:
            self._hold(self.assignment)

    def take(self, assignment: Assignment) -> None:
        """Hold what the hub says, and nothing else. What was held under a lease of before, and isn't in it, was let go."""
        self._hold(assignment)
        lapsed, self._lapsed = self._lapsed, {}
        devices = self.assignment.devices
        self._to_tell |= {device_id: epoch for device_id, epoch in lapsed.items() if device_id not in devices}

    def _hold(self, assignment: Assignment) -> None:
        devices = self._of_known_tenants(assignment)
        for device_id, held in self.assignment.devices.items():
            if device_id not in devices:
                self._leaving[device_id] = held.epoch
        for device_id in devices:
            self._leaving.pop(device_id, None)
            self._to_tell.pop(device_id, None)  # what is held again may have the epoch that it had
        self.assignment = Assignment(assignment.revision, devices)
        self.known = True
        self.version += 1
        exclusive = sum(one.exclusive for one in devices.values())
        DEVICES.labels(kind="exclusive").set(exclusive)
        DEVICES.labels(kind="leased").set(len(devices) - exclusive)

    def end_lease(self) -> None:
        """Hold no lease any more."""
        self._good_until = -math.inf

    def let_go(self) -> None:
        """Hold nothing, and no lease."""
        self.end_lease()
        if self.assignment.devices:
            self._hold(Assignment(self.assignment.revision))

    def noted(self, epochs: Mapping[str, int]) -> None:
        """The hub has noted that these were let go."""
        for device_id, epoch in epochs.items():
            if self._to_tell.get(device_id) == epoch:
                del self._to_tell[device_id]

    def _of_known_tenants(self, assignment: Assignment) -> Mapping[str, AssignedDevice]:
        known = {
            device_id: one
            for device_id, one in assignment.devices.items()
            if one.device.tenant_id in self._tenants
        }
        if missing := len(assignment.devices) - len(known):
            DEVICES_UNREADABLE.inc(missing)
            logger.error(
                "%d devices are of tenants of which the hub told nothing: they aren't polled", missing
            )
        return known

    # -- what the hub is told ------------------------------------------------------

    def release(self, device_ids: Collection[str]) -> bool:
        """These aren't polled any more; return whether there is something to tell. Those held again are left out."""
        leaving = self._leaving
        released = {device_id: leaving.pop(device_id) for device_id in device_ids if device_id in leaving}
        self._to_tell |= released
        return bool(released)

    @property
    def to_tell(self) -> Mapping[str, int]:
        """Epochs of what was let go, as far as the hub hasn't noted it."""
        return dict(self._to_tell)

    @property
    def held(self) -> Mapping[str, AssignedDevice]:
        """What is held."""
        return self.assignment.devices

    @property
    def leaving(self) -> Mapping[str, int]:
        """Epochs of what is held no more, and wasn't released yet."""
        return dict(self._leaving)

    @property
    def has_exclusive(self) -> bool:
        """Whether something is polled without a lease."""
        return bool(self._exclusive)

    # -- what survives a restart ------------------------------------------------------

    def kept(self, collector_id: str) -> Kept:
        """Return what has to survive a restart."""
        devices = self._exclusive
        tenants = {one.device.tenant_id for one in devices.values()}
        return Kept(
            collector_id,
            self.assignment.revision if devices else 0,
            {tenant_id: key for tenant_id, key in self._tenants.items() if tenant_id in tenants},
            devices,
        )

    def restore(self, kept: Kept) -> None:
        """Hold what was kept: nothing but devices that need no lease."""
        self._tenants = kept.tenants
        self._hold(
            Assignment(
                kept.revision, {device_id: one for device_id, one in kept.devices.items() if one.exclusive}
            )
        )
