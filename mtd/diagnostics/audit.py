"""What the timeline of a device tells of the tools that were run on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.diagnostics.plans import Plan

STARTED = "tool.started"
ENDED = "tool.ended"


def started(plan: Plan, caller: str) -> StateChange:
    """Return that a tool begins: who had it run, and what was asked."""
    return _change(STARTED, plan, "", "running", f"{caller} has {plan.words} run")


def ended(plan: Plan, caller: str, result: str, detail: str, rows: int, seconds: float) -> StateChange:
    """Return that a tool ended, and how."""
    why = f" ({detail})" if detail else ""
    message = f"{plan.words}, which {caller} had run, {result}{why}: {rows} rows in {seconds:.1f} s"
    return _change(ENDED, plan, "running", result, message)


def _change(event_type: str, plan: Plan, old: str, new: str, message: str) -> StateChange:
    return StateChange(
        event_type=event_type,
        severity=Severity.INFO,
        entity_type="tool",
        entity_id=str(plan.tool.name),
        entity_label=str(plan.tool.name),
        field="run",
        old=old,
        new=new,
        message=message,
    )
