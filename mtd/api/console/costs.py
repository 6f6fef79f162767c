"""What each router was asked in the last minute, from the accounts of the device loops."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from mtd.api.console.summary import rounded

if TYPE_CHECKING:
    from mtd.model.device import Device
    from mtd.scheduler.account import Account
    from mtd.scheduler.costs import Cost, HourlyCost

STEP_S = 10.0
WINDOW = 7
"""Samples kept: of the last minute, both ends included."""

AT_ONCE = 100
MAX_SHOWN = 2000
"""Routers told of; if there are more, those with the longest polls."""

Accounts = Callable[[], "Sequence[tuple[Device, Account]]"]


@dataclass(frozen=True, slots=True)
class Sample:
    """An account at one moment. ``slowest_s``: since the sample before."""

    at: float
    polls: int
    skipped: int
    failed: int
    poll_s: float
    slowest_s: float
    commands: int
    sent_bytes: int
    received_bytes: int


class _Kept:
    """The samples of one account: a device whose loop began anew has a new one."""

    __slots__ = ("account", "device", "samples")

    def __init__(self, device: Device, account: Account) -> None:
        self.device = device
        self.account = account
        self.samples: deque[Sample] = deque(maxlen=WINDOW)


class Costs:
    """Samples a tenant's accounts every ten seconds. Bound: seven samples for each router that is polled.

    Accounts grow and cards change in the loop: nothing here may be called in another thread.
    """

    def __init__(self, accounts: Accounts, cpu_pct: Callable[[str], float], tenant_id: str) -> None:
        self._accounts = accounts
        self._cpu_pct = cpu_pct
        self._tenant_id = tenant_id
        self._kept: dict[str, _Kept] = {}

    async def step(self, now: float) -> None:
        """Take a sample of each router. ``now``: monotonic, seconds."""
        kept: dict[str, _Kept] = {}
        for number, (device, account) in enumerate(self._accounts()):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if device.tenant_id != self._tenant_id:
                continue
            one = self._kept.get(device.device_id)
            if one is None or one.account is not account:
                one = _Kept(device, account)
            one.samples.append(_sample(account, now))
            kept[device.device_id] = one
        self._kept = kept

    async def shown(self, now: float) -> list[dict[str, Any]]:
        """Return what each router costs, as plain values."""
        kept = list(self._kept.values())
        if len(kept) > MAX_SHOWN:
            kept = heapq.nlargest(MAX_SHOWN, kept, key=_mean_poll_s)
        found = []
        for number, one in enumerate(kept):
            found.append(self._cost(one, now))
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        return found

    def _cost(self, one: _Kept, now: float) -> dict[str, Any]:
        first, last = one.samples[0], one.samples[-1]
        seconds, polls = last.at - first.at, last.polls - first.polls

        def per_second(before: int, after: int) -> float | None:
            return rounded((after - before) / seconds, 2) if seconds > 0 else None

        slowest = max((sample.slowest_s for sample in islice(one.samples, 1, None)), default=math.nan)
        return {
            "id": one.device.device_id,
            "name": one.device.name,
            "sessions_opened": one.account.sessions_opened,
            "logins_per_hour": one.account.logins_within(now),
            "commands_per_s": per_second(first.commands, last.commands),
            "received_bytes_per_s": per_second(first.received_bytes, last.received_bytes),
            "sent_bytes_per_s": per_second(first.sent_bytes, last.sent_bytes),
            "poll_ms": rounded(1000 * (last.poll_s - first.poll_s) / polls, 2) if polls else None,
            "poll_max_ms": rounded(1000 * slowest, 2) if polls else None,
            "polls_skipped": last.skipped - first.skipped,
            "polls_failed": last.failed - first.failed,
            "router_cpu_pct": rounded(self._cpu_pct(one.device.device_id), 1),
        }


def cost_object(cost: HourlyCost) -> dict[str, Any]:
    """Return what a router costs per hour, by category, the dearest first."""
    dearest = sorted(cost.categories.items(), key=lambda item: (-item[1].busy_s, item[0]))
    return {
        "counted_s": rounded(cost.counted_s, 1),
        "total": _hourly(cost.total),
        "categories": [{"category": name, **_hourly(one)} for name, one in dearest],
    }


def _hourly(cost: Cost) -> dict[str, float | None]:
    return {
        "commands_per_h": rounded(cost.commands, 1),
        "received_bytes_per_h": rounded(cost.received_bytes),
        "sent_bytes_per_h": rounded(cost.sent_bytes),
        "rows_per_h": rounded(cost.rows, 1),
        "busy_s_per_h": rounded(cost.busy_s, 3),
    }


def _mean_poll_s(one: _Kept) -> float:
    first, last = one.samples[0], one.samples[-1]
    polls = last.polls - first.polls
    return (last.poll_s - first.poll_s) / polls if polls else 0.0


def _sample(account: Account, now: float) -> Sample:
    commands, sent, received = account.traffic
    return Sample(
        now,
        account.polls,
        account.polls_skipped,
        account.polls_failed,
        account.poll_s,
        account.take_slowest(),
        commands,
        sent,
        received,
    )
