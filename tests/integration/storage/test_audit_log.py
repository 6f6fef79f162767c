"""The audit log in PostgreSQL: what is appended stays, in its order, and every change shows."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.audit import AuditEntry
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.audit_chain import GENESIS, ChainCheck, Deed, Head, Problem, clean, tells_of
from mtd.storage.audit_blocking import append_blocking, audit_blocking, chain_reader
from mtd.storage.audit_sql import AuditFilter
from mtd.storage.errors import RowUnusable, SchemaTooOld
from mtd.storage.pool import Database
from mtd.storage.stores import audit_log
from mtd.storage.stores.audit_log import AuditStore
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-000000000002"
ALL = AuditFilter(None)
DAY_US = 86_400_000_000
NOW_US = 1_700_000_000_000_000


def deed(number: int, tenant_id: str = TENANT, **fields: Any) -> Deed:
    entry = AuditEntry(
        fields.pop("action", "inventory.v1.InventoryService/UpdateDevice"),
        fields.pop("outcome", "OK"),
        tenant_id,
        "user",
        fields.pop("caller", "joe"),
        "id-1",
        "admin",
        "ipv4:192.0.2.1:4711",
        fields.pop("target", f"device=r{number}"),
        fields.pop("detail", {"changed": "name, host", "quote": 'a"b\\c ü'}),
    )
    return Deed(clean(entry), fields.pop("ts_us", NOW_US + number))


def with_store(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Give a test a store on its database."""

    async def run(postgres_dsn: str, given: Mapping[str, Any]) -> None:
        database = Database.for_writing(postgres_dsn)
        await database.start()
        try:
            await test(AuditStore(database), postgres_dsn, **given)
        finally:
            await database.stop()

    def on_reactor(postgres_dsn: str, **given: Any) -> None:
        run_async(run(postgres_dsn, given))

    parameters = list(inspect.signature(test).parameters.values())[1:]
    on_reactor.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    on_reactor.__name__ = test.__name__  # type: ignore[attr-defined]
    return on_reactor


def problems(dsn: str) -> list[Problem]:
    with chain_reader(dsn) as reader:
        check = ChainCheck(reader.checkpoint or Head(0, GENESIS))
        found = [problem for link in reader.entries() for problem in check.take(link)]
        return [*found, *check.finish(reader.head)]


@contextmanager
def by_force(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """Be the owner, who can switch off what refuses changes."""
    with psycopg.connect(dsn, options="-c session_replication_role=replica") as connection:
        yield connection


@with_store
async def test_what_was_appended_is_read_back_and_hangs_together(
    store: AuditStore, postgres_dsn: str
) -> None:
    deeds = [deed(number, TENANT if number % 2 else OTHER) for number in range(1, 8)]
    assert [link.position for link in await store.append(deeds[:3])] == [1, 2, 3]
    await store.append(deeds[3:])
    found = await store.after(ALL, 100, 0)
    assert [link.deed for link in found] == deeds
    assert found[0].prev_hash == GENESIS
    assert (await store.head()).hash == found[-1].hash
    assert problems(postgres_dsn) == []
    # Sent twice, as after a commit whose answer was lost: stored once.
    assert await store.append(deeds[2:5]) == []
    again = deed(9)
    assert [link.position for link in await store.append([deeds[6], again, again])] == [8]
    assert append_blocking(postgres_dsn, [again]) == []
    assert problems(postgres_dsn) == []


@with_store
async def test_filters_and_pages(store: AuditStore, postgres_dsn: str) -> None:
    await store.append(
        [deed(number, TENANT if number < 5 else OTHER, caller=f"u_{number}") for number in range(1, 9)]
    )
    await store.append([deed(20, action="ca.revoke", outcome="NOT_FOUND", target="serial=50%")])

    async def positions(**wanted: Any) -> list[int]:
        found = await store.newest_first(AuditFilter(wanted.pop("tenant_id", None), **wanted), 100, None)
        return [link.position for link in found]

    assert await positions(tenant_id=OTHER) == [8, 7, 6, 5]
    assert await positions(caller="u_3") == [3]
    assert await positions(caller="u*") == [8, 7, 6, 5, 4, 3, 2, 1]
    assert await positions(caller="u%3") == []
    assert await positions(action="ca.*") == [9]
    assert await positions(outcome="NOT_FOUND", target="50%") == [9]
    assert await positions(start_us=NOW_US + 3, end_us=NOW_US + 5) == [4, 3]
    assert [link.position for link in await store.newest_first(ALL, 2, 4)] == [3, 2]
    assert [link.position for link in await store.after(AuditFilter(OTHER), 2, 5)] == [6, 7]


@with_store
async def test_nobody_changes_entries_not_even_the_owner(store: AuditStore, postgres_dsn: str) -> None:
    await store.append([deed(1), deed(2)])
    for statement in (
        "UPDATE mtd.audit_entry SET outcome = 'OK'",
        "DELETE FROM mtd.audit_entry WHERE position = 2",
        "TRUNCATE mtd.audit_entry",
        "UPDATE mtd.audit_head SET position = 1",
        "UPDATE mtd.audit_head SET chain_id = gen_random_uuid(), position = 9",
        "DELETE FROM mtd.audit_head",
        "TRUNCATE mtd.audit_head",
        "TRUNCATE mtd.audit_checkpoint",
    ):
        with (
            psycopg.connect(postgres_dsn) as connection,
            pytest.raises(psycopg.errors.RestrictViolation, match="append-only"),
        ):
            connection.execute(statement)
    assert len(await store.after(ALL, 10, 0)) == 2


@with_store
async def test_writers_append_and_doors_read_their_tenants_and_no_more(
    store: AuditStore, postgres_dsn: str
) -> None:
    await store.append([deed(1), deed(2, OTHER), deed(3, NO_TENANT_ID)])
    refused = psycopg.errors.InsufficientPrivilege
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("SET ROLE mtd_writer")
        for statement in (
            "UPDATE mtd.audit_entry SET target = ''",
            "DELETE FROM mtd.audit_entry",
            "TRUNCATE mtd.audit_entry",
        ):
            with pytest.raises(refused):
                connection.execute(statement)
        assert connection.execute("SELECT mtd.audit_prune()").fetchone() == (0,)
        connection.execute("SET ROLE mtd_door")
        assert connection.execute("SELECT count(*) FROM mtd.audit_entry").fetchone() == (0,)
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (OTHER,))
        assert connection.execute("SELECT position FROM mtd.audit_entry").fetchall() == [(2,)]
        for statement in (
            "INSERT INTO mtd.audit_entry SELECT * FROM mtd.audit_entry",
            "DELETE FROM mtd.audit_entry",
            "UPDATE mtd.audit_head SET position = 9",
            "INSERT INTO mtd.audit_checkpoint VALUES (1, decode(repeat('00', 32), 'hex'), 2)",
            "SELECT mtd.audit_prune()",
        ):
            with pytest.raises(refused):
                connection.execute(statement)


CHANGES = {
    "ts": "ts + interval '1 microsecond'",
    "entry_id": "gen_random_uuid()",
    "tenant_id": f"'{OTHER}'",
    "action": "action || 'x'",
    "outcome": "'NOT_FOUND'",
    "caller_kind": "'token'",
    "caller": "'jim'",
    "caller_id": "'id-2'",
    "role": "'viewer'",
    "peer": "''",
    "target": "'device=other'",
    "detail": 'detail || \'{"changed": "nothing"}\'',
    "hash": "decode(repeat('07', 32), 'hex')",
    "prev_hash": "decode(repeat('07', 32), 'hex')",
}


@with_store
async def test_every_field_is_guarded(store: AuditStore, postgres_dsn: str) -> None:
    await store.append([deed(number) for number in range(1, 5)])
    with psycopg.connect(postgres_dsn) as connection:
        columns = {
            row[0]
            for row in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'mtd' AND table_name = 'audit_entry'"
            )
        }
    assert columns == {*CHANGES, "position"}
    for column, value in CHANGES.items():
        with by_force(postgres_dsn) as connection:
            old = connection.execute("SELECT * FROM mtd.audit_entry WHERE position = 2").fetchone()
            connection.execute(f"UPDATE mtd.audit_entry SET {column} = {value} WHERE position = 2")
        assert 2 in {problem.position for problem in problems(postgres_dsn)}, column
        with by_force(postgres_dsn) as connection:
            connection.execute("DELETE FROM mtd.audit_entry WHERE position = 2")
            assert old is not None
            places = ", ".join(["%s"] * len(old))
            values = [psycopg.types.json.Jsonb(one) if isinstance(one, dict) else one for one in old]
            connection.execute(f"INSERT INTO mtd.audit_entry VALUES ({places})", values)
        assert problems(postgres_dsn) == [], column


@pytest.mark.parametrize(
    ("tampering", "position", "kind"),
    [
        ("DELETE FROM mtd.audit_entry WHERE position = 3", 3, "missing"),
        ("DELETE FROM mtd.audit_entry WHERE position < 3", 1, "missing"),
        ("DELETE FROM mtd.audit_entry WHERE position > 4", 5, "truncated"),
        (
            "UPDATE mtd.audit_entry SET position = CASE position WHEN 2 THEN 20 ELSE 2 END WHERE position IN (2, 3);"
            " UPDATE mtd.audit_entry SET position = 3 WHERE position = 20",
            2,
            "link",
        ),
        # Closing the gap renumbers entries, and the position is part of what is hashed.
        (
            "DELETE FROM mtd.audit_entry WHERE position = 3;"
            " UPDATE mtd.audit_entry SET position = position - 1 WHERE position > 3",
            3,
            "link",
        ),
        ("UPDATE mtd.audit_head SET position = 4", 5, "head"),
        ("UPDATE mtd.audit_entry SET detail = detail || '{\"n\": 1}' WHERE position = 4", 4, "changed"),
    ],
)
@with_store
async def test_tampering_is_found_where_it_was_done(
    store: AuditStore, postgres_dsn: str, tampering: str, position: int, kind: str
) -> None:
    await store.append([deed(number) for number in range(1, 7)])
    with by_force(postgres_dsn) as connection:
        for statement in tampering.split(";"):
            connection.execute(statement)
    found = problems(postgres_dsn)
    assert (found[0].position, found[0].kind) == (position, kind)


@with_store
async def test_many_writers_make_one_chain(store: AuditStore, postgres_dsn: str) -> None:
    def other_program(number: int) -> None:
        for turn in range(5):
            append_blocking(postgres_dsn, [deed(1000 * number + turn)])

    threads = [threading.Thread(target=other_program, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(store.append([deed(number), deed(number + 500)]) for number in range(20)))
    for thread in threads:
        await asyncio.to_thread(thread.join)
    found = await store.after(ALL, 1000, 0)
    assert [link.position for link in found] == list(range(1, 56))
    assert problems(postgres_dsn) == []


@with_store
async def test_pruning_keeps_the_chain_verifiable(store: AuditStore, postgres_dsn: str) -> None:
    old = [deed(number, ts_us=NOW_US - 40 * DAY_US) for number in range(3)]
    young = [deed(number, ts_us=NOW_US - 5 * DAY_US) for number in range(3, 5)]
    # Stored late: it is old, but stands behind younger ones, and goes with them.
    late = deed(9, ts_us=NOW_US - 50 * DAY_US)
    await store.append([*old, *young, late])
    assert await store.prune(NOW_US, 30) == 3
    assert await store.prune(NOW_US, 30) == 0
    found = await store.after(ALL, 100, 0)
    assert [link.position for link in found] == [4, 5, 6, 7]
    assert problems(postgres_dsn) == []
    with chain_reader(postgres_dsn) as reader:
        assert reader.checkpoint is not None
        assert reader.checkpoint.position == 3
        assert tells_of(found[-1], reader.checkpoint)
        assert reader.told_by == 7
    # All may go, but for the entry that tells of it; and then more come.
    assert await store.prune(NOW_US + 20 * DAY_US, 10) == 4
    await store.append([deed(10)])
    assert [link.position for link in await store.after(ALL, 100, 0)] == [8, 9]
    assert problems(postgres_dsn) == []


@with_store
async def test_a_clock_that_is_years_ahead_removes_nothing(store: AuditStore, postgres_dsn: str) -> None:
    now_us = SYSTEM_CLOCK.now_us()
    await store.append([deed(number, ts_us=now_us - DAY_US) for number in range(3)])
    assert await store.prune(now_us + 3650 * DAY_US, 30) == 0
    assert len(await store.after(ALL, 10, 0)) == 3


@with_store
async def test_a_long_past_goes_in_portions(
    store: AuditStore, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_PRUNED_AT_ONCE", 4)
    await store.append([deed(number, ts_us=NOW_US - 40 * DAY_US) for number in range(10)])
    await store.append([deed(11)])
    gone = []
    while portion := await store.prune(NOW_US, 30):
        gone.append(portion)
        assert problems(postgres_dsn) == []
    assert gone == [4, 4, 2]
    assert [link.position for link in await store.after(ALL, 100, 0)] == [11, 12, 13, 14]


@with_store
async def test_a_head_that_was_removed_is_told(store: AuditStore, postgres_dsn: str) -> None:
    with by_force(postgres_dsn) as connection:
        connection.execute("DELETE FROM mtd.audit_head")
    with pytest.raises(RowUnusable, match="audit_head is empty"):
        await store.append([deed(1)])


@with_store
async def test_a_checkpoint_that_isnt_told_of_shows(store: AuditStore, postgres_dsn: str) -> None:
    """Who may insert a checkpoint can remove entries: but no entry of the chain tells of it."""
    links = await store.append([deed(number) for number in range(1, 5)])
    with psycopg.connect(postgres_dsn) as connection:
        connection.execute("INSERT INTO mtd.audit_checkpoint VALUES (2, %s, 4)", (links[1].hash,))
        connection.execute("SELECT mtd.audit_prune()")
    with chain_reader(postgres_dsn) as reader:
        assert reader.checkpoint is not None
        (told,) = [link for link in reader.entries() if link.position == reader.told_by]
        assert not tells_of(told, reader.checkpoint)


def test_commands_write_without_a_reactor(postgres_dsn: str, empty_postgres_dsn: str) -> None:
    nul = AuditEntry("a\0b", "OK", "no uuid", "local", "x" * 5000, detail={"half": "\ud800", "none": ""})
    audit_blocking(postgres_dsn, nul)
    with chain_reader(postgres_dsn) as reader:
        (link,) = reader.entries()
    entry = link.deed.entry
    assert (entry.action, entry.tenant_id, entry.detail) == ("a\ufffdb", NO_TENANT_ID, {"half": "?"})
    assert len(entry.caller) == 2000
    assert problems(postgres_dsn) == []
    with pytest.raises(SchemaTooOld, match="mtd migrate"):
        audit_blocking(empty_postgres_dsn, nul)
