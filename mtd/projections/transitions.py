"""What outcomes and probes change about a device, and which events that makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.moments import is_from_future
from mtd.model.observation import ProbeFacts
from mtd.storage.stores.events import EventRow, HealthRow
from mtd.storage.stores.status import CapabilityRow, DeviceKey, StatusRow

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_INFO, _WARNING, _CRITICAL = 1, 2, 3
_SEVERITY: Mapping[str, int] = {DeviceStatus.DOWN: _CRITICAL, DeviceStatus.DEGRADED: _WARNING}
# Fields of a probe whose change is worth an event, and the event's type.
_IDENTITY_EVENTS = {
    "routeros_version": "device.version.changed",
    "board_name": "device.board.changed",
    "identity": "device.identity.changed",
    "serial_number": "device.serial.changed",
}
_NAMED_IN_MESSAGE = 5


class DeviceTracker:
    """Follows devices through the events of one batch, starting from what is stored."""

    def __init__(
        self,
        stored: Mapping[DeviceKey, StatusRow],
        before: Mapping[DeviceKey, tuple[str, str]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._rows = dict(stored)
        # Of devices with late outcomes: status and cause before the first of these.
        self._before = dict(before or {})
        self.changed: dict[DeviceKey, StatusRow] = {}
        self.capabilities: dict[tuple[str, str, str], CapabilityRow] = {}

    def _row(self, seq: int, envelope: Envelope) -> StatusRow:
        key = (envelope.tenant_id, envelope.device_id)
        row = self._rows.setdefault(key, StatusRow())
        row.seq = seq
        self.changed[key] = row
        return row

    def _is_from_future(self, known_us: int) -> bool:
        return is_from_future(known_us, self._clock.now_us())

    def outcome(self, seq: int, envelope: Envelope, report: HealthRow) -> list[EventRow]:
        """Take in the outcome of a poll; an event only if status or cause changed."""
        row = self._row(seq, envelope)
        if report.collected_us < row.outcome_us and not self._is_from_future(row.outcome_us):
            return self._late(seq, envelope, report)
        before, cause_before = row.status, row.outcome
        row.outcome_us = report.collected_us
        row.reason = report.reason
        row.outcome = report.outcome
        if report.outcome == Outcome.OK:
            row.last_ok_us = report.collected_us
        if report.status != before:
            row.status = report.status
            row.since_us = report.collected_us
        return _transition(seq, envelope, report, before, cause_before)

    def _late(self, seq: int, envelope: Envelope, report: HealthRow) -> list[EventRow]:
        """Take in what happened before what is known: it is no news of what the device is, but of what it was."""
        key = (envelope.tenant_id, envelope.device_id)
        before, cause_before = self._before.get(key, (DeviceStatus.UNKNOWN.value, ""))
        self._before[key] = (report.status, report.outcome)
        return _transition(seq, envelope, report, before, cause_before)

    def probed(self, seq: int, envelope: Envelope, facts: ProbeFacts) -> list[EventRow]:
        """Take in what a probe found; events only for what differs from the probe before."""
        row = self._row(seq, envelope)
        if envelope.collected_at_us < row.probed_us and not self._is_from_future(row.probed_us):
            return []
        first = row.probed_us == 0
        row.probed_us = envelope.collected_at_us
        events = self._identity_events(seq, envelope, row, facts, first)
        row.routeros_major = facts.routeros_major or row.routeros_major
        row.architecture = facts.architecture or row.architecture
        changes = self._capability_changes(seq, envelope, row, facts)
        if changes and not first:
            more = len(changes) - _NAMED_IN_MESSAGE
            named = ", ".join(changes[:_NAMED_IN_MESSAGE]) + (f" and {more} more" if more > 0 else "")
            events.append(
                _event(
                    seq,
                    envelope,
                    part=len(events),
                    event_type="device.capabilities.changed",
                    field="capabilities",
                    message=f"Capabilities changed: {named}",
                )
            )
        return events

    def _identity_events(
        self, seq: int, envelope: Envelope, row: StatusRow, facts: ProbeFacts, first: bool
    ) -> list[EventRow]:
        events: list[EventRow] = []
        for field, event_type in _IDENTITY_EVENTS.items():
            old, new = getattr(row, field), getattr(facts, field)
            if not new:
                continue  # the router didn't say this time; it hasn't lost what it had
            setattr(row, field, new)
            if old != new and not first:
                # Another serial number is another box under the same address.
                severity = _WARNING if field == "serial_number" else _INFO
                message = f"{field.replace('_', ' ')} changed from {old or 'nothing'} to {new}"
                events.append(
                    _event(
                        seq,
                        envelope,
                        part=len(events),
                        event_type=event_type,
                        severity=severity,
                        field=field,
                        old_value=old,
                        new_value=new,
                        message=message,
                    )
                )
        return events

    def _capability_changes(
        self, seq: int, envelope: Envelope, row: StatusRow, facts: ProbeFacts
    ) -> list[str]:
        """Note capabilities that differ; return those that came ("+name") or went ("-name")."""
        changes = []
        for fact in facts.capabilities:
            known = row.capabilities.get(fact.name)
            if known == (fact.present, fact.detail):
                continue
            if known is None or known[0] != fact.present:
                changes.append(("+" if fact.present else "-") + fact.name)
            row.capabilities[fact.name] = (fact.present, fact.detail)
            self.capabilities[envelope.tenant_id, envelope.device_id, fact.name] = CapabilityRow(
                envelope.tenant_id,
                envelope.device_id,
                fact.name,
                fact.present,
                fact.detail,
                envelope.collected_at_us,
                seq,
            )
        return changes


def late_outcomes(
    stored: Mapping[DeviceKey, StatusRow], reports: Iterable[HealthRow]
) -> dict[DeviceKey, int]:
    """Return the devices of which outcomes come late, with the time of the first of these."""
    newest = {key: row.outcome_us for key, row in stored.items()}
    late: dict[DeviceKey, int] = {}
    for report in reports:
        key, at_us = (report.tenant_id, report.device_id), report.collected_us
        if at_us < newest.get(key, 0):
            late[key] = min(late.get(key, at_us), at_us)
        else:
            newest[key] = at_us
    return late


def _transition(
    seq: int, envelope: Envelope, report: HealthRow, before: str, cause_before: str
) -> list[EventRow]:
    """Return the event of an outcome, if status or cause are others than before."""
    if report.status == before and report.outcome == cause_before:
        return []
    event_type = f"device.{report.outcome}"
    if report.outcome == Outcome.OK:
        event_type = "device.up" if before == DeviceStatus.UNKNOWN else "device.recovered"
    return [
        _event(
            seq,
            envelope,
            event_type=event_type,
            severity=_SEVERITY.get(report.status, _INFO),
            field="status",
            old_value=before,
            new_value=report.status,
            message=report.reason,
        )
    ]


def _event(
    seq: int,
    envelope: Envelope,
    *,
    event_type: str,
    field: str,
    message: str,
    part: int = 0,
    severity: int = _INFO,
    old_value: str = "",
    new_value: str = "",
) -> EventRow:
    """Return an event about the device itself."""
    return EventRow(
        tenant_id=envelope.tenant_id,
        device_id=envelope.device_id,
        seq=seq,
        part=part,
        collected_us=envelope.collected_at_us,
        received_us=envelope.received_at_us,
        event_type=event_type,
        severity=severity,
        entity_type="device",
        entity_id=envelope.device_id,
        entity_label="",
        field=field,
        old_value=old_value,
        new_value=new_value,
        message=message,
    )
