"""How much may be sent: rates with their bursts, debts, and places."""

from __future__ import annotations

import pytest

from mtd.core.errors import QuotaExceeded
from mtd.ingest.config import PushConfig
from mtd.ingest.push.limits import Places, Rates
from mtd.testing import run_async


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)


def rates(quota: float | None = None, **settings: float) -> tuple[Rates, Clock]:
    async def of_tenant(_: str) -> float | None:
        return quota

    clock = Clock()
    figures = {"values_per_s": 100.0, "tenant_values_per_s": 150.0, "burst_s": 2.0, **settings}
    return Rates(PushConfig.model_validate(figures), of_tenant, clock), clock


def test_ingest_rate_lets_a_burst_through_and_then_the_rate() -> None:
    async def main() -> None:
        limits, clock = rates()
        await limits.take_values("t", "c", 150)
        await limits.take_values("t", "c", 100)  # 50 are left: more may be taken, and are owed
        with pytest.raises(QuotaExceeded) as refused:
            await limits.take_values("t", "c", 1)
        wait_s = refused.value.retry_after_s
        assert 0.5 <= wait_s <= 0.6
        clock.now += wait_s
        await limits.take_values("t", "c", 1)

    run_async(main())


def test_ingest_rate_of_a_tenant_is_shared_by_its_callers_and_nobody_else() -> None:
    async def main() -> None:
        limits, _ = rates()
        await limits.take_values("t", "a", 200)
        await limits.take_values("t", "b", 150)
        with pytest.raises(QuotaExceeded, match="the tenant"):
            await limits.take_values("t", "c", 1)
        await limits.take_values("u", "d", 200)

    run_async(main())


def test_ingest_rate_of_a_tenant_is_its_quota_where_it_has_one() -> None:
    async def main() -> None:
        limits, _ = rates(quota=10.0)
        await limits.take_values("t", "a", 21)
        with pytest.raises(QuotaExceeded, match="more than 10 values"):
            await limits.take_values("t", "b", 1)
        nothing, _ = rates(quota=0.0)
        with pytest.raises(QuotaExceeded) as refused:
            await nothing.take_values("t", "a", 1)
        assert refused.value.retry_after_s == 0

    run_async(main())


def test_ingest_rate_that_is_used_is_that_of_the_last_whole_minute() -> None:
    async def main() -> None:
        limits, clock = rates()
        clock.now = 60.0 * 100
        await limits.take_values("t", "c", 120)
        assert limits.values_per_s("t") == 0
        clock.now += 60
        assert limits.values_per_s("t") == 2.0
        await limits.take_values("t", "c", 60)
        assert limits.values_per_s("t") == 2.0
        clock.now += 60
        assert limits.values_per_s("t") == 1.0
        clock.now += 60
        assert limits.values_per_s("t") == limits.values_per_s("u") == 0

    run_async(main())


def test_ingest_requests_have_a_rate_of_their_own() -> None:
    limits, clock = rates(requests_per_s=1.0, tenant_requests_per_s=1.5)
    for caller in ("a", "a", "b"):
        limits.take_request("t", caller)
    with pytest.raises(QuotaExceeded, match="the caller"):
        limits.take_request("t", "a")
    with pytest.raises(QuotaExceeded, match="the tenant"):
        limits.take_request("t", "c")
    clock.now += 1.0
    limits.take_request("t", "a")


def test_ingest_memory_is_bounded_in_all_and_for_one() -> None:
    places = Places(PushConfig(waiting_bytes=4096))
    assert places.hold("a", 1024)
    assert not places.hold("a", 1)  # a quarter is all that one gets
    assert places.hold("b", 2000)  # but for a first part, of whatever size
    assert places.hold("c", 1000)
    assert not places.hold("d", 100)
    places.release("b", 2000)
    assert places.hold("d", 100)
    for who, size in (("a", 1024), ("c", 1000), ("d", 100)):
        places.release(who, size)
    assert places.held_bytes == 0
    large = Places(PushConfig(waiting_bytes=4096), 3000)
    assert all(large.hold("a", 1000) for _ in range(3))


def test_ingest_batches_of_a_tenant_are_bounded_and_those_of_others_not_by_it() -> None:
    places = Places(PushConfig(tenant_batches=2))
    with places.working("a"), places.working("a"):
        with pytest.raises(QuotaExceeded) as refused, places.working("a"):
            pass
        assert refused.value.retry_after_s > 0
        with places.working("b"):
            pass
    with places.working("a"):
        pass
