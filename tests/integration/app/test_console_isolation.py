"""Two tenants at the HTTP door: every route of the table, asked by one about the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mtd.api.http.access import ROUTES
from mtd.api.metrics import ACCESS_REFUSED
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.testing import run_async
from tests.integration.app.login_kit import A_DEVICE, A_NAME, B_DEVICE, B_NAME, Answer, Browser, House, house
from tests.integration.app.pushed_kit import STRANGER

NOBODYS = "cccccccc-0000-4000-8000-000000000001"
API = "/console/api/v1"
SCOPES = ("metrics.read", "console.read")

PATHS: Mapping[str, Sequence[str]] = {
    "/": ["/"],
    "/healthz": ["/healthz"],
    "/readyz": ["/readyz"],
    "/openapi.json": ["/openapi.json"],
    "/metrics": ["/metrics"],
    "/metrics/devices": ["/metrics/devices", "/metrics/devices?target={device}&tenant={tenant}"],
    "/probe": ["/probe?target={device}", "/probe?target={name}", "/probe?target={name}.example.net", "/probe"],
    "/sd": ["/sd", "/sd?tenant={tenant}"],
    "/console/": ["/console/"],
    "/console/assets": ["/console/favicon.svg", "/console/{device}"],
    "/console/live": ["/console/live"],
    "/console/login": ["/console/login"],
    "/console/login/oidc": ["/console/login/oidc"],
    "/console/login/callback": ["/console/login/callback?code=x&state={device}"],
    f"{API}/events": [f"{API}/events", f"{API}/events?before=9000000000000000000", f"{API}/events?limit=500"],
    f"{API}/logs": [f"{API}/logs", f"{API}/logs?device={{device}}", f"{API}/logs?limit=500"],
    f"{API}/flows": [f"{API}/flows", f"{API}/flows?device={{device}}", f"{API}/flows?limit=500"],
    f"{API}/flows/paths": [
        f"{API}/flows/paths",
        *(f"{API}/flows/paths?device={{device}}&kind={kind}" for kind in ("conversation", "service", "interfaces")),
    ],
    f"{API}/flows/records": [
        f"{API}/flows/records?port=80&time_us=7000000",
        f"{API}/flows/records?port=80&time_us=7000000&device={{device}}",
    ],
    f"{API}/flows/interfaces": [f"{API}/flows/interfaces", f"{API}/flows/interfaces?device={{device}}"],
    f"{API}/drops": [f"{API}/drops"],
    f"{API}/catalogue": [f"{API}/catalogue"],
    f"{API}/self": [f"{API}/self"],
    f"{API}/other": [f"{API}/tenants", f"{API}/{{device}}"],
    f"{API}/devices/ID": [f"{API}/devices/{{device}}", f"{API}/devices/{{name}}"],
    f"{API}/devices/ID/history": [f"{API}/devices/{{device}}/history?metric=*"],
    f"{API}/devices/ID/events": [f"{API}/devices/{{device}}/events", f"{API}/devices/{{device}}/events?before=99"],
    f"{API}/devices/ID/health": [f"{API}/devices/{{device}}/health"],
    f"{API}/login": [f"{API}/login"],
    f"{API}/logout": [f"{API}/logout"],
    f"{API}/me": [f"{API}/me"],
    f"{API}/tenant": [f"{API}/tenant"],
}  # fmt: skip
ELSEWHERE = {"/ingest/v1/batch", "/ingest/v1/heartbeat"}
"""Asked in the tests of the ingest pages: what is sent there is signed."""


def test_isolation_every_route_is_asked() -> None:
    assert set(PATHS) | ELSEWHERE == set(ROUTES), "a new route has to be asked here, too"


def at_home(dsn: str, body: Any, **sections: Any) -> None:
    async def main() -> None:
        async with house(dsn, **sections) as home:
            await body(home)

    run_async(main(), timeout_s=90)


def filled(path: str, home: House, device: str, name: str) -> str:
    return path.format(device=device, name=name, tenant=home.beta)


def marks(home: House) -> list[str]:
    """Return what tells of tenant B."""
    return [B_NAME, B_DEVICE, home.beta, "beta"]


def told(answer: Answer, *asked: str) -> str:
    """Return what an answer says, without what was asked."""
    text = answer.body.decode("utf-8", "replace") + json.dumps(answer.headers)
    for one in asked:
        text = text.replace(one, "ASKED")
    return text


@pytest.mark.parametrize("proof", ["session", "token", "admin-token"])
def test_isolation_no_route_tells_of_another_tenant(postgres_dsn: str, proof: str) -> None:
    async def body(home: House) -> None:
        browser = await known(home, proof)
        asked = 0
        for route, paths in PATHS.items():
            for path in paths:
                theirs = await browser.get(filled(path, home, B_DEVICE, B_NAME))
                nobodys = await browser.get(filled(path, home, NOBODYS, "router-of-nobody"))
                assert theirs.status < 500 or route in ("/console/login", "/console/"), path  # not built
                # What belongs to another is answered as what isn't there.
                assert theirs.status == nobodys.status, path
                text = told(theirs, B_DEVICE, f"{B_NAME}.example.net", B_NAME)
                if route != "/metrics/devices" and ("{device}" in path or "{name}" in path):  # ages change
                    assert text_of(theirs, B_DEVICE, B_NAME) == text_of(
                        nobodys, NOBODYS, "router-of-nobody"
                    ), path
                assert not [mark for mark in marks(home) if mark in text], path
                asked += 1
        assert asked >= len(PATHS)
        # The same questions about what is theirs are answered.
        for path in (
            f"{API}/devices/{A_DEVICE}",
            f"/probe?target={A_NAME}",
            f"{API}/devices/{A_DEVICE}/health",
        ):
            assert (await browser.get(path)).status == 200, path
        flows = ("flows", "flows/paths", "flows/records?port=80&time_us=7000000", "flows/interfaces", "drops")
        for path in ("/metrics/devices", "/sd", f"{API}/events", *(f"{API}/{page}" for page in flows)):
            assert A_NAME in (await browser.get(path)).body.decode(), path
        refused = (await browser.get("/metrics")).json()["error"]  # of the process, that is of all tenants
        assert "super-admin" in refused

    at_home(postgres_dsn, body)


def text_of(answer: Answer, device: str, name: str) -> str:
    """Return what an answer says of a device, without its names and without what changes by itself."""
    text = answer.body.decode("utf-8", "replace")
    for one in (device, name):
        text = text.replace(one, "IT")
    return text


async def known(home: House, proof: str) -> Browser:
    """Return a browser of tenant A that shows a proof."""
    if proof == "session":
        browser = home.browser()
        await browser.log_in("ann")
        return browser
    role = Role.VIEWER if proof == "token" else Role.ADMIN
    scopes = SCOPES if proof == "token" else ("*",)
    token = await home.token(DEFAULT_TENANT_ID, role, *scopes)
    return home.browser(authorization=f"Bearer {token}")


@pytest.mark.parametrize("proof", ["session", "token"])
def test_isolation_nobody_gets_in_by_saying_so(postgres_dsn: str, proof: str) -> None:
    async def body(home: House) -> None:
        browser = await known(home, proof)
        guarded = [route for route, access in ROUTES.items() if not access.rule.open and route in PATHS]
        for claim in (home.beta, "beta", NO_TENANT_ID, "no such tenant", "beta' OR true --"):
            before = refusals()
            for route in guarded:
                path = filled(PATHS[route][0], home, B_DEVICE, B_NAME)
                answer = await browser.get(path, mtd_tenant=claim)
                assert answer.status == 403, (
                    path,
                    claim,
                )  # said by a header, which no browser sends by itself
                assert not [mark for mark in (B_NAME, home.beta) if mark in told(answer, B_DEVICE, claim)], (
                    path
                )
            assert refusals() == before + len(guarded)
        if proof == "session":  # where the browser says it
            browser.jar["mtd_tenant"] = home.beta
            for route in guarded:
                browser.jar["mtd_tenant"] = home.beta
                # A page heals itself: it comes without the cookie, which somebody else may have left there.
                answer = await browser.get(PATHS[route][0])
                assert answer.status == (302 if ROUTES[route].page else 403), route
                assert ("mtd_tenant" in browser.jar) != ROUTES[route].page
            del browser.jar["mtd_tenant"]
        # Headers that nobody knows, in case somebody begins to.
        for name in ("x_tenant", "x_mtd_tenant", "x_tenant_id", "x_forwarded_user", "x_remote_user"):
            answer = await browser.get("/sd", **{name: home.beta})
            assert (answer.status, A_NAME in answer.body.decode()) == (200, True)
            assert B_NAME not in answer.body.decode()
        assert len(home.audit.entries) >= 5 * len(guarded)

    at_home(postgres_dsn, body)


def refusals() -> float:
    return float(ACCESS_REFUSED.labels(reason="tenant")._value.get())


def test_isolation_scopes_of_tokens(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        wrong = home.browser(
            authorization=f"Bearer {await home.token(DEFAULT_TENANT_ID, Role.ADMIN, 'telemetry.read')}"
        )
        for route, access in ROUTES.items():
            if not access.rule.open and route in PATHS:
                assert (await wrong.get(PATHS[route][0])).status == 403, route
        metrics = home.browser(
            authorization=f"Bearer {await home.token(NO_TENANT_ID, Role.SUPER_ADMIN, 'metrics.read')}"
        )
        assert (await metrics.get("/metrics")).status == 200
        assert (await metrics.get(f"{API}/events")).status == 403
        bad = home.browser(authorization="Bearer mtd_000000000000_" + "x" * 49)
        for route, access in ROUTES.items():
            if not access.rule.open and route in PATHS:
                assert (await bad.get(PATHS[route][0])).status in (401, 302), route

    at_home(postgres_dsn, body, security={"failures_per_minute": 1000})  # fmt: skip


def test_isolation_at_the_same_moment(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        ann, ben = home.browser(), home.browser()
        await ann.log_in("ann")
        await ben.log_in("ben")
        for path in ("/metrics/devices", "/sd", f"{API}/events", f"{API}/self", f"{API}/me"):
            answers = await asyncio.gather(*((ann, ben)[number % 2].get(path) for number in range(12)))
            for number, answer in enumerate(answers):
                ours, theirs = (A_NAME, B_NAME) if number % 2 == 0 else (B_NAME, A_NAME)
                assert answer.status == 200
                assert theirs not in answer.body.decode(), path
                if path not in (f"{API}/self", f"{API}/me"):
                    assert ours in answer.body.decode(), path

    at_home(postgres_dsn, body)


def test_isolation_of_the_live_channel(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        ann, ben = home.browser(), home.browser()
        await ann.log_in("ann")
        await ben.log_in("ben")
        async with ann.live() as ours, ben.live() as theirs:
            seen: dict[str, list[dict[str, Any]]] = {"ann": [], "ben": []}
            for position in (0, 2**62, 6):  # positions of nobody's, of another's
                for socket in (ours, theirs):
                    await socket.send(
                        json.dumps(
                            {
                                **{"op": "view", "devices": [A_DEVICE, B_DEVICE], "rank": True, "self": True},
                                **{"events": "all", "after": position, "look": position},
                                "detail": B_DEVICE if socket is ours else A_DEVICE,
                            }
                        )
                    )
                for tenant_id in (DEFAULT_TENANT_ID, home.beta):
                    world = home.worlds.of(tenant_id).world
                    await world.trends.step()
                    await world.own.sample()
                await collect(ours, seen["ann"], ("self", "rank", "fleet", "values", "trend"))
                await collect(theirs, seen["ben"], ("self", "rank", "fleet", "values", "trend"))
        heard = {name: json.dumps(messages) for name, messages in seen.items()}
        assert A_DEVICE in heard["ann"]
        assert B_DEVICE in heard["ben"]
        for mark in marks(home):
            assert mark not in heard["ann"], mark
        for mark in (A_NAME, A_DEVICE):
            assert mark not in heard["ben"], mark
        # Of the process, what tells of all tenants is for those who run it.
        states = [message for message in seen["ann"] if message["type"] == "self"]
        assert states
        for state in states:
            assert set(state) == {"type", "now_us", "version", "devices", "routers", "collectors"}

    at_home(postgres_dsn, body)


async def collect(socket: Any, seen: list[dict[str, Any]], kinds: Sequence[str]) -> None:
    """Read until each of these kinds was told at least once."""
    async with asyncio.timeout(30):
        while not {*kinds} <= {message["type"] for message in seen}:
            seen.append(json.loads(await socket.recv()))


def test_isolation_super_admins_see_the_tenant_that_they_chose(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        root = home.browser()
        await root.log_in("root")
        assert {
            A_NAME in (await root.get("/sd")).body.decode(),
            (await root.get("/metrics")).status == 200,
        } == {True}
        await root.post(f"{API}/tenant", {"tenant": "beta"})
        for path in ("/sd", "/metrics/devices", f"{API}/events"):
            text = (await root.get(path)).body.decode()
            assert B_NAME in text, path
            assert A_NAME not in text, path
        assert (await root.get(f"{API}/devices/{A_DEVICE}")).status == 404
        async with root.live() as socket:
            seen: list[dict[str, Any]] = []
            await socket.send(json.dumps({"op": "view", "devices": [A_DEVICE, B_DEVICE], "self": True}))
            await collect(socket, seen, ("fleet", "values", "self"))
            text = json.dumps(seen)
            assert B_DEVICE in text
            assert A_DEVICE not in text
            assert "figures" in text  # they run it
        state = (await root.get(f"{API}/self")).json()
        assert state["figures"]
        assert "routers" in state
        # A token chooses by a header, as over gRPC.
        token = await home.token(NO_TENANT_ID, Role.SUPER_ADMIN)
        bearer = home.browser(authorization=f"Bearer {token}")
        assert B_NAME in (await bearer.get("/sd", mtd_tenant="beta")).body.decode()
        assert A_NAME in (await bearer.get("/sd")).body.decode()
        assert (await bearer.get("/sd", mtd_tenant="nowhere")).status == 403

    at_home(postgres_dsn, body)


def test_isolation_unknown_senders_and_totals_are_for_those_who_cross_tenants(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        ann, root = home.browser(), home.browser()
        await ann.log_in("ann")
        await root.log_in("root")
        told, whole = (await ann.get(f"{API}/drops")).json(), (await root.get(f"{API}/drops")).json()
        assert set(told) == {"now_us", "since_us", "listeners", "exporters", "too_fast"}
        assert [one["devices"] for one in told["exporters"]] == [[{"id": A_DEVICE, "name": A_NAME}]]
        assert [one["device"] for one in told["too_fast"]] == [A_NAME]
        assert [set(one) for one in told["listeners"]] == [{"name", "label"}] * 2
        assert all(one["figures"] for one in whole["listeners"])
        assert [one["address"] for one in whole["unknown_senders"]] == [STRANGER]
        assert [one["address"] for one in whole["shared"]] == ["addr-of-both"]
        # Whoever they look at, super-admins see that tenant's routers.
        await root.post(f"{API}/tenant", {"tenant": "beta"})
        theirs = (await root.get(f"{API}/drops")).json()
        assert [one["device"] for one in theirs["too_fast"]] == [B_NAME]
        assert A_NAME not in json.dumps(theirs)

    at_home(postgres_dsn, body)


def test_isolation_what_is_live_of_a_tenant_is_dropped(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        ben, ann = home.browser(), home.browser()
        await ben.log_in("ben")
        await ann.log_in("ann")
        assert set(home.worlds.tenants) == {DEFAULT_TENANT_ID}
        async with ben.live() as socket:
            await socket.recv()
            assert set(home.worlds.tenants) == {DEFAULT_TENANT_ID, home.beta}
            home.worlds.sweep()
            assert home.beta in home.worlds.tenants  # somebody looks
            # No tenant more than are allowed; nobody who looks is sent away.
            third = (await home.identity.tenancy.tenants.create("gamma")).tenant_id
            await home.identity.tenancy.welcome_new()
            await home.user(third, "gus")
            gus = home.browser()
            await gus.log_in("gus")
            refused = await gus.get(f"{API}/self")
            assert (refused.status, "max_tenants" in refused.json()["hint"]) == (503, True)
        async with asyncio.timeout(20):
            while home.worlds.of(home.beta).viewers:
                await asyncio.sleep(0.01)
        assert (await gus.get(f"{API}/self")).status == 200  # the place of a tenant without viewers
        assert home.beta not in home.worlds.tenants
        home.worlds.sweep()
        assert set(home.worlds.tenants) == {DEFAULT_TENANT_ID}
        async with ann.live() as socket:
            await socket.recv()

    at_home(postgres_dsn, body, console={"max_tenants": 2, "tenant_linger_s": 0.0})
