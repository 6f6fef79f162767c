"""A device belongs to one tenant."""

from __future__ import annotations

import uuid

from tests.integration.compaction.kit import LAYOUT, TENANT, ask, compact, declare, polls, put

OTHER_TENANT = str(uuid.UUID(int=77))


def test_frames_of_two_tenants_are_refused_with_what_to_do(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    ask(postgres_dsn, "INSERT INTO tenant (tenant_id, name) VALUES (%s, 'other')", OTHER_TENANT)
    declare(postgres_dsn, LAYOUT, tenant=OTHER_TENANT)
    put(postgres_dsn, polls(10))
    ask(postgres_dsn, "UPDATE telemetry_frame SET tenant_id = %s WHERE seq >= 8", OTHER_TENANT)
    (failed,) = compact(postgres_dsn).failed
    assert failed.what == "data"
    for word in (TENANT, OTHER_TENANT, "delete those of the others from mtd.telemetry_frame"):
        assert word in failed.reason
    ask(postgres_dsn, "DELETE FROM telemetry_frame WHERE tenant_id = %s", OTHER_TENANT)
    assert [unit.frames for unit in compact(postgres_dsn).units] == [8]
