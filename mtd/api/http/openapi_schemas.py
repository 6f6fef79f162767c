"""What is sent to ingest, and what is told of it, as schemas of OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _object(properties: Mapping[str, Any], *required: str, closed: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": dict(properties), "required": list(required)}
    if closed:
        made["additionalProperties"] = False
    return made


def _string(told: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": told, **more}


_COUNT = {"type": "integer", "minimum": 0}
_TIME = {
    "description": "A time with its zone, or seconds since 1970.",
    "oneOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": 946_684_800, "exclusiveMaximum": 100_000_000_000},
    ],
}
_DEVICE = _string("Name or id of the router.", minLength=1)
_VALUES = {
    "type": "object",
    "description": "Values by full key: whole numbers of counters, names of states.",
    "minProperties": 1,
    "additionalProperties": {"type": ["number", "string"]},
}
_EVENT_TEXTS = ("entity_type", "entity_id", "entity_label", "field", "old_value", "new_value", "message")

SCHEMAS: dict[str, Any] = {
    "Error": _object(
        {
            "error": _string("What is wrong."),
            "hint": _string("What to do about it."),
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/RowResult"}},
            "results_left_out": _COUNT,
        },
        "error",
        "hint",
    ),
    "Sample": _object(
        {"device_uid": _DEVICE, "device": _DEVICE, "ts": _TIME, "metrics": _VALUES},
        "ts",
        "metrics",
        closed=True,
    ),
    "Event": _object(
        {
            "id": _string("Sent again under it, an event is stored once.", format="uuid"),
            "device_uid": _DEVICE,
            "device": _DEVICE,
            "ts": _TIME,
            "event_type": _string("Dotted words.", minLength=1, maxLength=1000),
            "severity": _string("How bad it is.", enum=["info", "warn", "warning", "critical", "crit"]),
            **{name: {"type": "string", "maxLength": 1000} for name in _EVENT_TEXTS},
        },
        "id",
        "ts",
        "event_type",
        closed=True,
    ),
    "Batch": _object(
        {
            "schema_version": {"const": 1},
            "batch_id": {"type": ["string", "null"], "maxLength": 128},
            "group": {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{0,32}$"},
            "sent_at": {},
            "agent": {},
            "samples": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Sample"}},
            "events": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Event"}},
        }
    ),
    "RowResult": _object(
        {
            "row": _string("Which row, such as samples/3."),
            "reason": _string("Short name of what is wrong."),
            "error": _string("What is wrong."),
        },
        *("row", "reason", "error"),
    ),
    "BatchResult": _object(
        {
            "batch_id": {"type": "string"},
            "accepted": _COUNT,
            "refused": _COUNT,
            "duplicates": _COUNT,
            "duplicate": {"type": "boolean"},
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/RowResult"}},
            "results_left_out": _COUNT,
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
        *(
            "batch_id",
            "accepted",
            "refused",
            "duplicates",
            "duplicate",
            "results",
            "results_left_out",
            "warnings",
        ),
    ),
    "Heartbeat": _object(
        {
            "agent": {
                "oneOf": [
                    _string("Name of the program.", minLength=1, maxLength=128),
                    _object(
                        {
                            "id": {"type": "string", "maxLength": 128},
                            "name": {"type": "string", "maxLength": 128},
                            "version": {"type": "string", "maxLength": 128},
                            "capabilities": {
                                "type": "array",
                                "maxItems": 64,
                                "items": {"type": "string", "maxLength": 128},
                            },
                        }
                    ),
                ]
            },
            "sent_at": {"type": ["string", "null"], "format": "date-time"},
            "buffer_depth": _COUNT,
            "jobs_running": _COUNT,
            "poll_errors": _COUNT,
        },
        "agent",
    ),
    "HeartbeatResult": _object(
        {
            "server_time": {"type": "string", "format": "date-time"},
            "clock_ahead_s": {"type": "number"},
            "interval_s": {"type": "number"},
        },
        *("server_time", "clock_ahead_s", "interval_s"),
    ),
}
