"""What a worker for lines and the daemon tell each other: which devices there are, and lines to be recorded."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson

from mtd.listeners.pipe import PORTION, frame
from mtd.listeners.syslog.outbox import lines_of
from mtd.model.events import Origin
from mtd.model.logs import log_event, log_event_of

if TYPE_CHECKING:
    from mtd.listeners.syslog.lines import LineSender
    from mtd.model.logs import LogEntry
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_HEAD = struct.Struct(">II")
_UNTOLD = 0  # when it was recorded, and whose it is: the daemon says that


class KnownDevice(NamedTuple):
    """What a worker is told of a device."""

    device_id: str
    tenant_id: str
    name: str
    host: str
    code_page: str


def told_devices(devices: Iterable[LineSender]) -> bytes:
    """Return the line that says which devices there are."""
    told = [(one.device_id, one.tenant_id, one.name, one.host, one.code_page) for one in devices]
    return orjson.dumps({"devices": told}) + b"\n"


def told_addresses(owners: Mapping[str, Sequence[str]]) -> bytes:
    """Return the line that says which of them have which addresses on their interfaces."""
    return orjson.dumps({"addresses": owners}) + b"\n"


def told_taken(size: int) -> bytes:
    """Return the line that says that portions of so many bytes are recorded."""
    return b'{"taken":%d}\n' % size


class Portion(NamedTuple):
    """Lines of one device and sender, as an event that says nothing of whose it is.

    ``lines`` are in it, ``whole`` with those that came again.
    """

    lines: int
    whole: int
    event: bytes

    @classmethod
    def of(cls, device_id: str, sender: str, entries: Sequence[LogEntry]) -> Portion:
        """Return a portion of lines; there is at least one."""
        event = log_event(Origin("", "", device_id), sender, entries, _UNTOLD)
        return cls(len(entries), lines_of(entries), event.SerializeToString())

    @classmethod
    def read(cls, body: bytes) -> Portion:
        """Return what a worker wrote. Raises ValueError for what it can't have written."""
        if len(body) < _HEAD.size:
            raise ValueError(f"a portion of {len(body)} bytes")
        lines, whole = _HEAD.unpack_from(body)
        return cls(lines, whole, body[_HEAD.size :])

    @property
    def framed(self) -> bytes:
        """It, as it goes through the pipe."""
        return frame(PORTION, _HEAD.pack(self.lines, self.whole) + self.event)

    @property
    def size(self) -> int:
        """Its weight, in bytes."""
        return len(self.event)

    def envelope(self) -> Envelope:
        """Return the event, read. Raises ValueError for what is none."""
        return log_event_of(self.event)
