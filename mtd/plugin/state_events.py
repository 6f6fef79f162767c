"""The words of events that declarations raise."""

from __future__ import annotations

from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.plugin.declaration import RowEvent, StateEvent


def state_change(
    event: StateEvent,
    field: str,
    instance: str,
    label: str,
    old: str,
    new: str,
    *,
    expected: bool,
    logged_as: str = "",
) -> StateChange:
    """Return the event of a field that changed from one value to another."""
    severity = Severity.INFO if expected else event.severities.get(new, event.severity)
    template = event.messages.get(new, event.message)
    return StateChange(
        event_type=event.event_type,
        severity=severity,
        entity_type=event.entity_type,
        entity_id=instance,
        entity_label=label,
        field=field,
        old=old,
        new=new,
        message=fill(template, label=label, old=old, new=new),
        logged_as=logged_as,
    )


def row_change(
    event: RowEvent, instance: str, label: str, *, present: bool, logged_as: str = ""
) -> StateChange:
    """Return the event of a row that came or went."""
    return StateChange(
        event_type=event.event_type,
        severity=event.severity,
        entity_type=event.entity_type,
        entity_id=instance,
        entity_label=label,
        field="",
        old="" if present else "present",
        new="present" if present else "",
        message=fill(event.message, label=label),
        logged_as=logged_as,
    )


def fill(template: str, **words: str) -> str:
    """Fill in the words. Not ``str.format``: a router's text may hold braces, a template may not."""
    for name, word in words.items():
        template = template.replace("{" + name + "}", word)
    return template
