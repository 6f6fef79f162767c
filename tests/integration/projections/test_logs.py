"""Lines of devices' logs: stored once, as they came, and read page by page."""

from __future__ import annotations

import uuid

import pytest

from mtd.core.errors import NotFound, Refused
from mtd.model.logs import LogEntry, log_event
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.queries.logs import LogFilter, LogLineView, LogQueries
from mtd.storage.stores.addresses import addresses_of_devices
from tests.integration.projections.kit import DEVICE, TENANT, World, in_world, now_us, origin, table

OTHER_TENANT = "20000000-0000-4000-8000-000000000002"
DAY_US = 86_400_000_000


def lines(at: int, *texts: str, tenant: str = TENANT, **facts: object) -> Envelope:
    entries = [
        LogEntry(at + n, text, f"interface,info {text}", topics=("interface", "info"), severity=6, **facts)  # type: ignore[arg-type]
        for n, text in enumerate(texts)
    ]
    return log_event(origin(tenant=tenant), "192.0.2.1", entries, at)


async def add_device(world: World) -> None:
    await world.ask(
        "INSERT INTO device (tenant_id, device_id, name, host, port, username, tls_mode)"
        " VALUES (%s, %s, 'core-1', '192.0.2.1', 8728, 'u', 'off')",
        TENANT, DEVICE,
    )  # fmt: skip


async def read(world: World, tenant: str = TENANT, **wanted: object) -> list[LogLineView]:
    found = await LogQueries(world.doors).page(tenant, LogFilter(**wanted))  # type: ignore[arg-type]
    return list(found)


def test_texts_of_any_signs_and_of_none_are_stored(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world)
        at = now_us()
        texts = ["", "a\x1fb", "\x1e", 'it\'s {1,NULL} \\ "q"', "\x01\x02%s", "\U0001f600"]
        for number, text in enumerate(texts):  # each alone, then all together
            entry = LogEntry(at + number, text, text, values={"it": text})
            await world.project(log_event(origin(), "192.0.2.1", [entry], at))
        entries = [LogEntry(at + 10 + number, text, text) for number, text in enumerate(texts)]
        await world.project(log_event(origin(), "192.0.2.1", entries, at))
        found = list(reversed(await read(world)))
        assert [line.text for line in found] == [*texts, *texts]
        assert [line.original for line in found] == [*texts, *texts]
        assert [line.values.get("it") for line in found] == [*texts, *[None] * len(texts)]

    in_world(postgres_dsn, body)


def test_a_line_is_read_as_it_came(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world)
        at = now_us()
        whole = LogEntry(
            at,
            'ä "quoted" \\ {braces}\ttab',
            'CEF:0|x|msg=ä "quoted" \\ {braces}\ttab app=ssh',
            form="cef",
            severity=4,
            facility=3,
            topics=("system", "error"),
            event_type="user.login.failed",
            entity_type="user",
            entity="admin",
            state_field="f",
            old="o",
            new="n",
            values={"user": "admin", "nul": "a\0b"},
            host="core-1",
            program="p",
            process="7",
            told_time="Jan 1",
            repeats=3,
            cut=True,
        )
        bare = LogEntry(at + 1, "a\0b", "a\0b")
        await world.project(log_event(origin(), "192.0.2.1", [whole, bare], at))
        second, first = await read(world)
        assert (first.received_us, first.device_id, first.device, first.sender) == (
            at,
            DEVICE,
            "core-1",
            "192.0.2.1",
        )
        assert (first.text, first.original) == (whole.text, whole.original)
        assert (first.severity, list(first.topics)) == (4, ["system", "error"])
        assert (first.event_type, first.entity_type, first.entity) == ("user.login.failed", "user", "admin")
        assert (first.field, first.old, first.new, first.repeats) == ("f", "o", "n", 3)
        assert first.values == {"user": "admin", "nul": "a�b"}
        assert (second.text, second.original, second.severity, second.values) == ("a�b", "a�b", None, {})
        # The message isn't stored twice where it is the end of the line.
        await world.project(lines(at + 5, "ether1 link down"))
        assert (
            await world.value("SELECT head FROM log_record WHERE text = 'ether1 link down'")
            == "interface,info "
        )
        assert await world.value("SELECT original FROM log_record WHERE text = 'ether1 link down'") is None
        assert (await read(world, contains="INFO ether1"))[0].original == "interface,info ether1 link down"

    in_world(postgres_dsn, body)


def test_lines_are_found_by_what_they_are(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world)
        at = now_us()
        await world.project(
            lines(at, "one 100%", event_type="interface.oper.changed"),
            lines(at + 10, "two", event_type="interface.loop.suspected"),
            lines(at + 20, "three_3", event_type="user.logged_in"),
            lines(at + 30, "theirs", tenant=OTHER_TENANT),
        )

        async def texts(**wanted: object) -> list[str]:
            return [line.text for line in await read(world, **wanted)]

        assert await texts() == ["three_3", "two", "one 100%"]
        assert await texts(event_types=("interface.*",)) == ["two", "one 100%"]
        assert await texts(event_types=("user.logged_in", "interface.oper.changed")) == [
            "three_3",
            "one 100%",
        ]
        assert await texts(event_types=("user.loggedxin",)) == []
        assert await texts(devices=("core-1",), start_us=at + 10, end_us=at + 20) == ["two"]
        assert await texts(contains="00%") == ["one 100%"]
        assert await texts(contains="e_3") == ["three_3"]
        assert await texts(contains="x_3") == []
        assert await texts(topics=("wireless",)) == []
        assert await texts(topics=("wireless", "info"), severity=6) == ["three_3", "two", "one 100%"]
        assert await texts(severity=5) == []
        assert [line.text for line in await read(world, OTHER_TENANT)] == ["theirs"]
        with pytest.raises(NotFound):
            await read(world, devices=("nobody",))
        with pytest.raises(Refused, match="no type of an event"):
            await read(world, event_types=("a b",))
        with pytest.raises(Refused, match="more than 200"):
            await read(world, contains="x" * 201)
        with pytest.raises(Refused, match="U\\+0000"):
            await read(world, contains="x\0")
        for name in ("event_types", "topics"):
            with pytest.raises(Refused, match="more than 100"):
                await read(world, **{name: ("a.b",) * 101})

    in_world(postgres_dsn, body)


def test_pages_hold_each_line_once(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        for _ in range(3):  # at the same times
            await world.project(lines(at, *map(str, range(40))))
        queries, seen, token = LogQueries(world.doors), [], ""
        while found := await queries.page(TENANT, LogFilter(), after=token, limit=7):
            seen += found
            token = found[-1].token
        assert len(seen) == 120
        assert len({line.token for line in seen}) == 120
        assert [line.received_us for line in seen] == sorted(
            (line.received_us for line in seen), reverse=True
        )
        for wrong in ("elsewhere", f"1/{'-' * 36}/1/1", f"{10**19}/{TENANT}/1/1", f"1/{TENANT}/{10**19}/1"):
            with pytest.raises(Refused, match="page_token"):
                await queries.page(TENANT, LogFilter(), after=wrong)

    in_world(postgres_dsn, body)


def test_lines_are_of_their_day_and_of_no_other(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(lines(at - 3 * DAY_US, "late"), lines(at - 400 * DAY_US, "too old"))
        assert [line.text for line in await read(world)] == ["late"]

    in_world(postgres_dsn, body)


def test_a_line_is_stored_once_though_it_is_projected_again(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(lines(now_us(), "one", "two"))
        runner = world.runners[-1]
        await runner.rebuild("logs")
        await runner.wait_for(world.log.stats().last_seq)
        assert [line.text for line in await read(world)] == ["two", "one"]

    in_world(postgres_dsn, body)


def test_lines_that_waited_for_long_are_stored_in_transactions_of_a_bearable_size(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        for number in range(30):
            await world.log.append([lines(at + 100 * number, *(f"{number} {line}" for line in range(64)))])
        await world.project()
        of_one = await world.ask("SELECT count(*) FROM log_record GROUP BY xmin::text")
        assert sum(rows for (rows,) in of_one) == 30 * 64
        # Sixteen of what weighs like eight lines.
        assert max(rows for (rows,) in of_one) == 128

    in_world(postgres_dsn, body, batch_events=16)


@pytest.mark.parametrize("values", ["no JSON", "[1]", '{"a": 1}', '{"a": "\\u0000"}'])
def test_values_of_a_collector_that_nobody_could_read_stop_nobody(postgres_dsn: str, values: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        wrong, right = lines(at, "wrong"), lines(at + 10, "right", values={"a": "b"})
        wrong.log_batch.lines[0].values_json = values
        for seq, event in enumerate((wrong, right), start=1):
            event.source_log_id, event.source_seq = uuid.UUID(int=0xE).bytes, seq
        await world.project(wrong, right)
        assert [(line.text, line.values) for line in await read(world)] == [("right", {"a": "b"})]
        assert await world.value("SELECT count(*) FROM dead_letter WHERE projection = 'logs'") == 1

    in_world(postgres_dsn, body)


def test_addresses_of_devices(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world)
        told = table(now_us(), {"*1": {"address": "10.0.0.1/24"}, "*2": {"address": "10.0.0.2/24"}, "*3": {}})
        told.table_delta.table = "ip_address"
        await world.project(told)
        found = await addresses_of_devices(world.db)
        assert {device: sorted(some) for device, some in found.items()} == {DEVICE: ["10.0.0.1", "10.0.0.2"]}

    in_world(postgres_dsn, body)
