"""Flow records of devices: each block stored once, and its minute noted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtd.model.flows import FORMS, FlowPortion, flow_event
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.storage.stores.flows import any_due, forget_due
from tests.integration.flowsums.kit import expected as sums_expected
from tests.integration.flowsums.kit import plain, records_of, settings, sum_up
from tests.integration.projections.kit import (
    DEVICE,
    OTHER_DEVICE,
    TENANT,
    World,
    in_world,
    now_us,
    origin,
)
from tests.unit.flowsums.plain import Record, block_of, told

MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
OTHER_TENANT = "20000000-0000-4000-8000-000000000002"
DUE = "SELECT device_id::text, to_us(bucket), changed FROM flow_due WHERE bucket_s = 60 ORDER BY 2, 1"
BLOCKS = (
    "SELECT tenant_id::text, device_id::text, seq, to_us(ts), to_us(first_ts), to_us(last_ts), exporter, form, sampling,"
    " records, octets, packets, estimated_octets, estimated_packets, block FROM flow_block ORDER BY seq"
)


def flows(at: int, records: list[Record], device: str = DEVICE, tenant: str = TENANT) -> Envelope:
    volume = told(records)
    portion = FlowPortion(
        exporter="192.0.2.1",
        domain=0,
        form="ipfix",
        records=len(records),
        octets=sum(record["octets"] for record in records),
        packets=sum(record["packets"] for record in records),
        estimated_octets=volume.octets,
        estimated_packets=volume.packets,
        received_us=at,
        first_ms=at // 1000 - 20,
        last_ms=at // 1000 - 10,
        sampling="told",
        block=block_of(records),
    )
    return flow_event(origin(device, tenant), portion, at + 10)


def minute_of(us: int) -> int:
    return us - us % MINUTE_US


def test_a_block_is_stored_as_it_came(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at, records = now_us(), records_of(30)
        await world.project(flows(at, records))
        volume = told(records)
        (row,) = await world.ask(BLOCKS)
        assert row[:9] == (
            TENANT, DEVICE, 1, at, at // 1000 * 1000 - 20_000, at // 1000 * 1000 - 10_000, "192.0.2.1", 3, 1,
        )  # fmt: skip
        assert row[9:14] == (
            30,
            sum(record["octets"] for record in records),
            sum(record["packets"] for record in records),
            volume.octets,
            volume.packets,
        )
        assert bytes(row[14]) == block_of(records)
        assert await any_due(world.db)

    in_world(postgres_dsn, body)


def test_the_part_of_the_exporter_is_kept_where_its_form_has_such(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        told = [("netflow5", 0), ("netflow9", 7), ("ipfix", 2**32 - 1), ("sflow5", 0)]
        events = [flows(now_us(), records_of(3)) for _ in told]
        for event, (form, domain) in zip(events, told, strict=True):
            event.flow_batch.form, event.flow_batch.domain = FORMS[form], domain
        await world.project(*events)
        kept = await world.ask("SELECT domain FROM flow_block ORDER BY seq")
        assert kept == [(0,), (7,), (2**32 - 1,), (None,)]

    in_world(postgres_dsn, body)


def test_minutes_are_noted_once_a_transaction(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        assert not await any_due(world.db)
        at = minute_of(now_us()) - MINUTE_US
        few = records_of(2)
        await world.project(
            flows(at + 5, few),
            flows(at + MINUTE_US - 1, few),
            flows(at, few, OTHER_DEVICE),
            flows(at - 1, few),
        )
        assert await world.ask(DUE) == [
            (DEVICE, at - MINUTE_US, 1),
            (DEVICE, at, 1),
            (OTHER_DEVICE, at, 1),
        ]
        await world.project(flows(at + 7, few))
        assert (await world.ask(DUE))[1] == (DEVICE, at, 2)

    in_world(postgres_dsn, body)


def test_large_blocks_are_sent_one_by_one(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        # Hardly to be packed: each several hundred kilobytes.
        records: list[Record] = [
            {
                "octets": n * 0x9E3779B97F4A7C15 % 2**40,
                "packets": n * 0x9E3779B97F4A7C15 % 2**31,
                "src_address": n**9 % 2**128,
            }
            for n in range(1, 40_000)
        ]
        large = flows(at, records)
        assert len(large.flow_batch.block) > 300_000
        await world.project(large, flows(at + 1, records_of(1)), large, large)
        assert await world.value("SELECT array_agg(length(block) > 300000 ORDER BY seq) FROM flow_block") == [
            True, False, True, True,
        ]  # fmt: skip

    in_world(postgres_dsn, body)


def test_blocks_are_of_their_day_and_of_no_other(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(
            flows(at - DAY_US, records_of(1)),
            flows(at - 40 * DAY_US, records_of(2)),
            flows(at + 40 * DAY_US, records_of(3)),
        )
        assert [row[9] for row in await world.ask(BLOCKS)] == [1]
        assert await world.value("SELECT count(*) FROM dead_letter") == 0

    in_world(postgres_dsn, body)


def no_device(event: Envelope) -> None:
    event.device_id = ""


def no_uuid(event: Envelope) -> None:
    event.device_id = "core-1"


def no_records(event: Envelope) -> None:
    event.flow_batch.records = 0


def too_many_records(event: Envelope) -> None:
    event.flow_batch.records = 65_537


def too_many_octets(event: Envelope) -> None:
    event.flow_batch.estimated_octets = 2**63


def before_the_epoch(event: Envelope) -> None:
    event.flow_batch.first_ms = -1


def of_no_calendar(event: Envelope) -> None:
    event.flow_batch.last_ms = 2**62


def of_no_form(event: Envelope) -> None:
    event.flow_batch.form = 40_000  # type: ignore[assignment]


def without_block(event: Envelope) -> None:
    event.flow_batch.block = b""


@pytest.mark.parametrize(
    "damage",
    [
        no_device,
        no_uuid,
        no_records,
        too_many_records,
        too_many_octets,
        before_the_epoch,
        of_no_calendar,
        of_no_form,
        without_block,
    ],
)
def test_what_can_not_be_is_put_aside(postgres_dsn: str, damage: Callable[[Envelope], None]) -> None:
    async def body(world: World) -> None:
        at = now_us()
        wrong = flows(at, records_of(2))
        damage(wrong)
        await world.project(flows(at, records_of(1)), wrong, flows(at, records_of(3)))
        assert [row[9] for row in await world.ask(BLOCKS)] == [1, 3]
        assert await world.ask("SELECT seq, projection FROM dead_letter") == [(2, "flows")]

    in_world(postgres_dsn, body)


def test_a_rebuild_makes_blocks_once_and_sums_again(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = minute_of(now_us()) - 10 * MINUTE_US
        first, second = records_of(20), records_of(30, 100)
        await world.project(flows(at, first), flows(at + 1, second), flows(at + MINUTE_US, first))
        before = await world.ask(BLOCKS)
        sum_up(postgres_dsn, now_us(), config=settings())
        assert await world.ask(DUE) == []
        # A block of which the log knows nothing goes with the rebuild of its minute's sums, those of others stay.
        await world.ask("UPDATE flow_sum_1m SET octets = '{1}' WHERE dimension = 'total'")
        await world.ask("UPDATE flow_block SET records = 1")
        runner = world.runners[-1]
        await runner.rebuild("flows")
        await runner.wait_for(world.log.stats().last_seq)
        assert await world.ask(BLOCKS) == before
        assert [row[:2] for row in await world.ask(DUE)] == [(DEVICE, at), (DEVICE, at + MINUTE_US)]
        sum_up(postgres_dsn, now_us(), config=settings())
        assert plain(postgres_dsn, at) == sums_expected(first + second)
        assert plain(postgres_dsn, at + MINUTE_US) == sums_expected(first)

    in_world(postgres_dsn, body)


def test_a_rebuild_notes_minutes_that_are_not_in_the_log_again(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = minute_of(now_us()) - 10 * MINUTE_US
        await world.project(flows(at, records_of(20)))
        await world.ask("UPDATE flow_block SET ts = ts - interval '1 minute'")
        await world.ask("DELETE FROM flow_due")
        await world.runners[-1].rebuild("flows")
        await world.project()
        assert [row[:2] for row in await world.ask(DUE)] == [(DEVICE, at - MINUTE_US), (DEVICE, at)]

    in_world(postgres_dsn, body)


def test_doors_see_blocks_of_their_tenant(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(flows(at, records_of(1)), flows(at, records_of(2), OTHER_DEVICE, OTHER_TENANT))
        assert await world.ask_as_door("SELECT records FROM flow_block") == [(1,)]

    in_world(postgres_dsn, body)


def test_minutes_that_nobody_sums_up_are_forgotten_in_the_end(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = minute_of(now_us())
        await world.project(flows(at, records_of(1)), flows(at - MINUTE_US, records_of(1)))
        await world.ask(
            "INSERT INTO flow_due (tenant_id, device_id, bucket_s, bucket) SELECT tenant_id, device_id, 3600, bucket FROM flow_due"
        )
        assert await forget_due(world.db, at, at - MINUTE_US) == 1
        left = await world.ask("SELECT bucket_s, to_us(bucket) FROM flow_due ORDER BY 1, 2")
        assert left == [(60, at), (3600, at - MINUTE_US), (3600, at)]

    in_world(postgres_dsn, body)
