"""What the HTTP door serves, as an OpenAPI document: of one piece with the table of its routes.

Requests and answers of ingest stand in it whole, the other pages in outline;
the console's JSON is described in docs/console-protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mtd.api.console_limits import (
    LAST_US,
    MAX_EVENTS,
    MAX_FLOW_WINDOW_S,
    MAX_HISTORY_S,
    MAX_METRICS,
    MAX_POINTS,
    MAX_POSITION,
)
from mtd.api.http.bodies import BATCH, KEY_HEADER
from mtd.api.http.openapi_schemas import SCHEMAS
from mtd.api.http.shown import SIGNATURE_HEADER, TENANT_HEADER
from mtd.model.flows import DIMENSIONS
from mtd.queries.flows.records import Order
from mtd.queries.logs import EVENT_TYPE, MAX_NAMES, MAX_SEARCH
from mtd.queries.patterns import MAX_LENGTH

HEARTBEAT = "/ingest/v1/heartbeat"
DOCUMENT = "/openapi.json"

_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_JSON_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_METRICS = {
    "text/plain": {"schema": {"type": "string"}},
    "application/openmetrics-text": {"schema": {"type": "string"}},
}
_ERRORS = {
    "400": "The request can't be read.",
    "401": "Nobody that mtd knows: give a token, or log in.",
    "403": "The caller may not do this; or the door was called by a name or from a page that isn't its own.",
    "404": "There is no such thing.",
    "405": "The page doesn't take this method.",
    "413": "The body is too long.",
    "415": "The body isn't JSON, plain or in gzip.",
    "429": "Too much or too fast; Retry-After says when to come again.",
    "503": "It can't be done now; come again.",
}


def document(version: str) -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mtd",
            "version": version,
            "description": "Monitoring for MikroTik RouterOS. Most of it is served over gRPC: see docs/api.md.",
            "license": {"name": "See LICENSE"},
        },
        "paths": {**_process(), **_prometheus(), **_ingest(), **_console()},
        "components": {"securitySchemes": _SECURITY, "schemas": SCHEMAS},
    }


# -- parts of operations -----------------------------------------------------------


def _answers(good: str, told: str, content: Mapping[str, Any], *errors: str, error_text: bool = False) -> Any:
    found: dict[str, Any] = {good: {"description": told, "content": dict(content)}}
    body = {**_error_content(), **(_TEXT if error_text else {})}
    for code in errors:
        found[code] = {"description": _ERRORS[code], "content": body}
        if code in ("429", "503"):
            found[code]["headers"] = {
                "Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}
            }
    return found


def _error_content() -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def _query(name: str, told: str, schema: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": told, "required": required, "schema": dict(schema)}


def _get(
    summary: str,
    answers: Any,
    *parameters: Mapping[str, Any],
    security: list[dict[str, list[str]]] | None = None,
) -> dict[str, Any]:
    made: dict[str, Any] = {"summary": summary, "responses": answers, "parameters": list(parameters)}
    made["security"] = _READERS if security is None else security
    return {"get": made}


_READERS: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
_NOBODY: list[dict[str, list[str]]] = []
_SENDERS: list[dict[str, list[str]]] = [{"signature": []}, {"token": []}]

_SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token: mtd token add. Callers on the daemon's own machine may need none.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "mtd_session",
        "description": "What a login at /console/login gives to a browser.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": SIGNATURE_HEADER.title(),
        "description": f"v1= and an HMAC-SHA-256, with {KEY_HEADER.title()}, X-Mtd-Timestamp and X-Mtd-Nonce beside"
        " it: docs/ingest.md.",
    },
}


# -- the pages -----------------------------------------------------------------------


def _process() -> dict[str, Any]:
    ready = {
        "200": {"description": "It does its work.", "content": _JSON_OBJECT},
        "503": {"description": "It doesn't, and why.", "content": _JSON_OBJECT},
    }
    front = _answers("200", "What this is.", _TEXT, "403")
    front["302"] = {"description": "A browser is taken to the console."}
    return {
        "/": _get("What this is", front, security=_NOBODY),
        "/healthz": _get("Whether the process works", _answers("200", "It does.", _TEXT), security=_NOBODY),
        "/readyz": _get("Whether it does its work", ready, security=_NOBODY),
        DOCUMENT: _get("This document", _answers("200", "It.", _JSON_OBJECT, "403"), security=_NOBODY),
        "/metrics": _get(
            "Metrics of the process", _answers("200", "OpenMetrics.", _METRICS, "401", "403", "429", "503")
        ),
    }


def _prometheus() -> dict[str, Any]:
    target = _query(
        "target",
        "A router, by name, id or host.",
        {"type": "array", "items": {"type": "string"}},
        required=True,
    )
    refused = ("400", "401", "403", "429", "503")
    return {
        "/metrics/devices": _get(
            "Newest values of all routers of the tenant",
            _answers("200", "OpenMetrics.", _METRICS, *refused, error_text=True),
        ),
        "/probe": _get(
            "Newest values of some routers",
            _answers("200", "OpenMetrics.", _METRICS, *refused, "404", error_text=True),
            target,
        ),
        "/sd": _get(
            "The routers as targets, for Prometheus' http_sd",
            _answers(
                "200",
                "Groups of targets.",
                {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
                *refused,
                error_text=True,
            ),
        ),
    }


def _ingest() -> dict[str, Any]:
    errors = ("400", "401", "403", "413", "415", "429", "503")
    return {
        BATCH: {
            "post": {
                "summary": "Send values and events of routers",
                "description": "Rows are taken one by one, and durable when it is answered. Sent again, a batch is"
                " stored once.",
                "security": _SENDERS,
                "parameters": [*_signed(), _tenant(), _coding()],
                "requestBody": _body("Batch"),
                "responses": {
                    **_answers(
                        "202",
                        "Rows are durable.",
                        {"application/json": {"schema": {"$ref": "#/components/schemas/BatchResult"}}},
                        *errors,
                    ),
                },
            }
        },
        HEARTBEAT: {
            "post": {
                "summary": "Say that a sender is alive",
                "security": _SENDERS,
                "parameters": [*_signed(), _tenant()],
                "requestBody": _body("Heartbeat"),
                "responses": _answers(
                    "200",
                    "It was noted.",
                    {"application/json": {"schema": {"$ref": "#/components/schemas/HeartbeatResult"}}},
                    *errors,
                ),
            }
        },
    }


def _body(name: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"required": True, "content": content}


def _header(name: str, told: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": told, "required": False, "schema": dict(schema)}


def _signed() -> list[dict[str, Any]]:
    return [
        _header("X-Mtd-Key", "Id of the key that signs.", {"type": "string", "maxLength": 64}),
        _header("X-Mtd-Timestamp", "Seconds since 1970.", {"type": "string", "pattern": "^[0-9]{1,12}$"}),
        _header(
            "X-Mtd-Nonce", "New for each request.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"}
        ),
    ]


def _tenant() -> dict[str, Any]:
    return _header(TENANT_HEADER.title(), "Tenant to work for: those who may choose.", {"type": "string"})


def _coding() -> dict[str, Any]:
    return _header(
        "Content-Encoding", "How the body is packed.", {"type": "string", "enum": ["identity", "gzip"]}
    )


def _integer(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


_PAGES = ("before", "limit")
_SPAN = ("seconds", "end_us")
_DEVICE_PAGES: Mapping[str, tuple[str, Sequence[str]]] = {
    "": ("A router", ()),
    "/history": ("Its values", ("metric", *_SPAN, "points")),
    "/events": ("Its events", _PAGES),
    "/health": ("How it was", _SPAN),
}
_ARGUMENTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "before": ("Position that the events stand before.", _integer(0, MAX_POSITION)),
    "limit": ("Most rows: each page has a limit of its own.", _integer(1, MAX_EVENTS)),
    "seconds": ("How far back.", _integer(1, MAX_HISTORY_S)),
    "end_us": ("Until when, microseconds since 1970.", _integer(1, LAST_US)),
    "points": ("Most points of a series.", _integer(1, MAX_POINTS)),
    "contains": ("Letters that are in the line.", {"type": "string", "maxLength": MAX_SEARCH}),
    "event": (
        "Types of events, or their beginnings with *.",
        {
            "type": "array",
            "maxItems": MAX_NAMES,
            "items": {"type": "string", "pattern": f"^{EVENT_TYPE.pattern}$"},
        },
    ),
    "device": (
        "Ids of routers.",
        {"type": "array", "maxItems": MAX_NAMES, "items": {"type": "string", "format": "uuid"}},
    ),
    "older": ("Where older lines begin, as the page before said.", {"type": "string", "maxLength": 100}),
    "severity": ("Least severity of syslog: 0 emergency to 7 debug.", _integer(0, 7)),
    "dimension": ("What flows are summed up by.", {"type": "string", "enum": list(DIMENSIONS)}),
    "order": ("What the largest are the largest by.", {"type": "string", "enum": list(Order)}),
    "kind": (
        "What the paths go through: interfaces are those of one router.",
        {"type": "string", "enum": ["conversation", "service", "interfaces"]},
    ),
    "address": (
        "Address on either side, before or after its translation.",
        {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]},
    ),
    "port": ("Its port.", _integer(0, 65_535)),
    "protocol": ("Number of the protocol.", _integer(0, 255)),
    "time_us": ("The second that is looked at, microseconds since 1970.", _integer(1, LAST_US)),
    "window_s": ("So many seconds before and after as well.", _integer(0, MAX_FLOW_WINDOW_S)),
    "metric": (
        "Patterns of keys.",
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_METRICS,
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
        },
    ),
}


_FLOWS = ("device", *_SPAN)
_FLAT_PAGES: Mapping[str, tuple[str, Sequence[str]]] = {
    "events": ("Events, the newest first", _PAGES),
    "logs": (
        "Lines of routers' logs, the newest first",
        ("contains", "event", "severity", "device", *_SPAN, "older", "limit"),
    ),
    "flows": ("The largest among flows, over time", (*_FLOWS, "dimension", "order", "limit")),
    "flows/paths": ("The largest paths of flows", (*_FLOWS, "kind", "order", "limit")),
    "flows/records": (
        "Who had an address, or a port, at a second",
        ("address", "port", "protocol", "time_us", "window_s", "device", "older", "limit"),
    ),
    "flows/interfaces": ("Interfaces by flows and by their own counters", _FLOWS),
    "drops": ("What routers pushed, and what of it was lost", ()),
    "catalogue": ("The metrics that there are", ()),
    "self": ("How mtd itself is", ()),
}
_REQUIRED = frozenset({"metric", "time_us"})


def _arguments(names: Sequence[str]) -> list[dict[str, Any]]:
    return [_query(name, *_ARGUMENTS[name], required=name in _REQUIRED) for name in names]


def _console() -> dict[str, Any]:
    device = {
        "name": "device",
        "in": "path",
        "required": True,
        "description": "Id of a router.",
        "schema": {"type": "string", "format": "uuid"},
    }
    page = _answers(
        "200", "See docs/console-protocol.md.", _JSON_OBJECT, "400", "401", "403", "404", "429", "503"
    )
    html = {"text/html": {"schema": {"type": "string"}}}
    to_login = {"302": {"description": "To the login."}}
    found: dict[str, Any] = {
        "/console/": _get(
            "The console", {**_answers("200", "Its page.", html, "403", "429", "503"), **to_login}
        ),
        "/console/login": _get("The login", _answers("200", "Its page.", html, "403"), security=_NOBODY),
    }
    for name, (summary, names) in _FLAT_PAGES.items():
        found[f"/console/api/v1/{name}"] = _get(summary, page, *_arguments(names))
    for part, (summary, names) in _DEVICE_PAGES.items():
        found[f"/console/api/v1/devices/{{device}}{part}"] = _get(summary, page, device, *_arguments(names))
    me = _answers("200", "Name, role, tenant.", _JSON_OBJECT, "401", "403", "429", "503")
    found["/console/api/v1/me"] = _get("Who is logged in", me)
    return found
