"""What is written on timelines: collectors that come and go, devices that move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.storage.stores.memberships import LEFT

if TYPE_CHECKING:
    from mtd.coordination.planning import Move
    from mtd.storage.stores.memberships import MemberRow

ONLINE = "collector.online"
OFFLINE = "collector.offline"
MOVED = "device.assigned"

REASONS = {
    "first": "nobody polled it before",
    "offline": "that one isn't heard of",
    "left": "that one was stopped",
    "drained": "that one is drained",
    "pinned": "it is pinned there",
    "site": "that is the collector of its site",
    "balance": "the load is shared",
    "operator": "an operator released it",
}


def collector_change(member: MemberRow, *, online: bool) -> StateChange:
    """Return that a collector came or went."""
    old, new = ("offline", "online") if online else ("online", "offline")
    stopped = member.state == LEFT
    if online:
        message = f"the collector {member.name} takes part"
    elif stopped:
        message = f"the collector {member.name} was stopped"
    else:
        message = f"the collector {member.name} isn't heard of: others poll what they can of its devices"
    return StateChange(
        event_type=ONLINE if online else OFFLINE,
        severity=Severity.INFO if online or stopped else Severity.WARNING,
        entity_type="collector",
        entity_id=member.collector_id,
        entity_label=member.name,
        field="state",
        old=old,
        new=new,
        message=message,
    )


def moved(move: Move, members: Mapping[str, MemberRow]) -> StateChange:
    """Return that another collector polls a device now."""
    old, new = (members[key].name if key in members else key for key in (move.old, move.new))
    return StateChange(
        event_type=MOVED,
        severity=Severity.INFO,
        entity_type="device",
        entity_id=move.device_id,
        entity_label="",
        field="collector",
        old=old,
        new=new,
        message=f"{new} polls it instead of {old}: {REASONS.get(move.reason, move.reason)}",
    )
