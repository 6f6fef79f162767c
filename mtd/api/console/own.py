"""mtd's own state as the console shows it: sampled always, told while someone asks."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.api.console.costs import STEP_S, Accounts, Costs
from mtd.api.console.encode import encode
from mtd.api.console.figures import FIGURES, Figure, read_all
from mtd.api.console.summary import rounded
from mtd.api.interfaces import Readiness
from mtd.core.errors import MtdError
from mtd.model.device import DeviceStatus

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.poller import Poller

SAMPLES = 7
"""Of the last minute, both ends included."""

TOLD_EVERY_S = 2.0
_COLLECTORS_S = 1.5
# Above that, ten polls a second of a hundred routers come late.
LATE_WARN_S, LATE_BAD_S = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Process:
    """What the process tells of itself, from memory. ``statuses``: how many devices of a tenant are how.

    ``collectors`` asks the database who polls for a tenant. Raises MtdError.
    """

    version: str
    collector_id: str
    readiness: Readiness
    statuses: Callable[[str], Mapping[DeviceStatus, int]]
    accounts: Accounts
    collectors: Callable[[str], Awaitable[Sequence[Poller]]]


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    values: Mapping[str, float]
    late_s: float


class OwnState:
    """Figures, checks and costs as text, made at most every two seconds and only when asked for.

    Figures and checks are of the whole process, and tell of all tenants: they are for super-admins. Routers and
    their number are those of one tenant, for all of its viewers.
    """

    def __init__(
        self, process: Process, cpu_pct: Callable[[str], float], clock: Clock, tenant_id: str
    ) -> None:
        self._process = process
        self._clock = clock
        self._started_us = clock.now_us()
        self._tenant_id = tenant_id
        self._costs = Costs(process.accounts, cpu_pct, tenant_id)
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._made_at = -math.inf
        self._making = asyncio.Lock()
        self.version = 0
        """Grows with each text."""
        self.text = ""
        """The parts of a ``self`` message for super-admins."""
        self.part = ""
        """The same for others: of the tenant alone."""

    async def follow(self) -> None:
        """Take a sample every ten seconds, without end."""
        late_s = 0.0
        while True:
            await self.sample(late_s)
            due = self._clock.monotonic() + STEP_S
            await asyncio.sleep(STEP_S)
            # What is left to wait for is the loop itself: something held it.
            late_s = max(0.0, self._clock.monotonic() - due)

    async def sample(self, late_s: float = 0.0) -> None:
        """Look at all counters and accounts once."""
        now = self._clock.monotonic()
        self._samples.append(_Sample(now, read_all(), late_s))
        await self._costs.step(now)

    async def refresh(self) -> None:
        """Make the text anew if it is of a while ago."""
        async with self._making:
            now = self._clock.monotonic()
            if now - self._made_at < TOLD_EVERY_S:
                return
            if not self._samples:
                await self.sample()
            process, tenant = self._whole(), self._tenant()
            tenant["routers"] = await self._costs.shown(now)
            tenant["collectors"] = await self._collectors()
            # The costs of two thousand routers are a megabyte of text.
            self.part = (await asyncio.to_thread(encode, tenant))[1:-1]
            self.text = f"{encode(process)[1:-1]},{self.part}"
            self._made_at = now
            self.version += 1

    async def page(self, *, whole: bool) -> bytes:
        """Return the state as a page. ``whole``: for super-admins."""
        await self.refresh()
        return f'{{"now_us":{self._clock.now_us()},{self.told(whole=whole)}}}'.encode()

    def told(self, *, whole: bool) -> str:
        """Return the newest text. ``whole``: for super-admins."""
        return self.text if whole else self.part

    def _tenant(self) -> dict[str, Any]:
        statuses = self._process.statuses(self._tenant_id)
        return {
            "version": self._process.version,
            "devices": {status.value: statuses.get(status, 0) for status in DeviceStatus},
        }

    async def _collectors(self) -> list[dict[str, Any]] | None:
        """Return who polls for the tenant; None while that can't be read."""
        try:
            async with asyncio.timeout(_COLLECTORS_S):
                return [_collector(one) for one in await self._process.collectors(self._tenant_id)]
        except (MtdError, TimeoutError):
            return None  # the check of the database says why

    def _whole(self) -> dict[str, Any]:
        process = self._process
        checks = process.readiness.checks()
        return {
            "started_us": self._started_us,
            "collector_id": process.collector_id,
            "ready": all(check.ready for check in checks),
            "checks": [
                {"name": check.name, "ready": check.ready, "reason": check.reason} for check in checks
            ],
            "figures": [*self._figures(), self._lateness()],
        }

    def _figures(self) -> Sequence[dict[str, Any]]:
        now, raw, first = self._clock.monotonic(), read_all(), self._samples[0]
        shown, values = [], {}
        for figure in FIGURES:
            values[figure.name] = _value(figure, raw, first, now)
        for figure in FIGURES:
            # Counts are of a minute, paces of a second: a share of a pace is of as many seconds.
            whole = values[figure.share_of] * (now - first.at) if figure.share_of else 1.0
            state = figure.state(values[figure.name], whole)
            shown.append(_shown(figure, values[figure.name], state))
        return shown

    def _lateness(self) -> dict[str, Any]:
        late_s = max(sample.late_s for sample in self._samples)
        figure = Figure(
            "Process", "late_s", "Late by", "seconds", lambda: late_s,
            "How much later than due mtd came to a task, at most, in the last minute. It can't poll in time if it is late.",
            warn=LATE_WARN_S, bad=LATE_BAD_S,
        )  # fmt: skip
        return _shown(figure, late_s, figure.state(late_s))


def _value(figure: Figure, raw: Mapping[str, float], first: _Sample, now: float) -> float:
    """Return a figure as it is told: a level as it is, the others by what came since the oldest sample."""
    value = raw[figure.name]
    if figure.kind == "level":
        return value
    grown, seconds = value - first.values[figure.name], now - first.at
    if figure.kind == "count":
        return grown
    return grown / seconds if seconds > 0 else math.nan


def _shown(figure: Figure, value: float, state: str) -> dict[str, Any]:
    return {
        "group": figure.group,
        "name": figure.name,
        "label": figure.label,
        "value": rounded(value) if figure.unit in ("count", "bytes") else rounded(value, 2),
        "unit": figure.unit,
        "state": state,
        "help": figure.help,
    }


def _collector(one: Poller) -> dict[str, Any]:
    report = one.report
    return {
        "name": one.name,
        "edge": one.edge,
        "state": one.state,
        "since_us": one.since_us,
        "version": one.version,
        "devices": one.devices,
        "buffer_events": None if report is None else report.buffer_events,
        "last_push_us": None if report is None else report.last_push_us,
        "clock_ahead_s": None if report is None else report.clock_ahead_s,
    }
