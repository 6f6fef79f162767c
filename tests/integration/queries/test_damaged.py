"""A damaged row of cold telemetry is told with its place; what doesn't need it is answered."""

from __future__ import annotations

import pytest

from mtd.queries.resolution import Resolution
from mtd.storage.errors import HistoryDamaged
from tests.integration.projections.kit import World, in_world
from tests.integration.queries.history_kit import HOUR, LOAD, RX, compact, past_of
from tests.integration.queries.kit import ranges_of
from tests.integration.queries.test_history import ask

CUT = "packed = substr(packed, 1, length(packed) / 2)"


@pytest.mark.parametrize(
    ("table", "resolution"),
    [
        ("telemetry_block", Resolution.RAW),
        ("rollup_10s", Resolution.TEN_SECONDS),
        ("rollup_1m", Resolution.MINUTE),
    ],
)
def test_a_row_that_is_cut_off(postgres_dsn: str, table: str, resolution: Resolution) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 2)
        await compact(world, past, [0, 1], dense=True)
        ((series_id,),) = await world.ask("SELECT series_id FROM series WHERE metric = %s", RX)
        start = "hour" if table == "telemetry_block" else "start"
        changed = await world.ask(
            f"UPDATE {table} SET {CUT} WHERE series_id = %s RETURNING {start}", series_id
        )
        assert changed
        ranges = ranges_of(world)
        with pytest.raises(HistoryDamaged, match=f"{table} of series {series_id} from 20") as caught:
            await ask(ranges, past, resolution=resolution)
        assert "backup" in caught.value.hint
        whole = await ranges.query_range(
            "core-1", [LOAD], past.first_us, past.first_us + HOUR, 100_000, resolution=resolution
        )
        assert [series.metric for series in whole.series] == [LOAD]

    in_world(postgres_dsn, body)
