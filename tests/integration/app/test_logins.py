"""Logging in, staying in, being thrown out: with real sockets and a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import websockets

from mtd.api.login.local import MOST_NAMESAKES
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from tests.integration.app.login_kit import House, house


def at_home(dsn: str, body: Callable[[House], Awaitable[None]], **sections: Any) -> None:
    async def main() -> None:
        async with house(dsn, **sections) as made:
            await body(made)

    run_async(main(), timeout_s=90)


async def sql(home: House, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    async def ask(tx: Transaction) -> list[tuple[Any, ...]]:
        await tx.execute(statement, params)
        return list(tx.fetchall()) if statement.startswith("SELECT") else []

    return await home.writer.run("test", ask)


async def until_closed(socket: Any) -> str:
    """Read until the channel is closed; return the reason that was told."""
    reason = ""
    async with asyncio.timeout(30):
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "bye":
                reason = message["reason"]
    return reason


def test_who_is_not_known_is_taken_to_the_login(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser()
        page = await browser.get("/console/")
        assert (page.status, page.headers["location"]) == (302, "/console/login")
        api = await browser.get("/console/api/v1/events")
        assert (api.status, api.headers["www-authenticate"]) == (401, 'Bearer realm="mtd"')
        assert set(api.json()) == {"error", "hint"}
        with pytest.raises(websockets.InvalidStatus) as refused:
            await browser.live()
        assert refused.value.response.status_code == 401
        offer = (await browser.get("/console/api/v1/login")).json()
        assert (offer["password"], offer["oidc"], offer["starting"]) == (True, None, False)
        for path in ("/healthz", "/readyz", "/"):
            assert (await browser.get(path)).status == 200

    at_home(postgres_dsn, body)


def test_in_and_out(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser(user_agent="a browser")
        answer = await browser.log_in("ann")
        assert answer.status == 200
        (cookie,) = answer.cookies
        flags = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} <= flags
        assert "secure" not in flags  # without TLS browsers would never send it
        me = await browser.me()
        assert (me["name"], me["role"], me["tenant"]["id"]) == ("ann", "viewer", DEFAULT_TENANT_ID)
        assert (me["tenants"], me["can_log_out"]) == (None, True)
        assert (await browser.get("/console/api/v1/events")).status == 200
        (looked,) = home.audit.of("HTTP /console/api/v1/events")  # what is audited is written down
        assert (looked.caller, looked.outcome) == ("ann", "OK")

        # Nothing that is stored lets anybody in.
        session = browser.jar["mtd_session"]
        ((stored, agent),) = await sql(home, "SELECT session_hash, agent FROM session")
        assert session.encode() not in bytes(stored)
        assert agent == "a browser"
        thief = home.browser()
        thief.jar["mtd_session"] = bytes(stored).hex()
        assert (await thief.get("/console/api/v1/me")).status == 401
        assert "mtd_session" not in thief.jar  # it was told to forget it

        assert (await browser.post("/console/api/v1/logout", {})).status == 200
        assert browser.jar == {}
        browser.jar["mtd_session"] = session
        assert (await browser.get("/console/api/v1/me")).status == 401
        assert [entry.caller for entry in home.audit.of("login.logout")] == ["ann"]
        (entry,) = home.audit.of("login.password")
        assert (entry.caller, entry.tenant_id, entry.outcome) == ("ann", DEFAULT_TENANT_ID, "OK")

    at_home(postgres_dsn, body)


def test_a_login_is_a_new_session_whatever_the_browser_brought(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser()
        browser.jar["mtd_session"] = "planted-by-somebody-else"
        assert (await browser.log_in("ann")).status == 200
        first = browser.jar["mtd_session"]
        assert first != "planted-by-somebody-else"
        assert (await browser.log_in("ann")).status == 200
        assert browser.jar["mtd_session"] != first
        other = home.browser()
        other.jar["mtd_session"] = first
        assert (await other.get("/console/api/v1/me")).status == 401

    at_home(postgres_dsn, body)


def test_pages_of_others_change_nothing(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser()
        await browser.log_in("root")
        chosen = {"tenant": home.beta}
        where = "/console/api/v1/tenant"
        for headers in (
            {"x_mtd_csrf": ""},
            {"x_mtd_csrf": "f" * 64},
            {"origin": ""},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec_fetch_site": "cross-site"},
        ):
            assert (await browser.post(where, chosen, **headers)).status == 403, headers
        assert "mtd_tenant" not in browser.jar
        assert (await browser.post("/console/api/v1/logout", {}, x_mtd_csrf="")).status == 403
        assert (await browser.post(where, chosen, origin="", sec_fetch_site="same-origin")).status == 200
        # A form of HTML can't send JSON.
        plain = await browser.post(where, chosen, content_type="text/plain")
        assert (plain.status, "JSON" in plain.json()["error"]) == (400, True)

    at_home(postgres_dsn, body)


def test_all_that_is_wrong_is_told_in_the_same_words(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        await home.identity.users.create(DEFAULT_TENANT_ID, await new_person("sso"))
        off = await home.user(DEFAULT_TENANT_ID, "off")
        await home.identity.users.update(DEFAULT_TENANT_ID, off, {"enabled": False})
        told = set()
        for name, password, tenant in (
            ("ann", "wrong", ""),
            ("nobody", "wrong", ""),
            ("ann", "wrong", "beta"),
            ("ben", "correct horse battery", "default"),
            ("ann", "correct horse battery", "no-such-tenant"),
            ("sso", "correct horse battery", ""),
            ("off", "correct horse battery", ""),
            ("ann' OR true --", "x", ""),
            ("\x00", "x", ""),
        ):
            answer = await home.browser(x_forwarded_for=f"192.0.2.{len(name)}{len(tenant)}").log_in(
                name, password, tenant
            )
            assert answer.status == 401, (name, tenant)
            told.add(answer.body)
        assert len(told) == 1
        entries = home.audit.of("login.password")
        assert {entry.outcome for entry in entries} == {"UNAUTHENTICATED"}
        # Whose user it was is told to its tenant, who is nobody's to none.
        assert {entry.tenant_id for entry in entries if entry.target == "user=ann"} == {
            DEFAULT_TENANT_ID,
            NO_TENANT_ID,
        }
        assert {entry.tenant_id for entry in entries if entry.target == "user=nobody"} == {NO_TENANT_ID}
        assert "horse" not in str(home.audit.entries)

    at_home(postgres_dsn, body, login={"free_failures": 50})


async def new_person(name: str) -> Any:
    from mtd.storage.stores.users import NewUser

    return NewUser(name, Role.VIEWER, "https://login.example.net", "subject-1")


def test_names_that_several_tenants_have(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        await home.user(DEFAULT_TENANT_ID, "sam")
        sam = await home.user(home.beta, "sam")
        browser = home.browser()
        assert "several tenants" in (await browser.log_in("sam")).json()["error"]
        assert (await browser.log_in("sam", tenant="beta")).status == 200
        assert (await browser.me())["tenant"] == {"id": home.beta, "name": "beta"}
        await home.identity.users.set_password(
            home.beta, sam, await home.identity.passwords.hash("another long one")
        )
        assert (await browser.log_in("sam", "another long one")).status == 200
        assert (await browser.me())["tenant"]["name"] == "beta"

    at_home(postgres_dsn, body)


def test_users_of_tenants_shut_no_super_admin_out(postgres_dsn: str) -> None:
    """Whatever they are called, and however often."""

    async def body(home: House) -> None:
        for number in range(MOST_NAMESAKES + 1):
            tenant = await home.identity.tenancy.tenants.create(f"tenant-{number}")
            made = await home.user(tenant.tenant_id, "root")
            await home.identity.users.set_password(
                tenant.tenant_id, made, await home.identity.passwords.hash("another long one")
            )
        await home.identity.tenancy.welcome_new()
        browser = home.browser()
        assert (await browser.log_in("root")).status == 200
        assert (await browser.me())["role"] == "super-admin"
        # The others are too many to be tried: they say which they are.
        assert (await browser.log_in("root", "another long one")).status == 401
        assert (await browser.log_in("root", "another long one", "tenant-3")).status == 200

    at_home(postgres_dsn, body)


@pytest.mark.parametrize("tenant", ["", "beta"])
def test_a_namesake_forgives_nobody_s_failures(postgres_dsn: str, tenant: str) -> None:
    """Or an admin of some tenant could guess the password of a super-admin, and log in as a namesake in between."""

    async def body(home: House) -> None:
        made = await home.user(home.beta, "root")
        await home.identity.users.set_password(
            home.beta, made, await home.identity.passwords.hash("another long one")
        )
        addresses = (f"198.51.100.{number}" for number in range(1, 250))

        async def log_in(password: str, tenant: str = "") -> int:
            browser = home.browser(x_forwarded_for=next(addresses))
            return (await browser.log_in("root", password, tenant)).status

        assert [await log_in("wrong") for _ in range(2)] == [401, 401]
        assert await log_in("another long one", tenant) == 200
        if tenant:
            assert await log_in("wrong") == 401
        # Without it the password was tried on the super-admin as well: that was the third one.
        assert await log_in("wrong") == 429

    at_home(postgres_dsn, body, login={"free_failures": 3, "first_wait_s": 200.0})


def test_who_guesses_has_to_wait(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser(x_forwarded_for="198.51.100.7")
        for _ in range(3):
            assert (await browser.log_in("ann", "wrong")).status == 401
        waits = await browser.log_in("ann")  # even with the right one
        assert waits.status == 429
        assert int(waits.headers["retry-after"]) >= 1
        assert waits.json()["retry_after_s"] > 100
        assert (await browser.log_in("ben")).status == 429  # from this address
        assert (await home.browser(x_forwarded_for="198.51.100.8").log_in("ann")).status == 429  # this user
        assert (await home.browser(x_forwarded_for="198.51.100.8").log_in("ben")).status == 200
        refusals = [entry.outcome for entry in home.audit.of("login.password")]
        assert refusals.count("UNAUTHENTICATED") == 3
        assert refusals.count("RESOURCE_EXHAUSTED") == 1  # of many: the log doesn't grow as fast as they ask

    at_home(postgres_dsn, body, login={"free_failures": 3, "first_wait_s": 200.0})


def test_sessions_end_by_time(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        for change in (
            "UPDATE session SET last_seen_at = now() - interval '2 hours'",
            "UPDATE session SET expires_at = now()",
        ):
            browser = home.browser()
            await browser.log_in("ann")
            await sql(home, change)
            assert (await browser.get("/console/")).headers["location"] == "/console/login"
            assert (await browser.get("/console/api/v1/me")).status == 401
        assert await home.logins.sessions._store.sweep() == 2  # type: ignore[union-attr]
        assert await sql(home, "SELECT * FROM session") == []

    at_home(postgres_dsn, body)


@pytest.mark.parametrize("end", ["password", "disabled", "deleted", "tenant", "logout", "time"])
def test_what_ends_a_session_closes_its_pages(postgres_dsn: str, end: str) -> None:
    async def body(home: House) -> None:
        ben, ann = home.browser(), home.browser()
        await ben.log_in("ben")
        await ann.log_in("ann")
        user = await home.identity.users.get(home.beta, "ben")
        async with ben.live() as socket, ann.live() as other:
            assert json.loads(await socket.recv())["type"] == "hello"
            if end == "password":
                await home.identity.users.set_password(home.beta, user.user_id, "$argon2id$none")
            elif end == "disabled":
                await home.identity.users.update(home.beta, user.user_id, {"enabled": False})
            elif end == "deleted":
                await home.identity.users.delete(home.beta, user.user_id)
            elif end == "tenant":
                await home.identity.tenancy.tenants.update("beta", ["enabled"], enabled=False)
            elif end == "logout":
                await ben.post("/console/api/v1/logout", {})
            else:
                await sql(home, "UPDATE session SET expires_at = now() WHERE user_id = %s", user.user_id)
            assert "log" in await until_closed(socket)
            assert json.loads(await other.recv())["type"]
        assert (await ben.get("/console/api/v1/events")).status == 401
        if end == "disabled":  # and enabled again: the old session stays ended
            await home.identity.users.update(home.beta, user.user_id, {"enabled": True})
            assert (await ben.get("/console/api/v1/events")).status == 401
        assert (await ann.get("/console/api/v1/events")).status == 200

    at_home(postgres_dsn, body, login={"check_s": 0.5 if end == "time" else 60.0})


def test_a_token_that_is_revoked_closes_its_pages(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        token = await home.token(home.beta, Role.VIEWER, "console.read")
        browser = home.browser(authorization=f"Bearer {token}")
        async with browser.live() as socket:
            assert json.loads(await socket.recv())["type"] == "hello"
            tokens = home.identity.tenancy.tokens
            (record,) = await tokens.list(home.beta)
            await tokens.revoke(home.beta, record.token_id)
            assert "may not look" in await until_closed(socket)

    at_home(postgres_dsn, body)


def test_loopback_is_trusted_unless_a_proxy_passed_it_on(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser()
        me = await browser.me()
        assert (me["kind"], me["role"], me["can_log_out"]) == ("local", "super-admin", False)
        assert (await browser.get("/metrics")).status == 200
        for name in ("x_forwarded_for", "forwarded", "via", "x_real_ip", "x_forwarded_host"):
            proxied = home.browser(**{name: "192.0.2.1"})
            assert (await proxied.get("/console/api/v1/me")).status == 401, name
            assert (await proxied.get("/metrics")).status == 401, name
        # By a name that only a proxy can have brought: one that forgot to say so makes nobody an operator.
        by_name = home.browser(host="mtd.example.net")
        assert (await by_name.get("/console/api/v1/me")).status == 401
        assert (await by_name.get("/metrics")).status == 401
        for own in (f"localhost:{home.server.port}", f"[::1]:{home.server.port}"):
            assert (await home.browser(host=own).me())["kind"] == "local", own
        # Who logged in is who logged in; a session that is over is told, and then it is the operator again.
        await browser.log_in("ann")
        assert (await browser.me())["name"] == "ann"
        await sql(home, "DELETE FROM session")
        assert (await browser.get("/console/")).headers["location"] == "/console/login"
        assert (await browser.me())["kind"] == "local"

    at_home(
        postgres_dsn,
        body,
        security={"trust_loopback": True},
        login={"public_base_url": "http://mtd.example.net"},
    )


def test_it_is_told_if_nobody_can_get_in(postgres_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    async def body(home: House) -> None:
        assert "nobody may administrate" in caplog.text  # there was no user at the start
        caplog.clear()
        await home.identity.tell_if_locked_out()
        assert caplog.text == ""
        await sql(home, "UPDATE user_account SET enabled = false")
        await home.identity.tell_if_locked_out()
        assert "mtd user add NAME --super-admin" in caplog.text
        caplog.clear()
        await home.token(NO_TENANT_ID, Role.SUPER_ADMIN)
        await home.identity.tell_if_locked_out()
        assert caplog.text == ""

    at_home(postgres_dsn, body)


def test_behind_https_cookies_are_for_https_only(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        browser = home.browser(host="mtd.example.net", x_forwarded_for="192.0.2.9")
        browser.csrf = (await browser.get("/console/api/v1/login")).json()["csrf"]
        given = {"name": "ann", "password": "correct horse battery"}
        answer = await browser.post("/console/api/v1/login", given, origin="https://mtd.example.net")
        (cookie,) = answer.cookies
        assert cookie.startswith("__Host-mtd_session=")
        assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert "domain" not in cookie.lower()
        assert (await browser.me())["name"] == "ann"
        (entry,) = home.audit.of("login.password")
        assert entry.peer == "192.0.2.9"

    at_home(postgres_dsn, body, login={"public_base_url": "https://mtd.example.net"})


def test_super_admins_choose_their_tenant(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        root = home.browser()
        await root.log_in("root")
        me = await root.me()
        assert [one["name"] for one in me["tenants"]] == ["beta", "default"]
        assert me["tenant"]["id"] == DEFAULT_TENANT_ID
        assert (await root.post("/console/api/v1/tenant", {"tenant": "nowhere"})).status == 404
        assert (await root.post("/console/api/v1/tenant", {"tenant": home.beta})).status == 200
        assert (await root.me())["tenant"] == {"id": home.beta, "name": "beta"}
        (entry,) = home.audit.of("login.tenant")
        assert (entry.caller, entry.target) == ("root", "tenant=beta")
        # The next one who logs in with this browser doesn't inherit it.
        await root.log_in("ann")
        assert (await root.me())["tenant"]["id"] == DEFAULT_TENANT_ID
        assert (await root.post("/console/api/v1/tenant", {"tenant": home.beta})).status == 403

    at_home(postgres_dsn, body)


def test_twenty_sessions_of_a_user_are_kept(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        first = home.browser()
        await first.log_in("ann")
        for _ in range(20):
            await home.browser().log_in("ann")
        assert await sql(home, "SELECT count(*) FROM session") == [(20,)]
        assert (await first.get("/console/api/v1/me")).status == 401

    at_home(postgres_dsn, body)


def test_the_last_login_is_noted(postgres_dsn: str) -> None:
    async def body(home: House) -> None:
        await home.browser().log_in("root")
        user = await home.identity.users.get(NO_TENANT_ID, "root")
        assert user.last_login_at is not None

    at_home(postgres_dsn, body)
