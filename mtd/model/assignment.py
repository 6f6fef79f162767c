"""Which collector polls which devices, and for how long that is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtd.model.device import Device


@dataclass(frozen=True, slots=True)
class Lease:
    """A name that somebody holds for a while.

    ``epoch`` grows with each new holder: what an older one still does can be
    told by it. ``good_until`` is monotonic time of this process, in seconds,
    reckoned from when the lease was asked for; after it the holder must act as
    if somebody else had it.
    """

    name: str
    holder: str
    epoch: int
    good_until: float


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease as its store has it. ``left_s``: what is left of it, by the store's clock; 0 if it is over."""

    name: str
    holder: str
    epoch: int
    left_s: float


@dataclass(frozen=True, slots=True)
class AssignedDevice:
    """A device that a collector is to poll.

    ``epoch`` grows each time the device goes to another collector. ``exclusive``:
    nobody else could poll it, so it is polled on without a lease.
    """

    device: Device
    epoch: int
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """All that a collector is to poll. ``revision`` grows with each change of it.

    ``releasing``: epochs of devices that others wait for until it says that it let them go, also of those that it was
    never told of, as they were withdrawn so soon.
    """

    revision: int
    devices: Mapping[str, AssignedDevice] = field(default_factory=dict)
    releasing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollectorFacts:
    """A polling process that takes part. ``tenants``: those that it may poll for; None: all.

    ``instance_id`` is a UUID of this start of it; ``collector_id`` stays.
    """

    collector_id: str
    name: str
    instance_id: str
    tenants: frozenset[str] | None
    version: str = ""
    edge: bool = True


@dataclass(frozen=True, slots=True)
class Membership:
    """A collector that takes part, and the lease by which it does."""

    facts: CollectorFacts
    lease: Lease
