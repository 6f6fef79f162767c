"""What one poll of one device brought, before it becomes events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtd.model.device import DeviceStatus, Outcome, Severity
from mtd.model.layout import Layout


@dataclass(slots=True)
class FrameValues:
    """Values of one poll, lane by lane, in the order of the layout.

    An absent counter is None; an absent gauge, and a rate that can't be told
    over this interval, is NaN. ``collected_us`` is microseconds since the
    epoch. ``low_confidence`` holds positions in ``rates``.
    """

    layout: Layout
    collected_us: int
    counters: Sequence[int | None]
    gauges: Sequence[float]
    rates: Sequence[float]
    low_confidence: Sequence[int] = ()
    poll_duration_us: int = 0


@dataclass(frozen=True, slots=True)
class StateChange:
    """Something changed its state; becomes the event ``StateChanged``.

    ``logged_as``: what the device calls it in its own log; empty if that is the label. ``told_by``: who told of it, where that
    is no poll.
    """

    event_type: str
    severity: Severity
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old: str
    new: str
    message: str
    logged_as: str = ""
    told_by: str = ""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Keys behind one and up to another, in the order of their characters. An empty end is no end."""

    after: str = ""
    up_to: str = ""

    def __contains__(self, key: str) -> bool:
        return (not self.after or key > self.after) and (not self.up_to or key <= self.up_to)


@dataclass(slots=True)
class TableChange:
    """Changes of a current-state table: whole rows by key, and keys that are gone.

    ``complete``: the rows are the whole table. A large table is told in parts:
    ``complete_within`` says of which keys these rows are all.
    """

    table: str
    complete: bool
    upserted: Mapping[str, Mapping[str, str]]
    removed: Sequence[str] = ()
    complete_within: KeyRange | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document kept as a whole (canonical JSON), stored only when it changed."""

    kind: str
    content: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class CapabilityFact:
    """One thing that a device can do or can't, and what the router said."""

    name: str
    present: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """What a capability probe found (S000-6.2).

    Of a capability that isn't in ``capabilities`` the router said nothing: it
    may be there or not. Empty texts weren't told either.
    """

    routeros_version: str
    routeros_major: int
    board_name: str
    architecture: str
    identity: str
    serial_number: str
    capabilities: tuple[CapabilityFact, ...]


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What came of a poll or a connection attempt; becomes ``PollOutcome``."""

    outcome: Outcome
    status: DeviceStatus
    poll_group: str
    reason: str
    consecutive_failures: int = 0
    polls_missed: int = 0
    retry_in_s: float = 0.0


@dataclass(slots=True)
class Observation:
    """All that one poll brought. Times are microseconds since the epoch."""

    collected_us: int
    frame: FrameValues | None = None
    state_changes: list[StateChange] = field(default_factory=list)
    tables: list[TableChange] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    discarded_rates: int = 0
