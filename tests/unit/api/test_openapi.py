"""The OpenAPI document has every route of the door, and describes what ingest takes."""

from __future__ import annotations

import json
from typing import Any

from mtd.api.http.access import ROUTES
from mtd.api.http.cookies import SESSION
from mtd.api.http.openapi import document
from mtd.ingest.push.payload import _EVENT_KEYS, _KNOWN, _SAMPLE_KEYS, SEVERITIES

DOCUMENT = document("1.2.3")
# Neither a page nor JSON that programs ask for: files of the console, its WebSocket, what logs in, and unknown pages.
NOT_DESCRIBED = {
    "/console/assets",
    "/console/live",
    "/console/login/oidc",
    "/console/login/callback",
    "/console/api/v1/login",
    "/console/api/v1/logout",
    "/console/api/v1/tenant",
    "/console/api/v1/other",
}


def test_ingest_openapi_has_the_routes_that_there_are() -> None:
    described = {path.replace("{device}", "ID") for path in DOCUMENT["paths"]}
    assert described == set(ROUTES) - NOT_DESCRIBED


def test_ingest_openapi_leads_nowhere_that_isn_t() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    found = references(DOCUMENT)
    assert {one.removeprefix("#/components/schemas/") for one in found} == set(schemas)
    schemes = set(DOCUMENT["components"]["securitySchemes"])
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            used = {name for one in operation["security"] for name in one}
            assert used <= schemes, path
            assert operation["summary"]
            assert all(answer["description"] for answer in operation["responses"].values())
    assert DOCUMENT["components"]["securitySchemes"]["session"]["name"] == SESSION
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_ingest_openapi_describes_the_payload_that_is_read() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["Batch"]["properties"]) == _KNOWN
    assert set(schemas["Sample"]["properties"]) == _SAMPLE_KEYS
    assert set(schemas["Event"]["properties"]) == _EVENT_KEYS
    assert set(schemas["Event"]["properties"]["severity"]["enum"]) == set(SEVERITIES)
