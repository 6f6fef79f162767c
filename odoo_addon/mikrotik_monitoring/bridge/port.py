"""The port between the bridge and Odoo: what the bridge asks, in plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Connection:
    """A company's way to its tenant of mtd. With a ``problem`` there are no options: it says what to do."""

    id: int
    name: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    event_severity: str = "info"
    problem: str = ""
    tenant_id: str = ""
    """Whose devices the company has, in mtd's words; empty as long as that isn't noted."""


@dataclass(frozen=True, slots=True)
class Viewed:
    """A device that somebody looks at, and for which kinds of viewers. No ``mtd_id``: mtd doesn't know it yet."""

    device_id: int
    connection_id: int
    mtd_id: str
    kinds: frozenset[str]
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the viewers of one kind of a device."""

    device_id: int
    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """A tool that is to be run on a router."""

    id: int
    connection_id: int
    mtd_id: str
    tool: str
    address: str
    interface: str
    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands. Complete in itself."""

    id: int
    state: str
    lines: Sequence[str]
    error: str = ""

    def payload(self) -> dict[str, Any]:
        """Return it as the form is told."""
        return {"id": self.id, "state": self.state, "lines": list(self.lines), "error": self.error}


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a comparison with mtd: whether mtd told all of it, and what is wrong, in words."""

    complete: bool
    problem: str = ""


class PositionMoved(Exception):
    """Events were to be kept behind a position that isn't the newest any more."""


class Store(Protocol):
    """Odoo, as the bridge needs it. Each call is one transaction, and blocks: it is made in a thread."""

    def connections(self) -> Sequence[Connection]:
        """Return the connections that are set up."""

    def viewed(self) -> Sequence[Viewed]:
        """Return the devices that are looked at now."""

    def publish(self, messages: Sequence[Message], progress: Sequence[Progress] = ()) -> None:
        """Put these on the bus, all in one transaction."""

    def heartbeat(self, connection_ids: Sequence[int]) -> None:
        """Note that a bridge lives."""

    def event_position(self, connection_id: int) -> int:
        """Return the position behind which events are missing."""

    def take_events(self, connection_id: int, events: Sequence[Any], behind: int) -> int:
        """Keep events and the position of the last, in one transaction. Returns how many were new.

        ``behind``: the position that was kept last. Raises PositionMoved if it is another by now: the connection
        leads to another mtd, or somebody else has written.
        """

    def recent_events(self, device_id: int, limit: int) -> Sequence[tuple[dict[str, Any], bool]]:
        """Return the newest events of a device, oldest first, as shown, and whether each is about a subscriber."""

    def take_facts(self, connection_id: int, devices: Sequence[Any]) -> None:
        """Keep what mtd says of these devices' state."""

    def waiting(self) -> Sequence[int]:
        """Return the connections of the companies of whom something waits to be sent to mtd, and is due."""

    def push_due(self, connection_id: int) -> None:
        """Send mtd what could not be sent before, of the company of a connection."""

    def reconcile(self, connection_id: int) -> Compared:
        """Compare the devices of a connection with mtd's."""

    def claim_jobs(self, limit: int) -> Sequence[Job]:
        """Take so many of the tools that wait; they are running then."""

    def cancelled_jobs(self, job_ids: Sequence[int]) -> Sequence[int]:
        """Return which of these shall not run any longer."""

    def finish_job(self, progress: Progress) -> None:
        """Keep what a run brought."""

    def fail_orphans(self) -> int:
        """End what a bridge before this one was running. Returns how many there were."""

    def purge(self) -> int:
        """Remove what nobody reads any more: messages of the bus, and viewers who left. Returns how many rows."""

    def refresh(self) -> bool:
        """Notice changes of the addon. False: its code changed, or it is gone, and only a new process has it right."""
