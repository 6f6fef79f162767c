"""What one collector may take of a hub: others go on, whatever it sends."""

from __future__ import annotations

import asyncio
import secrets
import uuid

import grpc
import pytest

from mtd.ingest.copying import door
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.projections.suspects import MOST_FAILURES
from tests.integration.ingest.hub import (
    OTHER_DEVICE,
    OTHER_TENANT,
    TENANT,
    Hub,
    events,
    names,
    stored,
    with_hub,
)
from tests.integration.projections.kit import now_us, table

LOG = str(uuid.UUID(int=0xE1))
STATUS = grpc.StatusCode


def test_ingest_append_of_what_no_table_takes_holds_up_nobody_else(postgres_dsn: str) -> None:
    """However much of it comes: the tenant of who sends it is left out for a while, its own observations are not."""

    async def body(hub: Hub) -> None:
        hub.world.config.poisoned_in_a_row = 5
        key = secrets.token_urlsafe(20_000)  # no index holds that
        bad = [table(now_us(), {f"{key}{number}": {"name": "x"}}) for number in range(MOST_FAILURES + 4)]
        bad.insert(0, table(now_us(), {"x\0": {"name": "x"}, "x\N{REPLACEMENT CHARACTER}": {"name": "x"}}))
        stream = hub.stream(LOG)
        await stream.open()
        await stream.store(1, bad)
        theirs = hub.stream(str(uuid.UUID(int=0xE2)), who="edge-b")
        await theirs.open()
        good = table(now_us(), {"*1": {"name": "ether1"}})
        good.tenant_id, good.device_id = OTHER_TENANT, OTHER_DEVICE
        await theirs.store(1, [good])
        own = table(now_us(), {"*2": {"name": "ether2"}})
        await hub.world.project(own)
        rows = await hub.world.ask("SELECT tenant_id::text, row_key FROM state_row ORDER BY row_key")
        assert rows == [(OTHER_TENANT, "*1"), (TENANT, "*2")]
        letters = await hub.world.ask(
            "SELECT starts_with(reason, 'not tried'), count(*) FROM dead_letter GROUP BY 1 ORDER BY 1"
        )
        assert letters == [(False, MOST_FAILURES), (True, 5)]
        await stream.close()
        await theirs.close()

    with_hub(postgres_dsn, body)


def test_ingest_append_by_one_collector_leaves_streams_to_the_others(postgres_dsn: str) -> None:
    async def body(hub: Hub) -> None:
        streams = [hub.stream(str(uuid.UUID(int=0xE10 + number))) for number in range(door.MOST_STREAMS)]
        for stream in streams:
            await stream.open()
        again = hub.stream(str(uuid.UUID(int=0xE10)))  # a newer one of the same lane takes its place
        await again.open()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await hub.stream(LOG).open()
        assert refused.value.code() is STATUS.RESOURCE_EXHAUSTED
        assert "of this collector" in (refused.value.details() or "")
        theirs = hub.stream(str(uuid.UUID(int=0xE2)), who="edge-b")
        await theirs.open()
        await streams[-1].close()
        await hub.stream(LOG).open()

    with_hub(postgres_dsn, body)


def test_ingest_append_of_a_log_full_of_gaps_is_refused(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them costs every transaction of the projections."""
    monkeypatch.setattr(door, "MOST_RANGES", 3)

    async def body(hub: Hub) -> None:
        stream = hub.stream(LOG)
        await stream.open(20)
        for seq in (1, 3, 5):
            await stream.store(seq, events(seq, 1))
        await stream.send(7, events(7, 1))
        refused = await stream.fails()
        assert refused.code() is STATUS.INVALID_ARGUMENT
        assert "3 ranges" in (refused.details() or "")
        stream = hub.stream(LOG)
        await stream.open(6)
        await stream.store(6, events(6, 2))  # goes on
        await stream.store(2, events(2, 1))  # and what is missing
        await stream.close()

    with_hub(postgres_dsn, body)


def test_a_hub_that_is_behind_reads_a_lane_on_later_and_says_meanwhile_that_it_is_there(
    postgres_dsn: str,
) -> None:
    async def body(hub: Hub) -> None:
        hub.turns["backfill"] = asyncio.Event()
        live, backfill = hub.stream(LOG), hub.stream(LOG, lane=pb.LANE_BACKFILL)
        await live.open(4)
        await backfill.open()
        await backfill.send(1, events(1, 3))
        await live.store(4, events(4, 2))
        # Neither stored nor refused: the collector keeps it, and hears of us all the same.
        assert (await backfill.read()).HasField("projected")
        assert (await backfill.read()).HasField("projected")
        assert [batch.last_seq for batch in await hub.log.read(0, 100)] == [2]
        hub.turns["backfill"].set()
        await backfill.acked(1, 3)
        await hub.world.project()
        assert sorted(await stored(hub.world)) == names(1, 5)
        await live.close()
        await backfill.close()

    with_hub(postgres_dsn, body)
