"""What isn't good (any more) is refused at every door, told of in the audit log, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mtd.client import collectors as collector_calls
from mtd.client import identity
from mtd.client.requests import get_device
from tests.e2e.kit import folder, wait_for
from tests.e2e.refusals_kit import BATCH, BRAVO, Attacked, Refused, attacked, csr

NO_TENANT = "00000000-0000-0000-0000-000000000000"

GET_DEVICE = "inventory.v1.InventoryService/GetDevice"
RENEW = "ingest.v1.EnrollmentService/RenewCertificate"
INGEST = "ingest.v1.IngestService/Ingest"
ENROLL = "collector.enroll"
METRICS = "HTTP /metrics/devices"

PROOF = 'mtd_api_access_refused_total{reason="proof"}'
TENANT = 'mtd_api_access_refused_total{reason="tenant"}'
ROLE = 'mtd_api_access_refused_total{reason="role"}'
UNKNOWN = 'mtd_api_access_refused_total{reason="unknown"}'


def _enrolments(reason: str) -> str:
    return f'mtd_app_enrolments_refused_total{{reason="{reason}"}}'


def _signatures(outcome: str) -> str:
    return f'mtd_ingest_push_signatures_total{{outcome="{outcome}"}}'


@dataclass(frozen=True)
class Case:
    """An attack: how it is refused, what the audit log has of it (who, doing what), and what counts it."""

    attack: Callable[[Attacked], Refused]
    status: str
    why: str
    action: str
    who: str
    counter: str
    target: str = ""
    known: bool = True
    """Whether it is known whose proof it was, so that the tenant sees it in its own log."""


def _get_with(token: str) -> Callable[[Attacked], Refused]:
    return lambda hub: hub.grpc(get_device("core"), token=token)


def _page_with(token: str, path: str = "/metrics/devices") -> Callable[[Attacked], Refused]:
    return lambda hub: hub.http("GET", path, Authorization=f"Bearer {hub.tokens[token]}")


def _enrol_with(invitation: str) -> Callable[[Attacked], Refused]:
    return lambda hub: hub.grpc(collector_calls.enroll(hub.invitations[invitation], csr()))


def _renew(collector: str, tenant: str = "") -> Callable[[Attacked], Refused]:
    return lambda hub: hub.grpc(collector_calls.renew(csr()), collector=collector, tenant=tenant)


CASES = {
    "a revoked certificate": Case(
        _renew("revoked"),
        *("UNAUTHENTICATED", "was revoked", RENEW, "revoked"),
        'mtd_app_collectors_refused_total{reason="revoked"}',
    ),
    "an expired token": Case(
        _get_with("expired"), "UNAUTHENTICATED", "no longer good", GET_DEVICE, "expired", PROOF
    ),
    "an expired token over HTTP": Case(
        _page_with("expired"), "401", "no longer good", METRICS, "expired", PROOF
    ),
    "a revoked token": Case(
        _get_with("revoked"), "UNAUTHENTICATED", "no longer good", GET_DEVICE, "revoked", PROOF
    ),
    "a revoked token over HTTP": Case(
        _page_with("revoked"), "401", "no longer good", METRICS, "revoked", PROOF
    ),
    "a token that is made up": Case(
        _get_with("made up"), "UNAUTHENTICATED", "no longer good", GET_DEVICE, "", PROOF, known=False
    ),
    "a revoked token of ingest": Case(
        lambda hub: hub.http(
            "POST",
            BATCH,
            b"{}",
            **{"Authorization": f"Bearer {hub.tokens['revoked']}", "Content-Type": "application/json"},
        ),
        *("401", "no longer good", INGEST, "revoked"),
        PROOF,
    ),
    "a replayed enrolment token": Case(
        _enrol_with("stolen"),
        *("UNAUTHENTICATED", "enrolment token isn't good", ENROLL, ""),
        _enrolments("replayed"),
        target="collector=stolen",
    ),
    "an expired enrolment token": Case(
        _enrol_with("late"),
        *("UNAUTHENTICATED", "enrolment token isn't good", ENROLL, ""),
        _enrolments("expired"),
        target="collector=late",
    ),
    "a wrong HMAC": Case(
        lambda hub: hub.signed(secret="guessed"),
        *("401", "isn't one of a key that is good", INGEST, ""),
        _signatures("wrong"),
        target="key=ik_",
        known=False,
    ),
    "a replayed nonce": Case(
        lambda hub: hub.signed(twice=True),
        *("401", "nonce was used before", INGEST, "billing"),
        _signatures("replayed"),
    ),
    "an old timestamp": Case(
        lambda hub: hub.signed(ago_s=3600),
        *("401", "behind mtd's clock", INGEST, "billing"),
        _signatures("stale"),
    ),
    "a stolen certificate for another tenant": Case(
        _renew("stolen", BRAVO),
        *("PERMISSION_DENIED", "may not work for the tenant 'bravo'", RENEW, "stolen"),
        TENANT,
    ),
    "a stolen certificate for another tenant's events": Case(
        lambda hub: hub.append_of(hub.bravo_id),
        *("PERMISSION_DENIED", "a tenant that it doesn't work for", "ingest.v1.IngestService/Append"),
        "stolen",
        'mtd_ingest_append_batches_total{outcome="forbidden"}',
    ),
    "a stolen certificate for what only people do": Case(
        lambda hub: hub.grpc(get_device("core"), collector="stolen"),
        *("PERMISSION_DENIED", "isn't for collectors", GET_DEVICE, "stolen"),
        ROLE,
    ),
    "a token for another tenant": Case(
        lambda hub: hub.grpc(get_device("core"), token="viewer", tenant=BRAVO),
        *("PERMISSION_DENIED", "may not work for the tenant 'bravo'", GET_DEVICE, "viewer"),
        TENANT,
    ),
    "a disabled user's session": Case(
        lambda hub: hub.http("GET", "/console/api/v1/me", Cookie=hub.session),
        *("401", "session is over", "HTTP /console/api/v1/me", "mallory"),
        PROOF,
    ),
    "a viewer's token for an admin's method": Case(
        lambda hub: hub.grpc(identity.create_token("mine", "admin", ["*"]), token="viewer"),
        *("PERMISSION_DENIED", "needs the role admin", "admin.v1.TokenService/CreateToken", "viewer"),
        ROLE,
    ),
    "a viewer's token for a super-admin's page": Case(
        _page_with("viewer", "/metrics"),
        *("403", "needs the role super-admin", "HTTP /metrics", "viewer"),
        ROLE,
    ),
    "X-Forwarded-For on loopback": Case(
        Attacked.forwarded,
        *("UNAUTHENTICATED", "say who you are", "inventory.v1.InventoryService/ListDevices", ""),
        UNKNOWN,
        known=False,
    ),
    "X-Forwarded-For on loopback over HTTP": Case(
        lambda hub: hub.http("GET", "/metrics/devices", **{"X-Forwarded-For": "198.51.100.7"}),
        *("401", "say who you are", METRICS, ""),
        UNKNOWN,
        known=False,
    ),
}


@pytest.fixture(scope="module")
def hub() -> Iterator[Attacked]:
    with folder() as where, attacked(where) as one:
        yield one


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_audited_and_counted(hub: Attacked, name: str) -> None:
    case = CASES[name]
    after, counted = hub.last_entry(), hub.stage.metric(case.counter)
    refused = case.attack(hub)
    assert refused.status == case.status
    assert case.why in refused.why
    assert refused.hint
    assert hub.stage.metric(case.counter) == counted + 1

    def found() -> list[dict[str, Any]]:
        wanted = {"401": "UNAUTHENTICATED", "403": "PERMISSION_DENIED"}.get(case.status, case.status)
        return [
            entry
            for entry in hub.entries(after)
            if (entry["action"], entry["outcome"]) == (case.action, wanted) and "reason" in entry["detail"]
        ]

    (entry,) = wait_for(found, "it is written down")
    assert entry["caller"] == case.who
    assert entry["target"].startswith(case.target)
    assert (entry["tenant_id"] != NO_TENANT) is case.known
    assert "127.0.0.1" in entry["peer"]


def test_refused_callers_changed_nothing_and_their_secrets_are_in_no_log(hub: Attacked) -> None:
    with hub.as_operator() as client:
        assert {token.name for token in client.ask(identity.tokens()).entries} == {"viewer", "expired"}
        known = {one.name: one.state for one in client.ask(collector_calls.page()).collectors}
    assert known == {"stolen": "active", "revoked": "active", "late": "invited"}
    assert hub.stage.value("SELECT count(*) FROM event") == 0
    written = str(hub.entries(0)) + hub.stage.daemon_log()
    session = hub.session.partition("=")[2]
    for secret in (*hub.tokens.values(), *hub.invitations.values(), hub.ingest_key[1], session):
        assert len(secret) > 9
        assert secret not in written
