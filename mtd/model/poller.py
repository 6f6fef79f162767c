"""Who polls, as those see it who look after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollerReport:
    """What a collector said of itself at last, at ``heard_us``. ``buffer_events``: what no hub has acknowledged.

    ``last_push_us`` is None if it never sent anything. ``pressure``: the uppermost tier that it thins out, or "none".
    """

    heard_us: int
    buffer_events: int
    buffer_bytes: int
    last_push_us: int | None
    clock_ahead_s: float
    pressure: str


@dataclass(frozen=True, slots=True)
class Poller:
    """A collector of a tenant, or a hub that polls. ``state``: online, offline, left or never.

    ``devices``, ``exclusive`` and ``sites`` are of the tenant that asks. ``lease_left_s`` is 0 if there is none.
    """

    poller_id: str
    name: str
    edge: bool
    state: str
    since_us: int | None
    version: str
    devices: int
    exclusive: int
    draining: bool
    weight: float
    sites: Sequence[str]
    sites_only: bool
    canary_percent: int | None
    canary_group: str
    report: PollerReport | None = None
    lease_left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PollerChange:
    """What is to be changed of a poller: what is None stays. ``canary``: per cent (None: none) and group, by name or id."""

    draining: bool | None = None
    weight: float | None = None
    sites: Sequence[str] | None = None
    sites_only: bool | None = None
    canary_percent: tuple[int | None] | None = None
    canary_group: str | None = None

    @property
    def only_sites(self) -> bool:
        """Whether nothing but sites is meant."""
        others = (self.draining, self.weight, self.sites_only, self.canary_percent, self.canary_group)
        return all(one is None for one in others)


@dataclass(frozen=True, slots=True)
class PolledBy:
    """Who polls a device."""

    device_id: str
    device: str
    poller_id: str
    poller: str
    since_us: int
    releasing: bool
    exclusive: bool
    epoch: int
    pinned: bool
    slot: int
