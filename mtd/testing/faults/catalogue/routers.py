"""Routers that misbehave, one or all of them; and the path to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtd.testing.faults.fleet import Fleet


@dataclass(slots=True)
class Routers:
    """A fault of the lab's routers. ``outcomes``: what mtd calls it, one of which has to be told of a router."""

    name: str
    kind: str
    runbook: str
    outcomes: tuple[str, ...]
    few: int | None = None
    """How many routers are hit; all, if not given. The others have to be polled as if nothing were."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    clears: bool = True
    began: float = 0.0

    def hit(self, fleet: Fleet) -> list[str]:
        """Return the routers that are hit."""
        return fleet.routers if self.few is None else fleet.routers[: self.few]

    def strike(self, fleet: Fleet) -> None:
        """Let it begin."""
        self.began = fleet.clock()
        fleet.inject(self.kind, self.hit(fleet), **self.settings)

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether each router that is hit has failed for a reason that names it."""
        fleet.daemon_is_alive()
        found = fleet.value(
            "SELECT count(DISTINCT device_id) FROM device_health WHERE outcome = ANY (%s)"
            " AND ts_collected >= to_timestamp(%s)",
            list(self.outcomes),
            self.began,
        )
        return int(found) >= len(self.hit(fleet))

    def mend(self, fleet: Fleet) -> bool:
        """End it, unless it ends by itself."""
        if self.clears:
            fleet.clear(self.hit(fleet))
        return self.clears

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all are polled again."""
        fleet.daemon_is_alive()
        return fleet.is_ready() and fleet.fresh()


def all_reboot(boot_s: float = 2.0) -> Routers:
    """Return: every router reboots at the same moment, as after a power cut of the region."""
    return Routers(
        "all routers reboot at once",
        "reboot",
        "unreachable-spike",
        ("refused", "session_lost", "unreachable", "busy", "timed_out"),
        settings={"boot_s": boot_s},
        clears=False,
    )


def reconnect_storm() -> Routers:
    """Return: every router drops its session, all of them at the same moment, and takes new ones at once."""
    return Routers(
        "reconnect storm",
        "fatal",
        "unreachable-spike",
        ("session_lost", "busy", "protocol_error", "refused", "timed_out", "login_failed"),
        settings={"for_s": 2.0},
    )


def slow_loris() -> Routers:
    """Return: a router answers a byte a second, for ever."""
    return Routers(
        "slow-loris router",
        "slow",
        "router-cpu",
        ("timed_out",),
        few=1,
        settings={"delay_s": 0, "bytes_per_s": 1},
    )


def ten_million_rows() -> Routers:
    """Return: a router answers each print with ten million rows."""
    return Routers("10 M rows", "huge", "router-cpu", ("reply_too_large",), few=1)


def garbage() -> Routers:
    """Return: a router answers noise."""
    return Routers("garbage", "garbage", "unreachable-spike", ("protocol_error", "timed_out", "busy"), few=1)


def half_open() -> Routers:
    """Return: every router has forgotten its sessions, and says nothing; new ones work."""
    return Routers("half-open sessions", "half-open", "unreachable-spike", ("timed_out",), clears=False)
