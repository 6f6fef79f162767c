"""The audit log with PostgreSQL: away and back, tampered with, pruned, and held against its anchors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mtd.app.auditing.config import AuditConfig
from mtd.app.auditing.log import AuditLog
from mtd.app.auditing.upkeep import Upkeep
from mtd.app.auditing.verify import verify_chain
from mtd.model.audit import AuditEntry
from mtd.security.audit_anchor import AnchorFile
from mtd.security.audit_chain import AuditReport, Deed, Head, clean
from mtd.security.keyfile import MasterKey
from mtd.storage.audit_blocking import append_blocking
from mtd.storage.config import StorageConfig
from mtd.storage.pool import Database
from mtd.storage.stores.audit_log import AuditStore
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
KEY = MasterKey.of(bytes(range(32)))
DAY_US = 86_400_000_000
NOW_US = 1_700_000_000_000_000


def entry(target: object) -> AuditEntry:
    return AuditEntry("x.Y/Do", "OK", TENANT, "user", "joe", target=str(target))


def deeds(first: int, count: int, ts_us: int = NOW_US) -> list[Deed]:
    return [Deed(clean(entry(number)), ts_us + number) for number in range(first, first + count)]


@pytest.fixture
def anchors(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "audit.anchors", [KEY])


def filled(dsn: str, anchors: AnchorFile, *counts: int) -> list[Head]:
    """Fill the log in portions, with an anchor behind each; return those ends."""
    ends = []
    for number, count in enumerate(counts):
        last = append_blocking(dsn, deeds(number * 100, count))[-1]
        with psycopg.connect(dsn) as connection:
            ((chain_id,),) = connection.execute("SELECT chain_id::text FROM mtd.audit_head").fetchall()
        ends.append(Head(last.position, last.hash, chain_id))
        anchors.append(ends[-1], NOW_US + number)
    return ends


def force(dsn: str, *statements: str) -> None:
    """Change what refuses changes, as the owner of the tables can."""
    with psycopg.connect(dsn, options="-c session_replication_role=replica") as connection:
        for statement in statements:
            connection.execute(statement)


def kinds(report: AuditReport) -> list[tuple[int, str]]:
    return [(problem.position, problem.kind) for problem in report.problems]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def test_nothing_is_lost_while_postgresql_is_away(postgres_dsn: str, tmp_path: Path) -> None:
    name = psycopg.conninfo.conninfo_to_dict(postgres_dsn)["dbname"]
    admin = psycopg.conninfo.make_conninfo(postgres_dsn, dbname="postgres")

    def open_to_all(allowed: bool) -> None:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {"true" if allowed else "false"}')
            if not allowed:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                )

    async def main() -> None:
        database = Database(postgres_dsn, StorageConfig(retry_first_s=0.02, retry_cap_s=0.1))
        await database.start()
        log = AuditLog(AuditStore(database), tmp_path, AuditConfig(store_timeout_s=0.3))
        await log.start()
        await asyncio.gather(*(log.record(entry(number)) for number in range(20)))
        open_to_all(False)
        try:
            for number in range(20, 25):
                await log.record(entry(number))
            assert log.failure
        finally:
            open_to_all(True)
        await asyncio.gather(*(log.record(entry(number)) for number in range(25, 40)))
        await until(lambda: not log.failure and not list((tmp_path / "audit-spool").iterdir()))
        await log.stop()
        await database.stop()

    run_async(main())
    with psycopg.connect(postgres_dsn) as connection:
        found = connection.execute("SELECT target FROM mtd.audit_entry ORDER BY position").fetchall()
    assert [target for (target,) in found] == [str(number) for number in range(40)]
    assert verify_chain(postgres_dsn, None).ok


def test_a_log_that_nobody_touched(postgres_dsn: str, anchors: AnchorFile) -> None:
    assert verify_chain(postgres_dsn, anchors).ok  # an empty one, too
    ends = filled(postgres_dsn, anchors, 3, 4)
    append_blocking(postgres_dsn, deeds(900, 2))
    report = verify_chain(postgres_dsn, anchors, known=ends[:1])
    assert report.ok, report.problems
    assert (report.entries, report.first_position, report.last_position, report.unanchored) == (9, 1, 9, 2)
    assert (report.anchors, report.newest_anchor_us) == (2, NOW_US + 1)


def test_an_end_that_was_cut_off_cleanly_shows_by_the_anchors_alone(
    postgres_dsn: str, anchors: AnchorFile
) -> None:
    ends = filled(postgres_dsn, anchors, 3, 4)
    force(
        postgres_dsn,
        "DELETE FROM mtd.audit_entry WHERE position > 5",
        "UPDATE mtd.audit_head SET position = 5, hash = (SELECT hash FROM mtd.audit_entry WHERE position = 5)",
    )
    assert verify_chain(postgres_dsn, None).ok
    assert kinds(verify_chain(postgres_dsn, anchors)) == [(6, "truncated")]
    assert kinds(verify_chain(postgres_dsn, None, known=ends)) == [(6, "truncated")]


def test_a_log_that_was_written_anew_shows_by_the_anchors_alone(
    postgres_dsn: str, anchors: AnchorFile
) -> None:
    filled(postgres_dsn, anchors, 3, 4)
    force(
        postgres_dsn,
        "DELETE FROM mtd.audit_entry WHERE position > 4",
        "UPDATE mtd.audit_head SET position = 4, hash = (SELECT hash FROM mtd.audit_entry WHERE position = 4)",
    )
    append_blocking(postgres_dsn, deeds(700, 6))
    assert verify_chain(postgres_dsn, None).ok
    assert kinds(verify_chain(postgres_dsn, anchors)) == [(7, "rewritten")]


def test_another_database_isnt_taken_for_this_one(postgres_dsn: str, anchors: AnchorFile) -> None:
    filled(postgres_dsn, anchors, 3)
    force(
        postgres_dsn,
        "TRUNCATE mtd.audit_entry",
        "UPDATE mtd.audit_head SET position = 0, hash = decode(repeat('00', 32), 'hex'), chain_id = gen_random_uuid()",
    )
    report = verify_chain(postgres_dsn, anchors)
    assert kinds(report) == [(0, "anchor")]
    assert "mtd audit accept" in report.problems[0].message


def test_changed_anchors_show(postgres_dsn: str, anchors: AnchorFile, tmp_path: Path) -> None:
    filled(postgres_dsn, anchors, 3, 4)
    path = tmp_path / "audit.anchors"
    lines = path.read_text().splitlines()
    forged = json.loads(lines[1])
    forged["position"] = 5
    path.write_text("\n".join([lines[0], json.dumps(forged)]) + "\n")
    assert kinds(verify_chain(postgres_dsn, anchors)) == [(5, "anchor")]


def upkeep(database: Database, anchors: AnchorFile, now_us: int) -> Upkeep:
    class Clock:
        def now_us(self) -> int:
            return now_us

        def monotonic(self) -> float:
            return 0.0

    config = AuditConfig(keep_days=30, anchor_interval_s=3600)
    return Upkeep(AuditStore(database), anchors, config, clock=Clock())


def with_upkeep(dsn: str, anchors: AnchorFile, now_us: int) -> None:
    async def main() -> None:
        database = Database(dsn)
        await database.start()
        work = upkeep(database, anchors, now_us)
        await work.start()
        head = await AuditStore(database).head()
        await until(lambda: bool((last := anchors.last()) and last.noted_us == now_us))
        await work.stop()
        assert (await AuditStore(database).head()).position >= head.position
        await database.stop()

    run_async(main())


def test_what_is_past_its_time_goes_and_the_rest_holds(postgres_dsn: str, anchors: AnchorFile) -> None:
    append_blocking(postgres_dsn, deeds(0, 4, NOW_US - 50 * DAY_US))
    with_upkeep(postgres_dsn, anchors, NOW_US - 49 * DAY_US)
    append_blocking(postgres_dsn, deeds(100, 3, NOW_US - DAY_US))
    with_upkeep(postgres_dsn, anchors, NOW_US)
    report = verify_chain(postgres_dsn, anchors)
    assert report.ok, report.problems
    assert (report.pruned_to, report.first_position, report.last_position, report.unanchored) == (4, 5, 8, 0)


REMOVAL = (
    "INSERT INTO mtd.audit_checkpoint SELECT position, hash, {told} FROM mtd.audit_entry WHERE position = 3",
    "DELETE FROM mtd.audit_entry WHERE position <= 3",
)


@pytest.mark.parametrize(
    ("detail", "problem"),
    [
        ({}, (1, "removed")),
        # It looks like a removal of old entries: but they are young.
        ({"before_us": str(NOW_US)}, (8, "removed")),
        # It tells of another time than the anchors do.
        ({"before_us": str(NOW_US - 40 * DAY_US)}, (3, "removed")),
    ],
)
def test_a_removal_before_its_time_shows(
    postgres_dsn: str, anchors: AnchorFile, detail: dict[str, str], problem: tuple[int, str]
) -> None:
    """The owner of the database may add entries as the daemon does."""
    append_blocking(postgres_dsn, deeds(0, 2))
    with_upkeep(postgres_dsn, anchors, NOW_US - 3 * DAY_US)
    append_blocking(postgres_dsn, deeds(100, 5))
    said: dict[str, Any] = {}
    if detail:
        with psycopg.connect(postgres_dsn) as connection:
            ((found,),) = connection.execute("SELECT hash FROM mtd.audit_entry WHERE position = 3").fetchall()
        said = {"position": "3", "hash": bytes(found).hex(), **detail}
    told = AuditEntry("audit.prune", "OK", TENANT, "local", "mtd", detail=said)
    append_blocking(postgres_dsn, [Deed(clean(told), NOW_US)])
    force(postgres_dsn, *(statement.format(told=8) for statement in REMOVAL))
    assert kinds(verify_chain(postgres_dsn, anchors))[0] == problem
