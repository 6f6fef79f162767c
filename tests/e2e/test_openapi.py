"""What the HTTP door answers is what its OpenAPI document says, whatever it is asked: tried by schemathesis.

MTD_FUZZ_EXAMPLES asks more of each operation; `scripts/fuzz --openapi` sets it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from mtd.api.http.openapi import document
from mtd.ingest.push.keyring import sign
from tests.e2e.kit import Rig, pause, rig

EXAMPLES = int(os.environ.get("MTD_FUZZ_EXAMPLES", "24"))
LOOKED_AT = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_PATIENCE = 5
OPERATIONS = [f"{method.upper()} {path}" for path, one in document("")["paths"].items() for method in one]
INGEST = [operation for operation in OPERATIONS if "/ingest/" in operation]


class Signature(requests.auth.AuthBase):
    """Signs a request with a key for ingest, as it is about to be sent."""

    def __init__(self, key_id: str, secret: str) -> None:
        self._key_id = key_id
        self._secret = secret.encode()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        at, nonce = str(int(time.time())), secrets.token_urlsafe(16)
        path = urlsplit(str(request.url)).path
        raw = body.encode() if isinstance(body, str) else body
        signature = sign(self._secret, str(request.method), path, at, nonce, raw)
        request.headers.update(
            {
                "X-Mtd-Key": self._key_id,
                "X-Mtd-Timestamp": at,
                "X-Mtd-Nonce": nonce,
                "X-Mtd-Signature": signature,
            }
        )
        return request


class Bearer(requests.auth.AuthBase):
    """Shows a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass
class Door:
    """A daemon with a router and a tenant's ways to prove who one is."""

    stage: Rig
    device_id: str
    session: requests.Session
    operations: dict[str, Any]
    proofs: dict[str, requests.auth.AuthBase | None]

    def try_out(self, operation: str, proof: str, mode: GenerationMode) -> set[int]:
        """Ask an operation for many things; return the statuses that there were."""
        load_all_checks()
        looked_at = [CHECKS.get_one(name) for name in LOOKED_AT]
        codes: set[int] = set()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize="MTD_FUZZ_EXAMPLES" not in os.environ,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(self.operations[operation].as_strategy(generation_mode=mode), strategies.booleans())
        def ask(case: Any, real: bool) -> None:
            if real and mode is GenerationMode.POSITIVE:
                self._name_what_is_there(case)
            response = self._answer(case, proof)
            for _ in range(_PATIENCE):
                if response.status_code != 503:  # which busy machines may cause, and says when to come again
                    break
                pause(1)
                response = self._answer(case, proof)
            codes.add(response.status_code)
            case.validate_response(response, checks=looked_at)

        ask()
        return codes

    def _answer(self, case: Any, proof: str) -> Any:
        return case.call(
            base_url=f"http://127.0.0.1:{self.stage.http_port}",
            session=self.session,
            auth=self.proofs[proof],
            allow_redirects=False,
            timeout=20,
        )

    def _name_what_is_there(self, case: Any) -> None:
        """Let a case be about the router and a metric that there are, where it is well-formed otherwise."""
        if "device" in (case.path_parameters or {}):
            case.path_parameters["device"] = self.device_id
        if "target" in (case.query or {}):
            case.query["target"] = [self.device_id]
        for name in ("Content-Encoding", "Mtd-Tenant"):
            (case.headers or {}).pop(name, None)
        if case.operation.path.endswith("/flows/records"):
            # Of a second that is kept, the first page, and one of the two things that can be looked for.
            case.query |= {"time_us": time.time_ns() // 1000, "device": [self.device_id]}
            case.query.pop("older", None)
            if not case.query.keys() & {"address", "port"}:
                case.query["port"] = 443
        if case.operation.path.endswith("/batch"):
            now = {"device_uid": self.device_id, "ts": time.time(), "metrics": {"system.cpu.load_pct": 7}}
            case.body["samples"] = [*(case.body.get("samples") or ())[:5], now]


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    lots = {name: 1_000_000 for name in ("requests_per_s", "tenant_requests_per_s", "values_per_s")}
    with rig(
        "fleet",
        *("--routers", "1", "--interfaces", "2"),
        settings={"console": {"enabled": True}, "ingest.push": lots},
    ) as stage:
        stage.add_all()
        served = json.loads(stage.http("/openapi.json"))
        token = stage.mtd("token", "add", "viewer", "--role", "viewer", "--scope", "*", "--json").json()
        sender = stage.mtd("token", "add", "sender", "--role", "viewer", "--scope", "ingest.write", "--json")
        key = stage.mtd("ingest-key", "add", "billing", "--json").json()
        schema = schemathesis.openapi.from_dict(served)
        operations = {one.ok().label: one.ok() for one in schema.get_all_operations()}
        with requests.Session() as session:
            session.trust_env = False
            yield Door(
                stage,
                stage.devices()["lab-0001"]["id"],
                session,
                operations,
                {
                    "nothing": None,
                    "token": Bearer(token["secret"]),
                    "sender": Bearer(sender.json()["secret"]),
                    "signature": Signature(key["key"]["key_id"], key["secret"]),
                    "nonsense": Bearer("mtd_nonsense"),
                },
            )
        assert "Traceback" not in stage.daemon_log()
        sys.stdout.write(stage.daemon.tail(20) if stage.daemon else "no daemon")


def test_the_document_that_is_served_is_that_of_the_code(door: Door) -> None:
    assert sorted(door.operations) == sorted(OPERATIONS)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in INGEST])
def test_answers_are_as_the_document_says(door: Door, operation: str) -> None:
    codes = door.try_out(operation, "token", GenerationMode.POSITIVE)
    codes |= door.try_out(operation, "nothing", GenerationMode.POSITIVE)
    assert min(codes) < 300, "not a single question was answered"


@pytest.mark.parametrize("operation", INGEST)
@pytest.mark.parametrize("proof", ["signature", "sender"])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_is_sent_is_answered_as_the_document_says(
    door: Door, operation: str, proof: str, mode: GenerationMode
) -> None:
    codes = door.try_out(operation, proof, mode)
    # What is wrong may be what ingest doesn't look at, such as a header of another way to prove who one is.
    good = min(codes) < 300 if mode is GenerationMode.POSITIVE else max(codes) >= 400
    assert good, codes
