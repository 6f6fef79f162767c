"""What forwarding needs from the rest of mtd. The application wires it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mtd.client import AsyncMtdClient
    from mtd.model.observation import StateChange


class HubDoors(Protocol):
    """Where hubs take what this collector sends."""

    @property
    def current(self) -> AsyncMtdClient:
        """The client to call with, which shows the newest certificate."""

    def failed(self, client: AsyncMtdClient) -> None:
        """A hub couldn't be reached with a client: another address is tried next, if there is one."""


class Telling(Protocol):
    """The way of events about the collector itself: the recorder."""

    def record_event(self, change: StateChange) -> None:
        """Record a change of the collector's own state."""

    def tell_again(self, within_s: float) -> None:
        """Tell again what explains events from now on, as far as it was told within this time."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the hub doesn't have yet: how many events, and the age of the oldest; both 0 if it has all."""

    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One lane: ``next_seq`` is sent next; ``events`` wait, the oldest for ``seconds``."""

    next_seq: int
    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ForwardingStatus:
    """How forwarding is. Times are microseconds since the epoch, 0: never.

    ``failure``: why the hub isn't reached; empty while it is. ``kept_from``: the oldest position that has to be kept.
    """

    log_id: str
    hub: str
    hub_version: str
    connected: bool
    since_us: int
    failure: str
    first_seq: int
    last_seq: int
    kept_from: int
    stored_seq: int
    unprojected: int
    buffer_events: int
    oldest_unsent_us: int
    last_push_us: int
    live: LaneStatus
    backfill: LaneStatus
