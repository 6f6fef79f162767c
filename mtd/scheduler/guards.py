"""Reasons not to poll: the router's CPU, pressure behind us, and answers that are none. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from mtd.model.device import Outcome
from mtd.model.metric import Tier
from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.model.command import Reply

# Lower tiers give way first; T0 only when there is nothing else left to give.
PRESSURE_LIMIT: Mapping[Tier, float] = MappingProxyType(
    {Tier.T3: 0.5, Tier.T2: 0.65, Tier.T1: 0.8, Tier.T0: 0.95}
)


def pace_by_buffer(recorder: Recorder) -> Callable[[Tier], int]:
    """Return what tells whether a tier is polled (1) or not (0), by the recorder's buffer alone."""
    return lambda tier: 0 if recorder.pressure >= PRESSURE_LIMIT[tier] else 1


def expect_an_answer(replies: Sequence[Reply]) -> None:
    """Raise SessionFailed if every command had to be cancelled: such a router isn't polled by that."""
    for reply in replies:
        if reply.trap is None or not (reply.trap.timed_out or reply.trap.too_large):
            return
    if replies:
        paths = ", ".join(dict.fromkeys(reply.command.path for reply in replies))
        trap = replies[0].trap
        if trap is not None and trap.too_large:
            raise SessionFailed(
                Outcome.REPLY_TOO_LARGE,
                f"{paths}: every reply has more rows or bytes than we read; look at the router",
            )
        raise SessionFailed(
            Outcome.TIMED_OUT, f"{paths}: nothing was answered in time; look at the router's load"
        )


class CpuGuard:
    """Stops the tiers below T0 while a router is busy (DESIGN law 8).

    It acts when the load was at or over ``limit_pct`` for ``polls`` polls in a
    row, and lets go when it was under ``release_pct`` for as many.
    """

    def __init__(self, limit_pct: float, release_pct: float, polls: int) -> None:
        self._limit_pct = limit_pct
        self._release_pct = release_pct
        self._polls = polls
        self._run = 0
        self.active = False

    def update(self, load_pct: float) -> bool:
        """Take one CPU load; return whether the guard changed its mind. NaN is ignored."""
        if load_pct != load_pct:
            return False
        contrary = load_pct < self._release_pct if self.active else load_pct >= self._limit_pct
        self._run = self._run + 1 if contrary else 0
        if self._run < self._polls:
            return False
        self._run = 0
        self.active = not self.active
        return True
