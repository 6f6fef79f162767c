"""How much is kept of what mtd sends: of one that is broken, or not ours, a text or a list may have any length."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Names, labels, reasons. What is indexed has to fit into a page of PostgreSQL, too.
MOST_TEXT = 255
MOST_MESSAGE = 4000
MOST_EVIDENCES = 10
MOST_REPLACED = 100
# Interfaces and the like of one device. A message has room for some hundreds.
MOST_PARTS = 5000
# Poll groups of one device, and tiers: mtd has four.
MOST_GROUPS = 16
MOST_TOPICS = 8

_EVENT_TEXTS = {
    "device_id": MOST_TEXT,
    "device_name": MOST_TEXT,
    "event_type": MOST_TEXT,
    "severity": MOST_TEXT,
    "entity_type": MOST_TEXT,
    "entity_id": MOST_TEXT,
    "entity_label": MOST_TEXT,
    "field": MOST_TEXT,
    "old_value": MOST_MESSAGE,
    "new_value": MOST_MESSAGE,
    "message": MOST_MESSAGE,
}
_INTERFACE_TEXTS = dict.fromkeys(("id", "name", "comment", "type", "tier", "detail"), MOST_TEXT)


def size_of(value: Any) -> int:
    """Return how many bytes it takes on the bus: Odoo writes what isn't ASCII as escapes."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=True))


def text_within(text: str, most: int = MOST_TEXT) -> str:
    """Return the beginning of a text, and without the character that PostgreSQL takes in no text."""
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    return text.replace("\0", "")


def event_within(event: Any) -> Any:
    """Return an event that has not more than is kept; the same one if nothing is left out."""
    changes = _cut_texts(event, _EVENT_TEXTS)
    evidences = [_evidence_within(one) for one in event.evidences[:MOST_EVIDENCES]]
    if not _are_same(evidences, event.evidences):
        changes["evidences"] = evidences
    if len(event.replaced_positions) > MOST_REPLACED:
        changes["replaced_positions"] = list(event.replaced_positions[:MOST_REPLACED])
    return dataclasses.replace(event, **changes) if changes else event


def interfaces_within(interfaces: Sequence[Any]) -> list[Any]:
    """Return the interfaces that are kept: the ports first, should there be too many."""
    if len(interfaces) > MOST_PARTS:
        interfaces = sorted(interfaces, key=lambda one: not one.physical)[:MOST_PARTS]
    return [_changed(one, _cut_texts(one, _INTERFACE_TEXTS)) for one in interfaces]


def intervals_within(known_s: Mapping[str, float], told_s: Mapping[str, float]) -> dict[str, float]:
    """Return the intervals of tiers, with those that are told: a device is polled after a while, not at once or never."""
    found = dict(known_s)
    for tier, seconds in told_s.items():
        is_any = math.isfinite(seconds) and seconds > 0
        if is_any and (tier in found or (len(found) < MOST_GROUPS and len(tier) <= MOST_TEXT)):
            found[tier] = seconds
    return found


def _evidence_within(evidence: Any) -> Any:
    return _changed(evidence, _cut_texts(evidence, {"source": MOST_TEXT, "message": MOST_MESSAGE}))


def _cut_texts(of: Any, texts: Mapping[str, int]) -> dict[str, Any]:
    """Return those of the texts of an object that are cut."""
    found = ((name, getattr(of, name), most) for name, most in texts.items())
    return {name: cut for name, text, most in found if (cut := text_within(text, most)) != text}


def _changed(of: Any, changes: Mapping[str, Any]) -> Any:
    return dataclasses.replace(of, **changes) if changes else of


def _are_same(some: Sequence[Any], others: Iterable[Any]) -> bool:
    others = list(others)
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
