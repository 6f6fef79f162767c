"""AuditService: who did what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from mtd.api.access.current import principal
from mtd.api.grpc.admin.common import page_size_of
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.core.errors import Forbidden, Refused
from mtd.pb.admin.v1 import audit_service_pb2 as pb
from mtd.pb.admin.v1.audit_service_pb2_grpc import (
    AuditServiceServicer,
    add_AuditServiceServicer_to_server,
)
from mtd.security.audit_chain import AuditReport, Head, Link
from mtd.storage.audit_sql import AuditFilter

_EXPORTED_AT_ONCE = 500
_MOST_CHARACTERS = 500
_LAST_US = 253_402_300_799_000_000  # of the year 9999
_LAST_POSITION = 2**63 - 1
_HASH_BYTES = 32

Counted = tuple[int, int]
"""Entries that were looked at, and entries there are."""


class AuditBackend(Protocol):
    """The audit log, for those who may read it."""

    async def newest_first(self, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[Link]:
        """Return at most ``limit`` entries before a position, the newest first."""

    async def after(self, wanted: AuditFilter, limit: int, position: int) -> Sequence[Link]:
        """Return at most ``limit`` entries behind a position, in their order."""

    def verify(self, known: Sequence[Head]) -> AsyncGenerator[Counted | AuditReport, None]:
        """Look at all entries; yield how far it is, and at last the report. Raises QuotaExceeded while one runs."""


class AuditServicer(AuditServiceServicer):
    """Checks whose entries are asked for, and asks the backend."""

    def __init__(self, backend: AuditBackend) -> None:
        self._backend = backend

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """Read a page."""
        size = page_size_of(request.page_size)
        before = _position_in(request.page_token) if request.page_token else None
        found = await self._backend.newest_first(filter_of(request.filter), size + 1, before)
        # A thousand of them take longer than the loop may be held.
        return await asyncio.to_thread(
            lambda: pb.ListAuditEntriesResponse(
                entries=map(entry_message, found[:size]),
                next_page_token=str(found[size - 1].position) if len(found) > size else "",
            )
        )

    async def ExportAuditEntries(
        self, request: pb.ExportAuditEntriesRequest, context: Context
    ) -> AsyncGenerator[pb.ExportAuditEntriesResponse, None]:
        """Read all that is there, in portions."""
        wanted = filter_of(request.filter)
        position = request.after_position
        if position < 0:
            raise Refused("after_position can't be negative")
        while True:
            found = await self._backend.after(wanted, _EXPORTED_AT_ONCE, position)
            if found:
                position = found[-1].position
                yield await asyncio.to_thread(_exported, found)
            if len(found) < _EXPORTED_AT_ONCE:
                return

    async def VerifyAuditLog(
        self, request: pb.VerifyAuditLogRequest, context: Context
    ) -> AsyncGenerator[pb.VerifyAuditLogResponse, None]:
        """Look at the whole log."""
        known = [Head(one.position, one.hash) for one in request.known]
        if any(one.position < 1 or len(one.hash) != _HASH_BYTES for one in known):
            raise Refused(f"known: give a position above 0 and a hash of {_HASH_BYTES} bytes")
        async with aclosing(self._backend.verify(known)) as steps:
            async for step in steps:
                if isinstance(step, AuditReport):
                    counted = {"done": step.entries, "total": step.entries}
                    yield pb.VerifyAuditLogResponse(report=report_message(step), **counted)
                else:
                    yield pb.VerifyAuditLogResponse(done=step[0], total=step[1])


def _exported(links: Sequence[Link]) -> pb.ExportAuditEntriesResponse:
    return pb.ExportAuditEntriesResponse(entries=map(entry_message, links))


def audit_part(backend: AuditBackend) -> ServicePart:
    """Return the service for the door."""
    return ServicePart(add_AuditServiceServicer_to_server, AuditServicer(backend))


def filter_of(given: pb.AuditFilter) -> AuditFilter:
    """Return which entries are wanted. Raises Refused, and Forbidden for those of other tenants."""
    caller = principal()
    if given.all_tenants and not caller.crosses_tenants:
        raise Forbidden(f"{caller} may not read the audit log of all tenants")
    if not (0 <= given.start_us <= _LAST_US and 0 <= given.end_us <= _LAST_US):
        raise Refused("start_us and end_us are microseconds since the epoch")
    texts = {name: getattr(given, name) for name in ("caller", "action", "outcome", "target")}
    for name, text in texts.items():
        if "\0" in text or len(text) > _MOST_CHARACTERS:
            raise Refused(f"{name} is too long, or holds NUL")
    tenant_id = None if given.all_tenants else caller.tenant_id
    return AuditFilter(tenant_id, given.start_us, given.end_us, **texts)


def _position_in(token: str) -> int:
    position = int(token) if token.isascii() and token.isdecimal() and len(token) < 20 else 0
    if not 0 < position <= _LAST_POSITION:
        raise Refused("page_token is not one that this server gave out; begin without a token")
    return position


def entry_message(link: Link) -> pb.AuditEntry:
    """Return an entry as a message."""
    entry = link.deed.entry
    return pb.AuditEntry(
        position=link.position,
        entry_id=link.deed.entry_id,
        time_us=link.deed.ts_us,
        tenant_id=entry.tenant_id,
        action=entry.action,
        outcome=entry.outcome,
        caller_kind=entry.caller_kind,
        caller=entry.caller,
        caller_id=entry.caller_id,
        role=entry.role,
        peer=entry.peer,
        target=entry.target,
        detail=entry.detail,
        prev_hash=link.prev_hash,
        hash=link.hash,
    )


def report_message(report: AuditReport) -> pb.AuditReport:
    """Return a report as a message."""
    return pb.AuditReport(
        ok=report.ok,
        chain_id=report.chain_id,
        entries=report.entries,
        first_position=report.first_position,
        last_position=report.last_position,
        head_hash=bytes.fromhex(report.head_hash),
        pruned_to=report.pruned_to,
        anchors=report.anchors,
        anchors_unchecked=report.anchors_unchecked,
        newest_anchor_us=report.newest_anchor_us,
        unanchored=report.unanchored,
        problem_count=report.problem_count,
        problems=[
            pb.AuditProblem(position=one.position, kind=one.kind, message=one.message)
            for one in report.problems
        ],
    )
