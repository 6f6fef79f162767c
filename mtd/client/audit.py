"""The audit log: give what a function here returns to a client's ``ask``, or to its ``run``.

for record in audit.exported(client, audit.Wanted(action="inventory.*")):
    print(record.position, record.caller, record.action, record.target)
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mtd.client.errors import MtdClientError
from mtd.client.identity import Page
from mtd.client.requests import Call
from mtd.client.resume import Resume
from mtd.client.runs import Run, RunCall
from mtd.client.values import moment
from mtd.pb.admin.v1 import audit_service_pb2 as pb

AUDIT = "audit"

_PAUSE = threading.Event()  # never set: to wait on


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: those of the caller's tenant unless ``all_tenants``. ``*`` stands for any text in ``caller`` and ``action``."""

    all_tenants: bool = False
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    caller: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One deed, or one that was refused; see ``AuditEntry`` in the protocol. ``hash`` is hexadecimal."""

    position: int
    entry_id: str
    time_us: int
    tenant_id: str
    action: str
    outcome: str
    caller_kind: str
    caller: str
    caller_id: str
    role: str
    peer: str
    target: str
    detail: Mapping[str, str]
    prev_hash: str
    hash: str

    @property
    def at(self) -> dt.datetime:
        """When it happened."""
        return moment(self.time_us)


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """What is wrong with the log, and from which position on."""

    position: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was found; see ``AuditReport`` in the protocol."""

    ok: bool
    chain_id: str
    entries: int
    first_position: int
    last_position: int
    head_hash: str
    pruned_to: int
    anchors: int
    anchors_unchecked: int
    newest_anchor_us: int
    unanchored: int
    problem_count: int
    problems: Sequence[AuditProblem]


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a check is: entries that were looked at, of how many; at the end with the report."""

    done: int
    total: int
    report: AuditReport | None = None


class Runs(Protocol):
    """A client that isn't asynchronous."""

    def run(self, call: RunCall[Any]) -> Run[Any]:
        """Begin a run."""


def entries(
    wanted: Wanted | None = None, *, page_size: int = 0, page_token: str = ""
) -> Call[Page[AuditRecord]]:
    """Build ListAuditEntries: the newest first."""
    request = pb.ListAuditEntriesRequest(filter=_filter(wanted), page_size=page_size, page_token=page_token)
    return Call(
        AUDIT,
        "ListAuditEntries",
        request,
        lambda answer: Page(tuple(map(_record, answer.entries)), answer.next_page_token),
    )


def export(wanted: Wanted | None = None, *, after_position: int = 0) -> RunCall[AuditRecord]:
    """Build ExportAuditEntries: in the order of their positions, to what is there now."""
    request = pb.ExportAuditEntriesRequest(filter=_filter(wanted), after_position=after_position)
    return RunCall(AUDIT, "ExportAuditEntries", request, lambda answer: map(_record, answer.entries))


def exported(
    client: Runs,
    wanted: Wanted | None = None,
    *,
    after_position: int = 0,
    give_up_after_s: float | None = 60.0,
    pause: Callable[[float], object] = _PAUSE.wait,
) -> Iterator[AuditRecord]:
    """Yield all entries behind a position, without gaps or doubles: where the daemon goes away, from where it ended."""
    resume = Resume(give_up_after_s)
    while True:
        try:
            with client.run(export(wanted, after_position=after_position)) as run:
                for record in run:
                    resume.succeeded()
                    after_position = record.position
                    yield record
                return
        except MtdClientError as error:
            pause(resume.delay_after(error))


def verify(known: Mapping[int, str] | None = None) -> RunCall[Checked]:
    """Build VerifyAuditLog. ``known``: hashes, hexadecimal, of entries that were noted elsewhere."""
    noted = [pb.KnownEntry(position=at, hash=bytes.fromhex(one)) for at, one in (known or {}).items()]
    return RunCall(
        AUDIT, "VerifyAuditLog", pb.VerifyAuditLogRequest(known=noted), lambda answer: (_checked(answer),)
    )


def _filter(wanted: Wanted | None) -> pb.AuditFilter:
    given = wanted or Wanted()
    return pb.AuditFilter(
        all_tenants=given.all_tenants,
        start_us=_microseconds(given.start),
        end_us=_microseconds(given.end),
        caller=given.caller,
        action=given.action,
        outcome=given.outcome,
        target=given.target,
    )


def _microseconds(at: dt.datetime | None) -> int:
    return 0 if at is None else round(at.timestamp() * 1_000_000)


def _record(message: pb.AuditEntry) -> AuditRecord:
    return AuditRecord(
        message.position,
        message.entry_id,
        message.time_us,
        message.tenant_id,
        message.action,
        message.outcome,
        message.caller_kind,
        message.caller,
        message.caller_id,
        message.role,
        message.peer,
        message.target,
        dict(message.detail),
        message.prev_hash.hex(),
        message.hash.hex(),
    )


def _checked(message: pb.VerifyAuditLogResponse) -> Checked:
    report = _report(message.report) if message.HasField("report") else None
    return Checked(message.done, message.total, report)


def _report(message: pb.AuditReport) -> AuditReport:
    return AuditReport(
        ok=message.ok,
        chain_id=message.chain_id,
        entries=message.entries,
        first_position=message.first_position,
        last_position=message.last_position,
        head_hash=message.head_hash.hex(),
        pruned_to=message.pruned_to,
        anchors=message.anchors,
        anchors_unchecked=message.anchors_unchecked,
        newest_anchor_us=message.newest_anchor_us,
        unanchored=message.unanchored,
        problem_count=message.problem_count,
        problems=tuple(AuditProblem(one.position, one.kind, one.message) for one in message.problems),
    )
