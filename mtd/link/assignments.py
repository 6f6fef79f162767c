"""What changed about what a collector is to poll, in parts; and the whole again, from the parts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from mtd.core.errors import Retryable
from mtd.link.devices import DeviceUnreadable, assigned_message, assigned_of
from mtd.link.metrics import DEVICES_UNREADABLE
from mtd.model.assignment import AssignedDevice, Assignment
from mtd.pb.collector.v1 import assignment_pb2 as pb

logger = logging.getLogger(__name__)

MOST_WITHDRAWN = 10_000
"""Ids in one part: about 400 KiB."""


class OutOfStep(Retryable):
    """A part doesn't belong behind the one before: everything has to be told again."""


class Telling:
    """The hub's end: knows what it has told on a stream, and yields what is to be told of something newer."""

    def __init__(self, part_devices: int) -> None:
        self._size = part_devices
        self._begun = False
        self.told: dict[str, AssignedDevice] = {}
        """Devices that have been told, in a part that was taken at least."""

    def parts(self, assignment: Assignment) -> Iterator[pb.AssignmentPart]:
        """Yield the parts; none if nothing changed. Take all of them before the next assignment."""
        full, self._begun = not self._begun, True
        changed = [
            assigned
            for device_id, assigned in assignment.devices.items()
            if self.told.get(device_id) != assigned
        ]
        withdrawn = [device_id for device_id in self.told if device_id not in assignment.devices]
        pieces = [changed[at : at + self._size] for at in range(0, len(changed), self._size)]
        gone = [withdrawn[at : at + MOST_WITHDRAWN] for at in range(0, len(withdrawn), MOST_WITHDRAWN)]
        if not pieces and not gone and not full:
            return
        total = max(1, len(pieces) + len(gone))
        # What is withdrawn comes first: somebody else waits for it.
        for number, ids in enumerate(gone, 1):
            yield self._part(assignment, full, number < total, (), ids)
        for number, piece in enumerate(pieces or [[]] if not gone else pieces, len(gone) + 1):
            yield self._part(assignment, full, number < total, piece, ())

    def _part(
        self,
        assignment: Assignment,
        full: bool,
        more: bool,
        devices: Sequence[AssignedDevice],
        withdrawn: Sequence[str],
    ) -> pb.AssignmentPart:
        for device_id in withdrawn:
            del self.told[device_id]
        self.told.update({one.device.device_id: one for one in devices})
        return pb.AssignmentPart(
            revision=assignment.revision,
            full=full,
            more=more,
            devices=map(assigned_message, devices),
            withdrawn_device_ids=withdrawn,
        )


class Hearing:
    """The edge's end: puts the parts of one stream together."""

    def __init__(self) -> None:
        self._whole: Mapping[str, AssignedDevice] | None = None
        self._next: dict[str, AssignedDevice] | None = None
        self._of: tuple[int, bool] = (0, False)

    def take(self, part: pb.AssignmentPart) -> Assignment | None:
        """Take a part; return what is to be polled if it was the last one. Raises OutOfStep."""
        if self._next is None:
            self._begin(part)
        elif self._of != (part.revision, part.full):
            raise OutOfStep(f"revision {part.revision} came before all of revision {self._of[0]} was there")
        assert self._next is not None
        for device_id in part.withdrawn_device_ids:
            self._next.pop(device_id, None)
        for message in part.devices:
            try:
                assigned = assigned_of(message)
            except (DeviceUnreadable, ValueError) as error:
                DEVICES_UNREADABLE.inc()
                logger.error("device %s isn't polled: %s", message.device.device_id, error)
                self._next.pop(message.device.device_id, None)
                continue
            self._next[assigned.device.device_id] = assigned
        if part.more:
            return None
        self._whole, self._next = self._next, None
        return Assignment(part.revision, self._whole)

    def _begin(self, part: pb.AssignmentPart) -> None:
        if part.full:
            self._next = {}
        elif self._whole is None:
            raise OutOfStep("a change came before the whole was told")
        else:
            self._next = dict(self._whole)
        self._of = part.revision, part.full
