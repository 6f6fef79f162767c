"""Who may come through the doors."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import MethodOptions

from mtd.api.access.current import principal, serving, tenant_id
from mtd.api.access.gate import Gate, is_loopback
from mtd.api.access.interfaces import Certificate, Credentials
from mtd.api.access.rules import Rule, rules_of
from mtd.api.access.targets import changes_of, target_of
from mtd.api.grpc.server import DESCRIPTORS
from mtd.core.errors import Bug, Forbidden, Unauthenticated
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Principal, Role
from mtd.model.tenant import Tenant
from mtd.pb.flows.v1 import flow_service_pb2 as flow_pb
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb

OTHER = "00000000-0000-4000-8000-000000000002"
VIEWER = Principal(CallerKind.USER, "vi", DEFAULT_TENANT_ID, Role.VIEWER)
COLLECTOR = Principal(CallerKind.COLLECTOR, "edge-1", DEFAULT_TENANT_ID, None)
UNKNOWN = Principal(CallerKind.UNKNOWN, "", DEFAULT_TENANT_ID, None)


class TwoTenants:
    async def tenant_id(self, tenant: str) -> str | None:
        return {"default": DEFAULT_TENANT_ID, "other": OTHER}.get(tenant)

    async def tenant(self, tenant_id: str) -> Tenant | None:
        return {
            DEFAULT_TENANT_ID: Tenant(DEFAULT_TENANT_ID, "default", enabled=True),
            OTHER: Tenant(OTHER, "other", enabled=False),
        }.get(tenant_id)


class Shows:
    """Knows one token."""

    def __init__(self, caller: Principal) -> None:
        self._caller = caller

    async def verify(self, credentials: Credentials) -> Principal | None:
        if not credentials.bearer:
            return None
        if credentials.bearer != "good":
            raise Unauthenticated("no such token")
        return self._caller


def test_every_method_says_who_may_call_it() -> None:
    rules = rules_of(DESCRIPTORS)
    assert len(rules) == sum(len(service.methods) for service in DESCRIPTORS)
    for path, rule in rules.items():
        assert rule.role is not None or rule.collectors or rule.open, path
        assert rule.scope or rule.open or rule.collectors, path
        if rule.role is not None and rule.role >= Role.OPERATOR:
            assert rule.audited, f"{path} does something, and isn't audited"


def test_options_of_methods_are_not_lost() -> None:
    method = pb.DESCRIPTOR.services_by_name["InventoryService"].methods_by_name["DeleteDevice"]
    assert isinstance(method.GetOptions(), MethodOptions)
    assert rules_of(DESCRIPTORS)["/mtd.pb.inventory.v1.InventoryService/DeleteDevice"] == Rule(
        "inventory.v1.InventoryService/DeleteDevice", Role.ADMIN, "inventory.write", audited=True
    )


@pytest.mark.parametrize(
    ("caller", "rule", "error"),
    [
        (VIEWER, Rule("a", Role.VIEWER, "x.read"), None),
        (VIEWER, Rule("a", Role.OPERATOR, "x.read"), Forbidden),
        (VIEWER, Rule("a", None, "", collectors=True), Forbidden),
        (COLLECTOR, Rule("a", None, "", collectors=True), None),
        (COLLECTOR, Rule("a", Role.VIEWER, "x.read"), Forbidden),
        (UNKNOWN, Rule("a", Role.VIEWER, "x.read"), Unauthenticated),
        (UNKNOWN, Rule("a", None, "", open=True), None),
    ],
)
def test_roles(caller: Principal, rule: Rule, error: type[Exception] | None) -> None:
    if error is None:
        rule.check(caller)
        return
    with pytest.raises(error):
        rule.check(caller)


def test_tokens_are_bound_to_their_scopes() -> None:
    token = Principal(
        CallerKind.TOKEN, "grafana", DEFAULT_TENANT_ID, Role.ADMIN, scopes=frozenset({"telemetry.read"})
    )
    Rule("a", Role.VIEWER, "telemetry.read").check(token)
    with pytest.raises(Forbidden, match=r"inventory\.read"):
        Rule("a", Role.VIEWER, "inventory.read").check(token)


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("ipv4:127.0.0.1:4711", True),
        ("ipv6:[::1]:4711", True),
        ("unix:/run/mtd", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("ipv4:192.0.2.1:4711", False),
        ("ipv6:[2001:db8::1]:4711", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback(peer: str, local: bool) -> None:
    assert is_loopback(peer) is local


async def test_who_shows_nothing_on_this_machine_is_its_operator() -> None:
    here = Credentials("ipv4:127.0.0.1:4711")
    assert (await Gate(trust_loopback=True).admit(here)).role is Role.SUPER_ADMIN
    assert (await Gate(trust_loopback=False).admit(here)).kind is CallerKind.UNKNOWN
    # With a certificate, of another CA: it came from somewhere, through something that forwards TCP.
    shown = Credentials("ipv4:127.0.0.1:4711", certificate=Certificate(b"pem"))
    assert (await Gate(trust_loopback=True).admit(shown)).kind is CallerKind.UNKNOWN
    passed_on = Credentials("ipv4:127.0.0.1:4711", forwarded=True)
    assert (await Gate(trust_loopback=True).admit(passed_on)).kind is CallerKind.UNKNOWN


async def test_a_bad_proof_is_never_as_good_as_none() -> None:
    gate = Gate([Shows(VIEWER)], trust_loopback=True)
    assert await gate.admit(Credentials("ipv4:127.0.0.1:1", bearer="good")) is VIEWER
    for shown in (
        Credentials("ipv4:127.0.0.1:1", bearer="bad"),
        Credentials("ipv4:127.0.0.1:1", session="bad"),
    ):
        with pytest.raises(Unauthenticated):
            await gate.admit(shown)


async def test_only_super_admins_choose_their_tenant() -> None:
    gate = Gate([Shows(VIEWER)], TwoTenants(), trust_loopback=True)
    assert (await gate.admit(Credentials("ipv4:127.0.0.1:1", tenant="other"))).tenant_id == OTHER
    assert await gate.admit(Credentials("", bearer="good", tenant="default")) is VIEWER
    for tenant in ("other", "nobody's"):
        with pytest.raises(Forbidden, match="may not work for the tenant"):
            await gate.admit(Credentials("", bearer="good", tenant=tenant))


async def test_callers_of_a_tenant_that_is_switched_off_are_refused() -> None:
    shut_out = Principal(CallerKind.USER, "vi", OTHER, Role.ADMIN)
    gone = Principal(CallerKind.COLLECTOR, "edge-1", "00000000-0000-4000-8000-000000000003", None)
    for caller in (shut_out, gone):
        with pytest.raises(Forbidden, match="switched off"):
            await Gate([Shows(caller)], TwoTenants(), trust_loopback=True).admit(
                Credentials("", bearer="good")
            )
    above = Principal(CallerKind.USER, "root", DEFAULT_TENANT_ID, Role.SUPER_ADMIN)
    gate = Gate([Shows(above)], TwoTenants(), trust_loopback=True)
    assert (await gate.admit(Credentials("", bearer="good", tenant="other"))).tenant_id == OTHER


def test_without_a_caller_nothing_is_served() -> None:
    with pytest.raises(Bug):
        principal()
    with serving(VIEWER):
        assert tenant_id() == DEFAULT_TENANT_ID
    with pytest.raises(Bug):
        tenant_id()


def test_targets_hold_no_secrets() -> None:
    request = pb.UpdateDeviceRequest(device="edge-1", password="hunter2")
    request.settings.name = "edge-2"
    request.update_mask.paths.append("name")
    assert target_of(request) == "device=edge-1 name=edge-2"
    whom = flow_pb.FlowFilter(src_address="192.0.2.7", port=443)
    assert target_of(flow_pb.ListTopFlowsRequest(filter=whom)) == "src_address=192.0.2.7"
    assert target_of(flow_pb.SearchFlowsRequest(address="192.0.2.7")) == "address=192.0.2.7"
    assert changes_of(request) == {"changed": "name, password"}
