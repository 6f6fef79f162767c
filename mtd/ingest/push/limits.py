"""How much callers and tenants may send: in rate, and at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import QuotaExceeded
from mtd.core.queues import Policy, declare
from mtd.ingest.config import PushConfig
from mtd.ingest.push import metrics

_ALLOWANCES = 20_000
_BUSY_S = 1.0

TenantRate = Callable[[str], Awaitable[float | None]]
"""Values per second that a tenant has a quota for; None: it has none."""


class Allowance:
    """A rate, with a debt: who has anything left may take more than that, and then has to wait."""

    __slots__ = ("_clock", "_filled_at", "_left")

    def __init__(self, burst: float, clock: Clock) -> None:
        self._clock = clock
        self._left = burst
        self._filled_at = clock.monotonic()

    def wait_s(self, rate: float, burst: float) -> float:
        """Return the seconds until something may be taken; 0: now."""
        now = self._clock.monotonic()
        self._left = min(burst, self._left + (now - self._filled_at) * rate)
        self._filled_at = now
        return 0.0 if self._left > 0 else -self._left / rate + 1.0 / rate

    def take(self, amount: float) -> None:
        """Take."""
        self._left -= amount


@dataclass(slots=True)
class _Tally:
    """What was sent in this minute, and in the one before."""

    minute: int = -1
    count: int = 0
    before: int = 0

    def add(self, minute: int, count: int) -> None:
        if minute != self.minute:
            self.before = self.count if minute == self.minute + 1 else 0
            self.minute, self.count = minute, 0
        self.count += count

    def of_minute(self, minute: int) -> int:
        return self.count if minute == self.minute else self.before if minute == self.minute - 1 else 0


class Rates:
    """Allowances of callers and tenants, of requests and of values.

    Those not used for the longest are forgotten: they are full again by then, or one of
    very many.
    """

    def __init__(self, config: PushConfig, tenant_rate: TenantRate, clock: Clock = SYSTEM_CLOCK) -> None:
        self._config = config
        self._tenant_rate = tenant_rate
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], Allowance] = OrderedDict()
        self._tallies: dict[str, _Tally] = {}

    def values_per_s(self, tenant_id: str) -> float:
        """Return how many values per second a tenant sends, over the last whole minute."""
        tally = self._tallies.get(tenant_id)
        return 0.0 if tally is None else tally.of_minute(int(self._clock.monotonic() // 60) - 1) / 60

    def take_request(self, tenant_id: str, caller: str) -> None:
        """Count a request. Raises QuotaExceeded, with the time to come again."""
        self._take(
            1.0,
            ("caller_requests", caller, self._config.requests_per_s),
            ("tenant_requests", tenant_id, self._config.tenant_requests_per_s),
        )

    async def take_values(
        self, tenant_id: str, caller: str, values: int, *, caller_rate: float | None = None
    ) -> None:
        """Count values and events. Raises QuotaExceeded, with the time to come again.

        ``caller_rate``: what a caller that is no program that pushes may send per second.
        """
        quota = await self._tenant_rate(tenant_id)
        if quota == 0:
            metrics.LIMITED.labels(limit="tenant_values").inc()
            raise QuotaExceeded(
                "the tenant may not send anything", hint="ask who runs mtd for a larger quota"
            )
        rate = self._config.tenant_values_per_s if quota is None else quota
        self._take(
            values,
            ("caller_values", caller, self._config.values_per_s if caller_rate is None else caller_rate),
            ("tenant_values", tenant_id, rate),
        )
        tally = self._tallies.setdefault(tenant_id, _Tally())
        tally.add(int(self._clock.monotonic() // 60), values)

    def _take(self, amount: float, *wanted: tuple[str, str, float]) -> None:
        found = []
        for limit, who, rate in wanted:
            burst = rate * self._config.burst_s
            allowance = self._allowance(limit, who, burst)
            wait_s = allowance.wait_s(rate, burst)
            if wait_s > 0:
                metrics.LIMITED.labels(limit=limit).inc()
                whose = "the caller" if limit.startswith("caller") else "the tenant"
                what = limit.rpartition("_")[2]
                raise QuotaExceeded(
                    f"{whose} has sent more than {rate:,g} {what} per second",
                    retry_after_s=wait_s,
                    hint=f"come again in {wait_s:.1f} s, and send what came together in the meantime",
                )
            found.append(allowance)
        for allowance in found:
            allowance.take(amount)

    def _allowance(self, limit: str, who: str, burst: float) -> Allowance:
        found = self._known.get((limit, who))
        if found is None:
            if len(self._known) >= _ALLOWANCES:
                self._known.popitem(last=False)
            found = self._known[limit, who] = Allowance(burst, self._clock)
        else:
            self._known.move_to_end((limit, who))
        return found


BODIES = declare(
    "ingest.push",
    "bytes",
    Policy.REFUSE,
    "Memory of batches over HTTP that are received or worked on.",
    limited_by="ingest.push.waiting_bytes",
    counted_by="mtd_ingest_push_limited_total",
)


class Places:
    """How much is received and worked on at a time, in bytes in all, and in batches per tenant.

    ``largest_bytes``: how large a single batch may be.
    """

    def __init__(self, config: PushConfig, largest_bytes: int = 1) -> None:
        # However little there is to be: one batch of each size that is taken finds room.
        self._most_bytes = max(config.waiting_bytes, 4 * largest_bytes)
        self._most_of_one = self._most_bytes // 4
        self._most_batches = config.tenant_batches
        self._bytes: dict[str, int] = {}
        self._batches: dict[str, int] = {}
        self.held_bytes = 0
        BODIES.watch(self, lambda one: one.held_bytes, lambda one: one._most_bytes)

    def hold(self, who: str, size: int) -> bool:
        """Hold memory for somebody, who is whom it says; False if there is none left for it."""
        own = self._bytes.get(who, 0)
        # Something may always be held by who holds nothing: no batch is larger than a part of all.
        if self.held_bytes + size > self._most_bytes or (own and own + size > self._most_of_one):
            return False
        self._bytes[who] = own + size
        self.held_bytes += size
        metrics.HELD_BYTES.set(self.held_bytes)
        return True

    def release(self, who: str, size: int) -> None:
        """Give memory back."""
        left = self._bytes[who] - size
        if left:
            self._bytes[who] = left
        else:
            del self._bytes[who]
        self.held_bytes -= size
        metrics.HELD_BYTES.set(self.held_bytes)

    @contextmanager
    def working(self, tenant_id: str) -> Iterator[None]:
        """Have a place for a batch of a tenant. Raises QuotaExceeded if the tenant has all of its own."""
        taken = self._batches.get(tenant_id, 0)
        if taken >= self._most_batches:
            metrics.LIMITED.labels(limit="tenant_batches").inc()
            raise QuotaExceeded(
                f"{taken} batches of the tenant are worked on already",
                retry_after_s=_BUSY_S,
                hint="send the next batch when one before it was answered",
            )
        self._batches[tenant_id] = taken + 1
        try:
            yield
        finally:
            if self._batches[tenant_id] == 1:
                del self._batches[tenant_id]
            else:
                self._batches[tenant_id] -= 1
