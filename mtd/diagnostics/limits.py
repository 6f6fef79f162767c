"""How often tools are run: by one caller, and by all of a tenant."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mtd.core.errors import QuotaExceeded
from mtd.diagnostics import metrics

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.model.principal import Principal

TenantLimit = Callable[[str], Awaitable[int | None]]
"""Return how many runs a tenant may begin within an hour; None if nothing limits it."""

_HOUR_S = 3600.0
_MOST_CALLERS = 10_000


async def no_limit(tenant_id: str) -> int | None:
    """Limit nobody."""
    return None


class HourlyRuns:
    """Counts the runs of the last hour. What was counted is forgotten when the daemon ends."""

    def __init__(self, config: DiagnosticsConfig, clock: Clock, tenant_limit: TenantLimit = no_limit) -> None:
        self._config = config
        self._clock = clock
        self._tenant_limit = tenant_limit
        self._begun: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    async def take(self, tenant_id: str, caller: Principal) -> None:
        """Count a run. Raises QuotaExceeded, with the time after which there is room again."""
        quota = await self._tenant_limit(tenant_id)
        most = self._config.max_tenant_runs_per_hour
        whole = ("tenant", tenant_id), most if quota is None else min(quota, most), "your tenant has"
        own = (f"{caller.kind} {tenant_id}", caller.caller_id or caller.name or "local")
        single = own, self._config.max_runs_per_hour, f"{caller} has"
        now = self._clock.monotonic()
        for key, limit, who in (whole, single):
            begun = self._of(key, now)
            if len(begun) >= limit:
                metrics.REFUSED.labels(reason=key[0].partition(" ")[0]).inc()
                wait_s = max(1.0, begun[0] + _HOUR_S - now) if begun else _HOUR_S
                raise QuotaExceeded(
                    f"{who} begun {len(begun)} runs within an hour, and {limit} are allowed",
                    retry_after_s=wait_s,
                    hint=f"there is room again in {wait_s:.0f} s",
                )
        for key, _, _ in (whole, single):
            self._of(key, now).append(now)

    def of_tenant(self, tenant_id: str) -> int:
        """Return how many runs a tenant has begun within the last hour."""
        begun = self._begun.get(("tenant", tenant_id), ())
        since = self._clock.monotonic() - _HOUR_S
        return sum(moment > since for moment in begun)

    def _of(self, key: tuple[str, str], now: float) -> deque[float]:
        begun = self._begun.setdefault(key, deque())
        self._begun.move_to_end(key)
        while begun and begun[0] <= now - _HOUR_S:
            begun.popleft()
        # The longest unseen go first; so many callers within an hour aren't people.
        while len(self._begun) > _MOST_CALLERS:
            self._begun.popitem(last=False)
        return begun
