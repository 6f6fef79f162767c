"""AuditService: whose entries are given to whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from mtd.api.access.current import serving
from mtd.api.grpc.admin.audit import AuditServicer
from mtd.app.auditing import reads
from mtd.core.errors import Forbidden, QuotaExceeded, Refused
from mtd.model.audit import AuditEntry
from mtd.model.principal import CallerKind, Principal, Role
from mtd.pb.admin.v1 import audit_service_pb2 as pb
from mtd.security.audit_chain import AuditReport, Deed, Head, Link, Problem, chained
from mtd.storage.audit_sql import AuditFilter
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
ADMIN = Principal(CallerKind.USER, "ann", TENANT, Role.ADMIN)
SUPER = Principal(CallerKind.USER, "sue", TENANT, Role.SUPER_ADMIN)
LINKS = chained(
    Head(0, bytes(32)),
    [
        Deed(AuditEntry("x.Y/Do", "OK", TENANT, "user", "joe", target=str(number), detail={"a": "b"}), number)
        for number in range(1200)
    ],
)


class Backend:
    def __init__(self) -> None:
        self.asked: list[AuditFilter] = []

    async def newest_first(self, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[Link]:
        self.asked.append(wanted)
        return [link for link in reversed(LINKS) if before is None or link.position < before][:limit]

    async def after(self, wanted: AuditFilter, limit: int, position: int) -> Sequence[Link]:
        self.asked.append(wanted)
        return [link for link in LINKS if link.position > position][:limit]

    async def verify(self, known: Sequence[Head]) -> AsyncGenerator[tuple[int, int] | AuditReport, None]:
        yield 5, 10
        yield AuditReport(
            ok=False, entries=10, head_hash="ab" * 32, problem_count=1, problems=[Problem(3, "changed", "x")]
        )


def served(caller: Principal, work: Any) -> Any:
    async def main() -> Any:
        with serving(caller):
            if hasattr(work, "__aiter__"):
                return [message async for message in work]
            return await work

    return run_async(main())


def test_an_administrator_gets_its_own_tenants_and_asks_for_no_others() -> None:
    backend = Backend()
    servicer: Any = AuditServicer(backend)
    served(ADMIN, servicer.ListAuditEntries(pb.ListAuditEntriesRequest(), None))
    assert [wanted.tenant_id for wanted in backend.asked] == [TENANT]
    everybody = pb.AuditFilter(all_tenants=True)
    for call in (
        servicer.ListAuditEntries(pb.ListAuditEntriesRequest(filter=everybody), None),
        servicer.ExportAuditEntries(pb.ExportAuditEntriesRequest(filter=everybody), None),
    ):
        with pytest.raises(Forbidden, match="all tenants"):
            served(ADMIN, call)
    assert len(backend.asked) == 1
    served(SUPER, servicer.ListAuditEntries(pb.ListAuditEntriesRequest(filter=everybody), None))
    assert backend.asked[1].tenant_id is None


def test_pages_end_and_hold_everything_once() -> None:
    servicer: Any = AuditServicer(Backend())
    token, positions = "", []
    while True:
        request = pb.ListAuditEntriesRequest(page_size=500, page_token=token)
        page = served(ADMIN, servicer.ListAuditEntries(request, None))
        positions += [one.position for one in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert positions == list(range(1200, 0, -1))


def test_an_export_is_complete_and_goes_on_behind_a_position() -> None:
    servicer: Any = AuditServicer(Backend())
    messages = served(ADMIN, servicer.ExportAuditEntries(pb.ExportAuditEntriesRequest(), None))
    entries = [one for message in messages for one in message.entries]
    assert [one.position for one in entries] == list(range(1, 1201))
    assert all(one.prev_hash == before.hash for before, one in zip(entries, entries[1:], strict=False))
    rest = served(ADMIN, servicer.ExportAuditEntries(pb.ExportAuditEntriesRequest(after_position=1198), None))
    assert [one.position for message in rest for one in message.entries] == [1199, 1200]
    assert (
        served(ADMIN, servicer.ExportAuditEntries(pb.ExportAuditEntriesRequest(after_position=1200), None))
        == []
    )


def test_a_check_tells_how_far_it_is_and_then_what_it_found() -> None:
    servicer: Any = AuditServicer(Backend())
    going, end = served(SUPER, servicer.VerifyAuditLog(pb.VerifyAuditLogRequest(), None))
    assert (going.done, going.total, going.HasField("report")) == (5, 10, False)
    assert (end.report.ok, end.report.problems[0].position) == (False, 3)


@pytest.mark.parametrize(
    ("method", "request_message", "words"),
    [
        ("ListAuditEntries", pb.ListAuditEntriesRequest(page_token="-1"), "page_token"),
        ("ListAuditEntries", pb.ListAuditEntriesRequest(page_token="\u0663"), "page_token"),
        ("ListAuditEntries", pb.ListAuditEntriesRequest(page_token="9" * 19), "page_token"),
        ("ListAuditEntries", pb.ListAuditEntriesRequest(filter=pb.AuditFilter(caller="a\0")), "caller"),
        ("ListAuditEntries", pb.ListAuditEntriesRequest(filter=pb.AuditFilter(target="x" * 501)), "target"),
        ("ListAuditEntries", pb.ListAuditEntriesRequest(filter=pb.AuditFilter(start_us=-1)), "start_us"),
        ("ListAuditEntries", pb.ListAuditEntriesRequest(filter=pb.AuditFilter(end_us=2**62)), "end_us"),
        ("ExportAuditEntries", pb.ExportAuditEntriesRequest(after_position=-1), "after_position"),
        (
            "VerifyAuditLog",
            pb.VerifyAuditLogRequest(known=[pb.KnownEntry(position=0, hash=bytes(32))]),
            "known",
        ),
        ("VerifyAuditLog", pb.VerifyAuditLogRequest(known=[pb.KnownEntry(position=1, hash=b"x")]), "known"),
    ],
)
def test_what_makes_no_sense_is_refused(method: str, request_message: Any, words: str) -> None:
    servicer = AuditServicer(Backend())
    with pytest.raises(Refused, match=words):
        served(SUPER, getattr(servicer, method)(request_message, None))


def test_one_check_runs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        entered, release = asyncio.Event(), threading.Event()

        def slow(*_: object, **given: Any) -> AuditReport:
            loop.call_soon_threadsafe(entered.set)
            release.wait(10)
            return AuditReport()

        monkeypatch.setattr(reads, "verify_chain", slow)
        log = reads.AuditReads(None, None, "", None)  # type: ignore[arg-type]
        first = log.verify(())
        begun = asyncio.ensure_future(anext(first))
        await entered.wait()
        with pytest.raises(QuotaExceeded, match="already"):
            await anext(log.verify(()))
        release.set()
        await asyncio.wait([begun])
        await first.aclose()

    run_async(main())
