"""The JSON of a batch: read whole or not at all, its rows one by one. Pure.

    {"schema_version": 1, "batch_id": "...", "group": "...", "agent": {...}, "sent_at": "...",
     "samples": [{"device_uid": "core-1", "ts": "2026-01-01T00:00:00Z", "metrics": {"system.cpu.load_pct": 7}}],
     "events": [{"id": "6f1e...", "device_uid": "core-1", "ts": 1767225600.5, "event_type": "x.y", ...}]}

A list stands for its samples.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from mtd.ingest.push.rows import (
    EVENT_TEXTS,
    EventRow,
    Malformed,
    Problem,
    PushBatch,
    SampleRow,
    TooLarge,
    Unreadable,
    Value,
    check_names,
    check_size,
    check_texts,
    seconds_to_us,
)

SCHEMA_VERSION = 1
SEVERITIES = {
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "critical": "critical",
    "crit": "critical",
}
_KNOWN = frozenset({"schema_version", "sent_at", "batch_id", "group", "agent", "samples", "events"})
_SAMPLE_KEYS = frozenset({"device_uid", "device", "ts", "metrics"})
_EVENT_KEYS = frozenset({"id", "device_uid", "device", "ts", "event_type", "severity", *EVENT_TEXTS})
_SHOWN = 60


def read_payload(body: bytes, max_values: int, max_events: int) -> PushBatch:
    """Return the batch that a text of JSON holds. Raises Unreadable and TooLarge."""
    _check_parts(body, max_values, max_events)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the body isn't JSON: {error}") from None
    top: dict[str, Any] = {"samples": found} if isinstance(found, list) else found
    if not isinstance(top, dict):
        raise Unreadable("the body is no JSON object; see docs/ingest.md for what it holds")
    version = top.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise Unreadable(f"schema_version {_shown(version)} isn't {SCHEMA_VERSION}, which is what mtd reads")
    batch = PushBatch(hashlib.sha256(body).digest(), _name(top, "batch_id"), _name(top, "group"))
    check_names(batch.batch_id, batch.group)
    for key in sorted(top.keys() - _KNOWN)[:10]:
        batch.warnings.append(f"{_shown(key)} isn't something that mtd takes: it was left out")
    _read_rows(
        batch, top, "samples", max_values, lambda number, row: batch.samples.append(_sample(number, row))
    )
    _read_rows(batch, top, "events", max_events, lambda number, row: batch.events.append(_event(number, row)))
    if not batch.rows:
        raise Unreadable("the batch has no rows: give samples or events")
    check_size(batch, max_values, max_events)
    return batch


def _name(top: dict[str, Any], key: str) -> str:
    name = top.get(key)
    if name is None:
        return ""
    if not isinstance(name, str):
        raise Unreadable(f"{key} isn't a text")
    return name


def _check_parts(body: bytes, max_values: int, max_events: int) -> None:
    """Raise TooLarge for a text of more parts than any batch has: each is an object in memory."""
    objects = body.count(b"{") + body.count(b"[")
    if objects > 4 * max_values + 4 * max_events or body.count(b",") > 8 * max_values + 64 * max_events:
        raise TooLarge(f"the body has more parts than {max_values:,} values and {max_events:,} events do")


def _read_rows(
    batch: PushBatch, top: dict[str, Any], key: str, most: int, take: Callable[[int, Any], None]
) -> None:
    rows = top.get(key)
    if rows is None:
        return
    if not isinstance(rows, list):
        raise Unreadable(f"{key} isn't a list")
    if len(rows) > most:
        raise TooLarge(f"a batch has at most {most:,} {key}, not {len(rows):,}: send it in parts")
    for number, row in enumerate(rows):
        try:
            take(number, row)
        except Malformed as error:
            batch.problems.append(Problem(f"{key}/{number}", error.reason, str(error)))


def _sample(number: int, row: Any) -> SampleRow:
    _check_keys(row, _SAMPLE_KEYS)
    metrics = row.get("metrics")
    if not isinstance(metrics, dict) or not metrics:
        raise Malformed("no_metrics", "metrics isn't an object with values by key")
    for key, value in metrics.items():
        if not isinstance(value, Value) or isinstance(value, bool):
            raise Malformed("bad_value", f"{_shown(key)} is neither a number nor the name of a state")
    return SampleRow(number, _device(row), _time(row), metrics)


def _event(number: int, row: Any) -> EventRow:
    _check_keys(row, _EVENT_KEYS)
    event_type = row.get("event_type")
    if not isinstance(event_type, str) or not event_type:
        raise Malformed("no_event_type", "event_type isn't a text such as interface.oper.changed")
    texts = [row.get(name, "") for name in EVENT_TEXTS]
    for name, text in zip(EVENT_TEXTS, texts, strict=True):
        if not isinstance(text, str):
            raise Malformed("bad_text", f"{name} isn't a text")
    check_texts([event_type, *texts])
    told = row.get("severity", "info")
    severity = SEVERITIES.get(told) if isinstance(told, str) else None
    if severity is None:
        raise Malformed("bad_severity", f"severity {_shown(told)} is none of info, warning, critical")
    return EventRow(number, _event_id(row.get("id")), _device(row), _time(row), severity, event_type, *texts)


def _check_keys(row: Any, known: frozenset[str]) -> None:
    if not isinstance(row, dict):
        raise Malformed("no_object", "the row is no JSON object")
    unknown = row.keys() - known
    if unknown:
        raise Malformed("unknown_field", f"{_shown(min(unknown))} is no field of such a row")


def _event_id(given: Any) -> str:
    if not isinstance(given, str):
        raise Malformed("no_id", "id isn't a UUID: without one it can't be told if an event comes again")
    return event_id_of(given)


def event_id_of(given: str) -> str:
    """Return the UUID of an event in its usual form. Raises Malformed."""
    try:
        found = uuid.UUID(given)
    except ValueError:
        raise Malformed("no_id", f"id {_shown(given)} isn't a UUID") from None
    return str(found)


def _device(row: dict[str, Any]) -> str:
    device = row.get("device_uid", row.get("device"))
    if not isinstance(device, str) or not device:
        raise Malformed("no_device", "device_uid isn't the name or id of a device")
    return device


def _time(row: dict[str, Any]) -> int:
    given = row.get("ts")
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise Malformed(
            "bad_time", "ts is neither a time such as 2026-01-01T00:00:00Z nor seconds since 1970"
        )
    if not isinstance(given, str):
        return seconds_to_us(given)
    try:
        found = dt.datetime.fromisoformat(given)
    except ValueError:
        raise Malformed("bad_time", f"ts {_shown(given)} isn't a time such as 2026-01-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise Malformed("bad_time", f"ts {_shown(given)} has no zone: write Z behind a time in UTC")
    try:
        since = found - _EPOCH
    except OverflowError:
        raise Malformed("bad_time", f"ts {_shown(given)} is no time of ours") from None
    seconds_to_us(since.total_seconds())
    return since // _MICROSECOND


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text[:_SHOWN] + ("…" if len(text) > _SHOWN else ""))
