"""Who looks at what may tell of subscribers is written down before it is shown, by whichever door."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from mtd.api.access.rules import rules_of
from mtd.api.grpc.server import DESCRIPTORS
from mtd.api.http import access
from mtd.api.http.access import ROUTES, Doorkeeper
from mtd.core.errors import Retryable
from mtd.model.audit import AuditEntry
from mtd.model.principal import CallerKind, Principal, Role
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
VIEWER = Principal(CallerKind.USER, "vi", TENANT, Role.VIEWER, "192.0.2.1:5")


class Book:
    def __init__(self, *, trouble: bool = False, slow: bool = False) -> None:
        self.entries: list[AuditEntry] = []
        self._trouble, self._slow = trouble, slow

    def ready(self) -> None:
        if self._trouble:
            raise Retryable("the disk is full")

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        self.entries.append(entry)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._slow:
            done.set_result(None)
        return done


class Asked:
    path = b"/console/api/v1/devices/aaaaaaaa-0000-4000-8000-000000000001/events"
    uri = path
    args: ClassVar[dict[bytes, list[bytes]]] = {}

    @classmethod
    def of(cls, uri: str) -> Asked:
        made = cls()
        path, _, query = uri.partition("?")
        made.path, made.uri = path.encode(), uri.encode()
        made.args = parse_qs(query.encode())  # type: ignore[misc]
        return made


def looked(book: Book, route: str) -> None:
    keeper: Any = Doorkeeper(auditor=book)
    run_async(keeper.written_down(ROUTES[route], VIEWER, Asked()))


def test_what_tells_of_subscribers_is_audited_at_both_doors() -> None:
    assert {route for route, given in ROUTES.items() if given.rule.audited} == {
        "/console/live",
        "/console/api/v1/events",
        "/console/api/v1/logs",
        "/console/api/v1/flows",
        "/console/api/v1/flows/paths",
        "/console/api/v1/flows/records",
        "/console/api/v1/flows/interfaces",
        "/console/api/v1/devices/ID/events",
    }
    rules = rules_of(DESCRIPTORS)
    assert rules["/mtd.pb.logs.v1.LogService/ListLogRecords"].audited
    assert all(
        rule.audited for path, rule in rules.items() if path.startswith("/mtd.pb.flows.v1.FlowService/")
    )
    for method in ("ListTableRows", "ListSnapshotVersions", "StreamEvents"):
        assert rules[f"/mtd.pb.telemetry.v1.TelemetryService/{method}"].audited, method


def test_who_looks_at_events_is_written_down() -> None:
    book = Book()
    looked(book, "/console/api/v1/devices/ID/events")
    (entry,) = book.entries
    assert (entry.caller, entry.tenant_id, entry.outcome) == ("vi", TENANT, "OK")
    assert entry.action == "HTTP /console/api/v1/devices/ID/events"
    assert "aaaaaaaa-0000-4000-8000-000000000001" in entry.target
    looked(book, "/console/api/v1/catalogue")
    assert len(book.entries) == 1


def test_who_follows_lines_is_written_down_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    keeper: Any = Doorkeeper(auditor=book)

    def look(query: str = "", who: Principal = VIEWER) -> int:
        asked = Asked.of(f"/console/api/v1/logs?limit=100{query}")
        run_async(keeper.written_down(ROUTES["/console/api/v1/logs"], who, asked))
        return len(book.entries)

    assert [look(), look(), look("&seconds=600")] == [1, 1, 1]
    # Who looks at something else, at what is older, or from elsewhere does look at more.
    assert [look("&contains=ada"), look("&contains=ada")] == [2, 2]
    assert "contains=ada" in book.entries[-1].target
    assert [look("&older=5/x/1/0"), look("&older=5/x/1/0"), look("&end_us=7")] == [3, 4, 5]
    assert look(who=replace(VIEWER, peer="ipv4:198.51.100.7:1")) == 6
    monkeypatch.setattr(access, "_FOLLOWED_S", 0.0)
    assert look() == 7


def test_who_searches_flows_is_written_down_with_what_was_searched() -> None:
    book = Book()
    keeper: Any = Doorkeeper(auditor=book)
    route = "/console/api/v1/flows/records"
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        asked = Asked.of(f"{route}?address={address}&time_us=7")
        run_async(keeper.written_down(ROUTES[route], VIEWER, asked))
    searched = [entry.target.partition("address=")[2].partition("&")[0] for entry in book.entries]
    assert searched == ["192.0.2.1", "192.0.2.2"]


def test_what_can_not_be_written_down_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Retryable, match="disk is full"):
        looked(Book(trouble=True), "/console/live")
    monkeypatch.setattr(access, "_AUDIT_S", 0.01)
    with pytest.raises(Retryable, match="audit log"):
        looked(Book(slow=True), "/console/live")
