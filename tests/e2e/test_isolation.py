"""Two tenants at every door: what is one's is never the other's, whatever the other asks with.

The methods are those of the protocol, the routes those of the HTTP door's table: a new one is asked as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.message import Message

from mtd.api.http.access import ROUTES
from mtd.client import MtdClient, credential_sets, identity, ingest, places, tools
from tests.e2e.kit import Rig, rig, wait_for
from tests.e2e.matrix import (
    METHODS,
    Answered,
    Belongings,
    Caller,
    belongings,
    call,
    filled,
    get,
    texts_in,
    writable_by_doors,
)

ALPHA, BRAVO = "alpha", "bravo"
# What is answered for everybody, the same for each: the catalogue, and who one is oneself.
SAME_FOR_ALL = {"TelemetryService/ListMetrics"}
SHOWN_TO_ITS_OWN = {
    "TelemetryService/StreamLatest", "TelemetryService/QueryLatest",
    "TelemetryService/StreamEvents",
    "InventoryService/GetDevice", "InventoryService/ListDevices", "InventoryService/ListCosts",
    "SiteService/ListSites", "DeviceGroupService/ListDeviceGroups", "CredentialSetService/ListCredentialSets",
    "DiagnosticsService/ListRuns", "AuditService/ListAuditEntries", "AuditService/ExportAuditEntries",
    "UserService/ListUsers", "TokenService/ListTokens", "CollectorService/ListCollectors",
    "PollingService/ListPollers", "PollingService/ListAssignments",
    "IngestKeyService/ListIngestKeys", "TenantService/GetTenant", "UserService/WhoAmI",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Two:
    """A daemon with two tenants that have the same things, by other names."""

    stage: Rig
    alpha: Caller
    bravo: Caller
    alpha_id: str
    bravo_id: str
    theirs: Belongings
    position: int
    """Of an event of Bravo's."""

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self.stage.server, options=(("grpc.enable_http_proxy", 0),))


def _equip(stage: Rig, tenant: str, router: str) -> str:
    """Give a tenant one of everything; return the token of its administrator."""
    with MtdClient(stage.server, tenant=tenant) as client:
        made = client.ask(identity.create_token(f"{tenant}-admin", role="admin", scopes=["*"]))
        lab = stage.routers[router]
        login = {name: lab[name] for name in ("host", "port", "username", "password")}
        client.ask(places.create_site(f"{tenant}-site"))
        client.ask(places.create_group(f"{tenant}-group"))
        client.create_device(
            name=f"{tenant}-core", site=f"{tenant}-site", groups=[f"{tenant}-group"], **login
        )
        client.create_device(name="core", enabled=False, notes=f"{tenant}-notes", **login)
        client.ask(identity.create_user(f"{tenant}-user", role="viewer", password="correct horse battery"))
        client.ask(
            credential_sets.create_set(f"{tenant}-login", purpose="diagnostics", username=f"{tenant}-tools")
        )
        client.ask(ingest.create_key(f"{tenant}-key"))
    # Collectors come in by TLS only, which this door hasn't: as an invitation leaves it.
    stage.sql(
        "INSERT INTO collector (tenant_id, name, created_by) SELECT tenant_id, %s, 'test' FROM tenant WHERE name = %s",
        f"{tenant}-edge",
        tenant,
    )
    return made.secret


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with rig(
        "fleet", "--routers", "2", "--interfaces", "4", settings={"console": {"enabled": True}}
    ) as stage:
        with MtdClient(stage.server) as client:
            alpha_id = client.ask(identity.create_tenant(ALPHA)).id
            bravo_id = client.ask(identity.create_tenant(BRAVO)).id
        tokens = {
            tenant: _equip(stage, tenant, router)
            for tenant, router in ((ALPHA, "lab-0001"), (BRAVO, "lab-0002"))
        }
        stage.wait_until_polled("alpha-core", "bravo-core")
        with MtdClient(stage.server, token=tokens[BRAVO]) as client:
            list(client.run(tools.ping("bravo-core", "192.0.2.1", count=1)))
            stored = wait_for(lambda: client.ask(tools.runs("bravo-core")).runs, "the run is kept", 20)
            assert stored[0].caller == "token bravo-admin"
            wait_for(lambda: client.tables("bravo-core"), "tables are there", 20)
            position = wait_for(
                lambda: [event.position for event in client.events(until_now=True)], "events are there", 20
            )[-1]
        yield Two(
            stage,
            Caller(tokens[ALPHA]),
            Caller(tokens[BRAVO]),
            alpha_id,
            bravo_id,
            belongings(stage.dsn(), bravo_id, BRAVO),
            position,
        )


def test_what_is_bravos_is_known_by_its_names_and_ids(two: Two) -> None:
    assert {
        "bravo-core",
        "bravo-site",
        "bravo-group",
        "bravo-user",
        "bravo-login",
        "bravo-key",
    } <= two.theirs.names
    assert len(two.theirs.ids) >= 8
    assert not any("alpha" in name for name in two.theirs.names)


def _questions(two: Two, name: str, bravos_tokens: list[str]) -> Iterator[tuple[Message, list[str], Caller]]:
    """Yield what Alpha asks a method: request, texts of Bravo's in it, and as whom."""
    method = METHODS[name]
    yield filled(method, ""), [], two.alpha
    ids = sorted(two.theirs.ids)
    for text in [*sorted(two.theirs.names), *ids[:: max(1, len(ids) // 12)], "core", BRAVO, two.bravo_id]:
        yield filled(method, text, two.position - 1), [text, BRAVO], two.alpha
    for token in bravos_tokens:
        request = filled(method, "")
        for field in method.input_type.fields:
            if field.name in ("page_token", "resume_token"):
                setattr(request, field.name, token)
        yield request, [token], two.alpha
    for tenant in (BRAVO, two.bravo_id):
        yield filled(method, "core"), [tenant], Caller(two.alpha.token, tenant)


def _bravos_tokens(two: Two, channel: grpc.Channel, name: str) -> list[str]:
    """Return page tokens and positions that Bravo got of a method that reads."""
    method = METHODS[name]
    if not method.name.startswith(("List", "Query", "Stream", "Export")):
        return []
    request = filled(method, "")
    for field in method.input_type.fields:
        if field.name == "page_size":
            setattr(request, field.name, 1)
        if field.name == "device":
            setattr(request, field.name, "bravo-core")
    answered = call(channel, method, request, two.bravo)
    return [
        text
        for message in answered.messages[:3]
        for text in texts_in(message, ("next_page_token", "resume_token"))
        if text
    ]


def _without_own_words(name: str, answered: Answered) -> bytes:
    """Return what was answered, of the audit log without what Alpha itself has asked with, which it may see."""
    if not name.startswith("AuditService/"):
        return answered.said
    for message in answered.messages:
        for entry in getattr(message, "entries", ()):
            entry.ClearField("target")
            entry.ClearField("detail")
    return b"".join(message.SerializeToString() for message in answered.messages)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_no_method_shows_or_changes_what_is_anothers(two: Two, name: str) -> None:
    method = METHODS[name]
    with two.channel() as channel:
        tokens = _bravos_tokens(two, channel, name)
        before = writable_by_doors(two.stage.dsn(), two.bravo_id)
        questions = list(_questions(two, name, tokens))
        if method.server_streaming:  # each takes a moment: of the names, a few of each kind
            questions = questions[:1] + questions[1:-2:6] + questions[-2:]
        answers: list[tuple[list[str], Answered]] = [
            (asked, call(channel, method, request, caller)) for request, asked, caller in questions
        ]
    for asked, answered in answers:
        for message in answered.messages:
            assert set(texts_in(message, ("tenant_id",))) <= {two.alpha_id}
        assert not two.theirs.found_in(_without_own_words(name, answered), asked), (
            f"asked with {asked}: {answered}"
        )
        assert answered.code not in ("INTERNAL", "UNKNOWN", "DATA_LOSS"), f"asked with {asked}: {answered}"
    for _, answered in answers[-2:]:
        assert answered.code in ("PERMISSION_DENIED", "UNAUTHENTICATED"), f"for another's tenant: {answered}"
    assert writable_by_doors(two.stage.dsn(), two.bravo_id) == before


def test_who_it_belongs_to_sees_it_so_that_not_seeing_it_means_something(two: Two) -> None:
    shown = set()
    with two.channel() as channel:
        for name, method in METHODS.items():
            if method.name.startswith(("List", "Get", "Query", "Stream", "Export", "TopN", "WhoAmI")):
                request = filled(method, "")
                for field in method.input_type.fields:
                    if field.name == "device":
                        setattr(request, field.name, "bravo-core")
                    if field.name == "end_us":
                        setattr(request, field.name, 2**62)
                    if field.name == "table":
                        setattr(request, field.name, "interface")
                if two.theirs.found_in(call(channel, method, request, two.bravo).said):
                    shown.add(name)
    assert SHOWN_TO_ITS_OWN - shown == set()


def test_every_route_is_asked_and_shows_nothing_of_anothers(two: Two) -> None:
    bearer = {"Authorization": f"Bearer {two.alpha.token}"}
    device = next(one for one in sorted(two.theirs.ids) if _is_device(two, one))
    for route in sorted(ROUTES):
        if "live" in route:
            continue  # a WebSocket: tests/integration/api
        for name in ("bravo-core", "core", device):
            path = route.replace("ID", name)
            for query in ("", f"?target={name}", f"?tenant={BRAVO}", f"?tenant={two.bravo_id}&device={name}"):
                for more in ({}, {"mtd-tenant": BRAVO}, {"Cookie": f"mtd_tenant={two.bravo_id}"}):
                    status, body = get(two.stage.http_port, path + query, bearer | more)
                    assert status < 500 or status == 503, f"{path}{query}: {status} {body[:300]!r}"
                    found = two.theirs.found_in(body, [name, BRAVO])
                    assert not found, f"{path}{query}: {found}"
    # And its own it does show: the routes aren't just shut.
    assert b"alpha-core" in get(two.stage.http_port, "/sd", bearer)[1]
    assert b"bravo-core" in get(two.stage.http_port, "/sd", {"Authorization": f"Bearer {two.bravo.token}"})[1]


def _is_device(two: Two, one: str) -> bool:
    with MtdClient(two.stage.server, token=two.bravo.token) as client:
        return one in {device.id for device in client.list_devices()}
