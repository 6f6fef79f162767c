"""Which tenants a sender may speak for."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from mtd.api.ingest.senders import speaker_of
from mtd.model.principal import CallerKind, Principal, Role
from mtd.testing import run_async

ACME, OTHER = "acme", "other"
COLLECTOR = Principal(CallerKind.COLLECTOR, "edge", ACME, None)
TOKEN = Principal(CallerKind.TOKEN, "push", ACME, Role.ADMIN)
ROOT = Principal(CallerKind.TOKEN, "root", ACME, Role.SUPER_ADMIN)


@pytest.mark.parametrize(
    ("caller", "sole", "tenants"),
    [
        (COLLECTOR, "", {ACME, OTHER}),
        (TOKEN, "", {ACME}),
        (ROOT, "", None),
        # A daemon of one tenant: nobody speaks for another there.
        (TOKEN, ACME, {ACME}),
        (ROOT, ACME, {ACME}),
    ],
)
def test_isolation_of_what_is_sent(caller: Principal, sole: str, tenants: set[str] | None) -> None:
    async def served(_: str) -> Collection[str]:
        return [OTHER]

    async def main() -> None:
        assert (await speaker_of(caller, served, sole)).tenants == tenants

    run_async(main())
