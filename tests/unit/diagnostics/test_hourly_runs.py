"""How often tools may be run."""

from __future__ import annotations

import pytest

from mtd.core.errors import QuotaExceeded
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.limits import HourlyRuns
from mtd.model.principal import CallerKind, Principal, Role
from mtd.testing import run_async
from mtd.testing.contract import FakeClock


def test_a_tenants_quota_counts_the_last_hour() -> None:
    async def quota(tenant_id: str) -> int | None:
        return 2 if tenant_id == "north" else None

    async def main() -> None:
        clock = FakeClock()
        runs = HourlyRuns(DiagnosticsConfig(), clock, quota)
        callers = [Principal(CallerKind.USER, name, "north", Role.OPERATOR) for name in ("ann", "bob", "eve")]
        await runs.take("north", callers[0])
        clock.at += 1800
        await runs.take("north", callers[1])
        assert runs.of_tenant("north") == 2
        with pytest.raises(QuotaExceeded, match="2 are allowed") as refused:
            await runs.take("north", callers[2])
        assert refused.value.retry_after_s == 1800
        await runs.take("south", callers[2])
        assert (runs.of_tenant("north"), runs.of_tenant("south"), runs.of_tenant("east")) == (2, 1, 0)
        clock.at += 1800
        assert runs.of_tenant("north") == 1
        await runs.take("north", callers[2])

    run_async(main())
