"""The audit log of the process: what is taken in, counted, put into files, and given to PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mtd.app.auditing import log as audit_log
from mtd.app.auditing.coalescing import SEVERAL, Coalescer, host_of
from mtd.app.auditing.config import AuditConfig
from mtd.app.auditing.log import AuditLog, AuditUnavailable
from mtd.app.auditing.spool import FOLDER, Spool, SpoolFull, spool_once
from mtd.model.audit import AuditEntry, entry_of_unknown
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.audit_chain import Deed, clean
from mtd.storage.errors import StorageUnavailable
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"


class ManualClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)


class MemoryStore:
    """Stands for `AuditStore`; away or slow as tests like it."""

    def __init__(self) -> None:
        self.stored: list[Deed] = []
        self.groups = 0
        self.away = False
        self.hold: asyncio.Event | None = None

    async def append(self, deeds: Sequence[Deed], *, deadline_s: float | None = None) -> list[Any]:
        if self.hold is not None:
            await self.hold.wait()
        if self.away:
            raise StorageUnavailable("PostgreSQL is away")
        self.groups += 1
        known = {deed.entry_id for deed in self.stored}
        self.stored += [deed for deed in deeds if deed.entry_id not in known]
        return []

    @property
    def targets(self) -> list[str]:
        return [deed.entry.target for deed in self.stored]


def deed_entry(target: object, outcome: str = "OK") -> AuditEntry:
    return AuditEntry("x.Y/Do", outcome, TENANT, "user", "joe", target=str(target))


def refusal(
    peer: str = "ipv4:192.0.2.1:4711", reason: str = "no such token", action: str = "x.Y/Do"
) -> AuditEntry:
    return entry_of_unknown(action, "UNAUTHENTICATED", NO_TENANT_ID, peer, reason)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again soon."""
    monkeypatch.setattr(audit_log, "_RETRY_S", 0.02)
    monkeypatch.setattr(audit_log, "_TICK_S", 0.02)


def with_log(
    tmp_path: Path, body: Callable[[AuditLog, MemoryStore], Awaitable[None]], **settings: Any
) -> MemoryStore:
    store = MemoryStore()

    async def main() -> None:
        log = AuditLog(store, tmp_path, AuditConfig(**settings))  # type: ignore[arg-type]
        await log.start()
        try:
            await body(log, store)
        finally:
            store.hold = None
            await log.stop()

    run_async(main())
    return store


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def segments(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.jsonl"))


def test_what_is_waited_for_is_stored_in_its_order(tmp_path: Path) -> None:
    async def body(log: AuditLog, store: MemoryStore) -> None:
        await asyncio.gather(*(log.record(deed_entry(number)) for number in range(300)))
        assert store.targets == [str(number) for number in range(300)]
        assert store.groups < 10  # together, not one by one

    with_log(tmp_path, body)


def test_nothing_is_lost_while_postgresql_is_away(tmp_path: Path) -> None:
    async def body(log: AuditLog, store: MemoryStore) -> None:
        await log.record(deed_entry(0))
        store.away = True
        for number in range(1, 6):
            await log.record(deed_entry(number))  # done: it is on the disk
        assert store.targets == ["0"]
        assert "away" in log.failure
        assert segments(tmp_path)
        store.away = False
        await log.record(deed_entry(6))
        await until(lambda: len(store.stored) == 7)
        assert store.targets == [str(number) for number in range(7)]
        await until(lambda: not segments(tmp_path) and not log.failure)

    with_log(tmp_path, body)


def test_a_process_that_ended_left_its_entries_for_the_next(tmp_path: Path) -> None:
    async def away(log: AuditLog, store: MemoryStore) -> None:
        store.away = True
        log.record(deed_entry("first"))
        log.record(refusal())
        log.record(refusal())

    with_log(tmp_path, away)
    (segment,) = segments(tmp_path)
    # Not of us, or cut off in the middle of a line that was never said to be durable.
    whole = json.loads(segment.read_bytes().splitlines()[0])
    others = [{**whole, "entry_id": "x"}, {**whole, "ts_us": 2**62}, {**whole, "entry": {"detail": 5}}, 7]
    more = "\n".join(json.dumps(one) for one in others) + '\n{"entry_id": "x'
    segment.write_bytes(segment.read_bytes() + more.encode())
    spool_once(tmp_path / FOLDER, [Deed(clean(deed_entry("of a command")), 2**57)])

    async def back(log: AuditLog, store: MemoryStore) -> None:
        await until(lambda: len(store.stored) == 4)

    store = with_log(tmp_path, back)
    assert store.targets == ["first", "", "", "of a command"]
    assert store.stored[2].entry.detail["count"] == "1"
    assert segments(tmp_path) == []


def test_an_entry_whose_commit_was_unknown_is_stored_once(tmp_path: Path) -> None:
    class Unknown(MemoryStore):
        async def append(self, deeds: Sequence[Deed], *, deadline_s: float | None = None) -> list[Any]:
            await super().append(deeds)
            if self.groups == 1:
                raise StorageUnavailable("connection lost during the commit")
            return []

    store = Unknown()

    async def main() -> None:
        log = AuditLog(store, tmp_path)  # type: ignore[arg-type]
        await log.start()
        await log.record(deed_entry(1))
        await until(lambda: not segments(tmp_path))
        await log.stop()

    run_async(main())
    assert store.targets == ["1"]


def test_who_is_cancelled_while_waiting_takes_nothing_from_the_log(tmp_path: Path) -> None:
    async def body(log: AuditLog, store: MemoryStore) -> None:
        store.hold = asyncio.Event()
        waiting = asyncio.ensure_future(log.record(deed_entry(1)))
        other = asyncio.ensure_future(log.record(deed_entry(2)))
        await asyncio.sleep(0)
        waiting.cancel()
        store.hold.set()
        await other
        assert waiting.cancelled()
        assert store.targets == ["1", "2"]

    with_log(tmp_path, body)


def test_where_nothing_can_be_written_nothing_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: Spool, deeds: Sequence[Deed]) -> None:
        raise SpoolFull("the disk is full")

    async def body(log: AuditLog, store: MemoryStore) -> None:
        log.ready()
        store.away = True
        with monkeypatch.context() as patched:
            patched.setattr(Spool, "append", full)
            waiting = asyncio.ensure_future(log.record(deed_entry(1)))
            await until(lambda: "can be written nowhere" in caplog.text)
            with pytest.raises(AuditUnavailable, match="disk is full"):
                log.ready()
            assert not waiting.done()
        await waiting  # the disk has room again
        log.ready()

    with_log(tmp_path, body)


def test_callers_write_no_lines_of_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def body(log: AuditLog, store: MemoryStore) -> None:
        await log.record(deed_entry("x\n2026-01-01 INFO mtd.audit: daemon.start"))

    caplog.set_level(logging.INFO, "mtd.audit")
    store = with_log(tmp_path, body)
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert "\n" in store.targets[0]


def test_what_comes_after_the_end_is_not_lost_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logs = []

    async def body(log: AuditLog, store: MemoryStore) -> None:
        logs.append(log)

    with_log(tmp_path, body)

    async def late() -> None:
        with pytest.raises(AuditUnavailable):
            await logs[0].record(deed_entry("too late"))

    run_async(late())
    assert "too late" in caplog.text


def test_what_does_not_fit_is_refused_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def body(log: AuditLog, store: MemoryStore) -> None:
        store.hold = asyncio.Event()
        entries = [log.record(deed_entry(number)) for number in range(100)]
        with pytest.raises(AuditUnavailable, match="100 entries"):
            log.ready()
        with pytest.raises(AuditUnavailable, match="too many"):
            await log.record(deed_entry("lost"))
        assert "lost" in caplog.text
        store.hold.set()
        await asyncio.gather(*entries)

    caplog.set_level(logging.INFO, "mtd.audit")
    store = with_log(tmp_path, body, max_waiting=100)
    assert len(store.stored) == 100


def test_a_flood_of_refusals_becomes_two_entries(tmp_path: Path) -> None:
    async def body(log: AuditLog, store: MemoryStore) -> None:
        for port in range(5000):
            await log.record(refusal(f"ipv4:192.0.2.1:{port}"))

    store = with_log(tmp_path, body)
    first, summary = (deed.entry for deed in store.stored)
    assert (first.detail, summary.detail["count"]) == ({"reason": "no such token"}, "4999")


def test_refusals_go_on_and_are_told_less_and_less_often() -> None:
    clock = ManualClock()
    coalescer = Coalescer(10, clock)
    assert coalescer.admit(refusal())
    told = []
    for _ in range(3600):
        clock.now += 1
        coalescer.admit(refusal())
        told += coalescer.due()
    assert 5 < len(told) < 15
    counted = sum(int(entry.detail["count"]) for entry in [*told, *coalescer.due(at_once=True)])
    assert counted == 3600
    clock.now += 1000
    coalescer.due()
    clock.now += 1000
    coalescer.due()
    assert not coalescer.waiting
    assert coalescer.admit(refusal())


def test_a_thousand_addresses_fill_no_disk_either() -> None:
    clock = ManualClock()
    coalescer = Coalescer(10, clock)
    written = 0
    for number in range(20_000):
        clock.now += 0.5
        written += coalescer.admit(refusal(f"ipv6:[2001:db8::{number:x}]:1"))
        written += len(coalescer.due())
    assert written < 1300  # of 20,000, within hours
    (others,) = [entry for entry in coalescer.due(at_once=True) if entry.action == SEVERAL]
    assert others.tenant_id == NO_TENANT_ID


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.1:4711", "192.0.2.1"),
        ("ipv6:[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("192.0.2.1", "192.0.2.1"),
        ("unix:/run/x", "unix:/run/x"),
    ],
)
def test_ports_tell_nobody_apart(peer: str, host: str) -> None:
    assert host_of(peer) == host


def test_files_have_a_bound_and_a_size(tmp_path: Path) -> None:
    spool = Spool(tmp_path / FOLDER, 4000)
    deeds = [Deed(clean(deed_entry(number)), number) for number in range(5)]
    spool.append(deeds)
    with pytest.raises(SpoolFull, match="spool_max_mb"):
        spool.append(deeds * 5)
    (segment, *_) = spool.segments()
    assert spool.read(segment)[:5] == deeds
    assert segment.stat().st_mode & 0o077 == 0
    spool.remove(segment)
    assert spool.look() == 0
    spool.append(deeds)
    spool.close()


def test_a_file_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    with pytest.raises(SpoolFull, match="can't be written"):
        Spool(tmp_path / FOLDER, 4000).append([Deed(clean(deed_entry(1)), 1)])
    with pytest.raises(SpoolFull, match="can't be written"):
        spool_once(tmp_path / FOLDER, [Deed(clean(deed_entry(1)), 1)])


def test_once_postgresql_is_back_deeds_are_done_again_though_no_file_could_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: Spool, deeds: Sequence[Deed]) -> None:
        raise SpoolFull("the disk is full")

    async def body(log: AuditLog, store: MemoryStore) -> None:
        monkeypatch.setattr(Spool, "append", full)
        store.away = True
        waiting = log.record(deed_entry(1))
        await until(lambda: "can be written nowhere" in caplog.text)
        store.away = False
        await waiting
        assert store.targets == ["1"]
        log.ready()

    with_log(tmp_path, body)
