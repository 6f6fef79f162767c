"""Current-state tables a page at a time, from PostgreSQL."""

from __future__ import annotations

import pytest

from mtd.core.errors import NotFound
from mtd.queries.state import RowFilter, StateQueries
from tests.integration.projections.kit import World, in_world, now_us, table
from tests.integration.queries.test_overview import fleet

LEASES = {
    f"*{number:02}": {"name": f"host-{number}", "status": "bound" if number % 2 else "waiting"}
    for number in range(10)
}


def test_tables_and_pages(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        at = now_us()
        for device_id, rows in ((core, LEASES), (edge, {"*01": {"name": "other"}})):
            leases = table(at, rows)
            leases.device_id, leases.table_delta.table = device_id, "lease"
            await world.project(leases)
        state = StateQueries(world.doors)

        found = {one.name: (one.rows, one.changed_us) for one in await state.tables("core-1")}
        assert found["lease"] == (10, at)
        assert found["interface"][0] == 2

        seen: list[str] = []
        after = ""
        while True:
            page = await state.rows("core-1", "lease", RowFilter(), 4, after)
            assert page.total == 10
            seen += [row.key for row in page.rows]
            after = page.after
            if not after:
                break
        assert seen == sorted(LEASES)
        first = (await state.rows(core, "lease", RowFilter(), 1)).rows[0]
        assert (first.key, first.fields, first.first_seen_us) == ("*00", LEASES["*00"], at)

        bound = await state.rows("core-1", "lease", RowFilter(fields={"status": "bound"}), 100)
        assert [row.key for row in bound.rows] == sorted(key for key in LEASES if int(key[1:]) % 2)
        named = await state.rows("core-1", "lease", RowFilter(contains="HOST-7"), 100)
        assert [row.key for row in named.rows] == ["*07"]
        for odd in ("%", "_", "'", "\\", "{"):
            assert (await state.rows("core-1", "lease", RowFilter(contains=odd), 100)).total == 0
        assert (await state.rows("core-1", "nothing", RowFilter(), 100)).rows == []
        with pytest.raises(NotFound):
            await state.tables("nobody")

    in_world(postgres_dsn, body)
