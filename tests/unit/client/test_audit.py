"""The audit log as programs read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from mtd.client import MtdClientError, audit
from mtd.client.runs import RunCall
from mtd.pb.admin.v1 import audit_service_pb2 as pb

AT = dt.datetime(2026, 11, 26, 8, 0, tzinfo=dt.UTC)


def entry(position: int) -> pb.AuditEntry:
    return pb.AuditEntry(
        position=position,
        time_us=int(AT.timestamp()) * 1_000_000,
        action="x",
        detail={"a": "b"},
        hash=b"\xab" * 32,
    )


class Breaking:
    """A client whose streams break after two entries, so many times."""

    def __init__(self, breaks: int, code: str = "UNAVAILABLE") -> None:
        self.asked: list[int] = []
        self._breaks, self._code = breaks, code

    def run(self, call: RunCall[Any]) -> Any:
        self.asked.append(call.request.after_position)
        return self

    def __enter__(self) -> Breaking:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[audit.AuditRecord]:
        first = self.asked[-1] + 1
        read = audit.export().read
        yield from read(pb.ExportAuditEntriesResponse(entries=[entry(first), entry(first + 1)]))
        if self._breaks:
            self._breaks -= 1
            raise MtdClientError("gone", code=self._code)


def test_an_export_goes_on_where_it_broke() -> None:
    client, pauses = Breaking(3), []
    found = list(audit.exported(client, after_position=10, pause=pauses.append))  # type: ignore[arg-type]
    assert [one.position for one in found] == list(range(11, 19))
    assert client.asked == [10, 12, 14, 16]
    assert len(pauses) == 3


def test_what_waiting_does_not_mend_is_raised() -> None:
    with pytest.raises(MtdClientError, match="gone"):
        list(audit.exported(Breaking(1, "PERMISSION_DENIED"), pause=pytest.fail))  # type: ignore[arg-type]


def test_what_is_wanted_is_asked_for_to_the_microsecond() -> None:
    wanted = audit.Wanted(True, AT, AT + dt.timedelta(microseconds=1), "joe*", "ca.*", "OK", "device=x")
    request = audit.entries(wanted, page_size=7, page_token="t").request
    start_us = int(AT.timestamp()) * 1_000_000
    assert request == pb.ListAuditEntriesRequest(
        filter=pb.AuditFilter(
            all_tenants=True,
            start_us=start_us,
            end_us=start_us + 1,
            caller="joe*",
            action="ca.*",
            outcome="OK",
            target="device=x",
        ),
        page_size=7,
        page_token="t",
    )


def test_records_are_plain() -> None:
    page = audit.entries().read(pb.ListAuditEntriesResponse(entries=[entry(3)], next_page_token="4"))
    (record,) = page.entries
    assert (record.position, record.at, record.detail, record.hash) == (3, AT, {"a": "b"}, "ab" * 32)
    assert page.next_page_token == "4"


def test_reports_come_at_the_end() -> None:
    call = audit.verify({5: "cd" * 32})
    assert call.request.known[0].hash == b"\xcd" * 32
    (going,) = call.read(pb.VerifyAuditLogResponse(done=1, total=2))
    assert (going.done, going.total, going.report) == (1, 2, None)
    problem = pb.AuditProblem(position=3, kind="changed", message="x")
    (end,) = call.read(pb.VerifyAuditLogResponse(report=pb.AuditReport(problem_count=1, problems=[problem])))
    assert end.report is not None
    assert end.report.problems == (audit.AuditProblem(3, "changed", "x"),)
