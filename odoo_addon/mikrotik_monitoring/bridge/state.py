"""What is known of a device that somebody looks at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .bounds import MOST_GROUPS, interfaces_within, intervals_within, text_within
from .reading import LayoutPlan, Reading
from .shown import DEFAULT_INTERVALS_S, is_about_subscriber

MOST_EVENTS = 20
MOST_LINES = 50
_FACTS = ("name", "status", "reason", "since_us", "version", "board", "identity")


def microseconds(moment: Any) -> int:
    """Return a time as microseconds since the epoch."""
    return int(round(moment.timestamp() * 1_000_000))


def event_shown(event: Any) -> dict[str, Any]:
    """Return an event of mtd as the widgets read it."""
    return {
        "position": event.position,
        "t_us": microseconds(event.collected_at),
        "device_id": event.device_id,
        "device": event.device_name,
        "type": event.event_type,
        "severity": event.severity,
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "entity": event.entity_label,
        "field": event.field,
        "old": event.old_value,
        "new": event.new_value,
        "message": event.message,
        "evidences": evidences_shown(event),
        "replaces": list(event.replaced_positions),
    }


def evidences_shown(event: Any) -> list[dict[str, Any]]:
    """Return who saw what an event tells, as the widgets read it."""
    return [
        {
            "source": one.source,
            "t_us": microseconds(one.collected_at),
            "after_us": round(one.after_first_s * 1_000_000),
            "message": one.message,
        }
        for one in event.evidences
    ]


class DeviceState:
    """The newest of all that the widgets show of one device. ``version`` moves with each change.

    ``on_cut`` is told what had more than is kept, and how many of them were left out.
    """

    def __init__(
        self,
        device_id: int,
        mtd_id: str,
        facts: Mapping[str, Any],
        on_cut: Callable[[str, int], object] = lambda what, count: None,
    ) -> None:
        self.device_id, self.mtd_id = device_id, mtd_id
        self._on_cut = on_cut
        self.version = 0
        self.facts: dict[str, Any] = {name: facts.get(name) for name in _FACTS}
        self.since_asked = False
        self.intervals_s: dict[str, float] = dict(DEFAULT_INTERVALS_S)
        self.last_seen_us: int | None = facts.get("last_seen_us")
        self.interfaces: Sequence[Any] = ()
        self.left_out = 0
        """How many interfaces there are beside these."""
        self.readings: dict[str, Reading] = {}
        self.events: deque[tuple[dict[str, Any], bool]] = deque(maxlen=MOST_EVENTS)
        self.lines: deque[dict[str, Any]] = deque(maxlen=MOST_LINES)
        self._plans: dict[str, LayoutPlan] = {}

    def has_room(self, group: str) -> bool:
        """Whether values of this poll group are kept: there aren't too many others."""
        return group in self.readings or len(self.readings) < MOST_GROUPS

    def take_frame(self, frame: Any) -> bool:
        """Take new values; False if newer ones of this group are known."""
        group = frame.layout.poll_group
        known = self.readings.get(group)
        if known is not None and frame.collected_at_us < known.t_us:
            return False
        plan = self._plans.get(group)
        if plan is None or plan.layout is not frame.layout:
            plan = self._plans[group] = LayoutPlan(frame.layout)
            if plan.left_out:
                self._on_cut("series", plan.left_out)
        self.readings[group] = plan.read(frame)
        self.last_seen_us = max(self.last_seen_us or 0, frame.collected_at_us)
        self.version += 1
        return True

    def forget_values(self) -> None:
        """The device isn't streamed any more: its values are void."""
        self.readings.clear()
        self._plans.clear()
        self.version += 1

    def take_device(self, device: Any) -> None:
        """Take what mtd says of the device."""
        if device.status != self.facts["status"]:
            self.facts["since_us"], self.since_asked = None, False  # it was that of the status before
        self._take_texts(
            name=device.name,
            status=device.status,
            reason=device.status_reason,
            version=device.routeros_version,
            board=device.board_name,
            identity=device.identity,
        )
        self._take_intervals(device.intervals_s)
        if device.last_seen_at is not None:
            self.last_seen_us = max(self.last_seen_us or 0, microseconds(device.last_seen_at))
        self.version += 1

    def take_status(self, status: str, reason: str, since_us: int) -> None:
        """Take a new status, of which an event told."""
        self._take_texts(status=status, reason=reason)
        self.facts["since_us"] = since_us
        self.version += 1

    def take_since(self, since_us: int | None) -> None:
        """Take since when the device has its status; None: mtd does not know."""
        self.since_asked = True
        self.facts["since_us"] = since_us
        self.version += 1

    def take_interfaces(self, interfaces: Sequence[Any]) -> None:
        """Take the list of its interfaces, with how often each is read."""
        self.interfaces = interfaces_within(interfaces)
        self.left_out = len(interfaces) - len(self.interfaces)
        if self.left_out:
            self._on_cut("interface", self.left_out)
        self._take_intervals({one.tier: one.interval_s for one in self.interfaces})
        self.version += 1

    def _take_texts(self, **facts: str) -> None:
        kept = {name: text_within(text) for name, text in facts.items()}
        if cut := sum(kept[name] != text for name, text in facts.items()):
            self._on_cut("fact", cut)
        self.facts.update(kept)

    def _take_intervals(self, intervals_s: Mapping[str, float]) -> None:
        """A tier without an interval, or with none that could be one, keeps what it had."""
        self.intervals_s = intervals_within(self.intervals_s, intervals_s)

    def fill_events(self, events: Iterable[tuple[dict[str, Any], bool]]) -> None:
        """Put stored events below those that came meanwhile."""
        known = {shown["position"]: (shown, private) for shown, private in (*events, *self.events)}
        self.events = deque((known[position] for position in sorted(known)), MOST_EVENTS)
        self.version += 1

    def take_event(self, event: Any) -> None:
        """Take a new event; it takes the place of those that it replaces."""
        replaced = {*event.replaced_positions, event.position}
        kept = [one for one in self.events if one[0]["position"] not in replaced]
        self.events = deque((*kept, (event_shown(event), is_about_subscriber(event))), MOST_EVENTS)
        self.version += 1

    def take_lines(self, lines: Iterable[dict[str, Any]]) -> None:
        """Take lines of the router's log, oldest first; those that are known are left out."""
        fresh = [line for line in lines if line not in self.lines]
        if fresh:
            self.lines.extend(fresh)
            self.version += 1
