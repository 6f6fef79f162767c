"""oidc-provider, an identity provider that nobody here wrote: people log in there, and mtd believes it.

It signs with a key of its own, asks for PKCE, and takes each code once.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from http.cookiejar import CookieJar
from importlib.resources import files
from typing import Any

import pytest

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.tenant import NO_TENANT_ID
from mtd.testing import run_async
from mtd.testing.browser import MISSING, chromium, find_chromium
from mtd.testing.missing import skip_without
from mtd.testing.postgres import postgres_dsn, postgres_server
from tests.integration.app.login_kit import Browser, House, house
from tests.witnesses.kit import HERE, NODE, require

__all__ = ["postgres_dsn", "postgres_server"]

PROGRAM = HERE / "programs" / "oidc_provider.mjs"
PACKAGES = NODE / "node_modules"
SECRET = "s3cret-of-the-client & more"
GROUPS = {"kim": ["noc"], "bob": ["beta-admins"], "zoe": ["staff", "super"], "eve": []}
RULES = [
    {"value": "super", "role": "super-admin"},
    {"value": "noc", "role": "viewer", "tenant": "default"},
    {"value": "noc-admins", "role": "admin", "tenant": "default"},
    {"value": "beta-admins", "role": "admin", "tenant": "beta"},
]


class IdentityProvider:
    """The program, and a browser's way through its pages."""

    def __init__(self) -> None:
        require(PACKAGES / "oidc-provider", "oidc-provider")
        self.program = subprocess.Popen(
            ["node", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NODE_PATH": str(PACKAGES)},
        )
        self.issuer: str = self._hear()["issuer"]

    def _hear(self) -> Any:
        assert self.program.stdout is not None
        return json.loads(self.program.stdout.readline())

    def begin(self, redirect_uri: str, groups: dict[str, list[str]]) -> None:
        """Begin anew, with other keys."""
        assert self.program.stdin is not None
        given = {"redirect_uri": redirect_uri, "client_secret": SECRET, "groups": groups}
        self.program.stdin.write(json.dumps(given) + "\n")
        self.program.stdin.flush()
        assert self._hear() == {"ready": True}

    def stop(self) -> None:
        """End it."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        self.program.stdin.close()
        self.program.wait(10)
        self.program.stdout.close()

    def log_in(self, url: str, account: str) -> str:
        """Log in with an account, as a browser that was sent there; return where it is sent back to."""
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), _Stays())
        form: dict[str, str] | None = None
        for _ in range(12):
            data = None if form is None else urllib.parse.urlencode(form).encode()
            with opener.open(url, data, timeout=10) as answer:
                there, page = answer.headers.get("location"), answer.read().decode()
            form = None
            if there is not None:
                url = urllib.parse.urljoin(url, there)
                if "/console/login/callback" in url:
                    return url
                continue
            found = re.search(r'action="([^"]+)"', page)
            prompt = re.search(r'name="prompt" value="(\w+)"', page)
            assert found, page
            assert prompt, page
            url = urllib.parse.urljoin(url, found[1])
            form = {"prompt": prompt[1], "login": account, "password": "any"}
        raise AssertionError("the identity provider leads nowhere")


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows nobody: where it goes is looked at."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        return fp

    http_error_301 = http_error_303 = http_error_307 = http_error_302


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    made = IdentityProvider()
    try:
        yield made
    finally:
        made.stop()


def at_home(
    dsn: str, provider: IdentityProvider, body: Callable[[House], Awaitable[None]], **oidc: Any
) -> None:
    async def main() -> None:
        settings = {
            "issuer": provider.issuer,
            "client_id": "mtd",
            "client_secret": SECRET,
            "scopes": ["openid", "profile", "groups"],
            "rules": RULES,
            "name": "the test",
            **oidc,
        }
        async with house(dsn, login={"mode": "oidc"}, oidc=settings) as home:
            await asyncio.to_thread(provider.begin, callback(home), GROUPS)
            await body(home)

    run_async(main(), timeout_s=90)


def callback(home: House) -> str:
    return f"http://127.0.0.1:{home.server.port}/console/login/callback"


async def through(home: House, provider: IdentityProvider, browser: Browser, account: str) -> str:
    """Go to the provider and log in; return the path that it sends the browser back to."""
    away = await browser.get("/console/login/oidc")
    assert away.status == 302
    back = await asyncio.to_thread(provider.log_in, away.headers["location"], account)
    return back.removeprefix(f"http://127.0.0.1:{home.server.port}")


async def log_in(home: House, provider: IdentityProvider, account: str) -> tuple[Browser, str]:
    browser = home.browser()
    answer = await browser.get(await through(home, provider, browser, account), sec_fetch_site="cross-site",
                               sec_fetch_mode="navigate", sec_fetch_dest="document")  # fmt: skip
    assert answer.status == 302, answer
    return browser, answer.headers["location"]


def test_people_get_what_the_rules_say(postgres_dsn: str, provider: IdentityProvider) -> None:
    async def body(home: House) -> None:
        offer = (await home.browser().get("/console/api/v1/login")).json()
        assert (offer["oidc"], offer["password"]) == ({"name": "the test"}, False)
        kim, where = await log_in(home, provider, "kim")
        assert where == "/console/login"
        me = await kim.me()
        assert (me["name"], me["role"], me["tenant"]["id"]) == ("kim", "viewer", DEFAULT_TENANT_ID)
        bob, _ = await log_in(home, provider, "bob")
        me = await bob.me()
        assert (me["name"], me["role"], me["tenant"]["name"]) == ("bob", "admin", "beta")
        zoe, _ = await log_in(home, provider, "zoe")
        assert (await zoe.me())["role"] == "super-admin"
        eve, where = await log_in(home, provider, "eve")
        assert where == "/console/login?problem=nobody"
        assert (await eve.get("/console/api/v1/me")).status == 401

        # Their users are there now, and the same ones the next time.
        user = await home.identity.users.get(home.beta, "bob")
        assert (user.oidc_issuer, user.oidc_subject) == (provider.issuer, "bob")
        await log_in(home, provider, "bob")
        assert (await home.identity.users.get(home.beta, "bob")).user_id == user.user_id
        assert len(home.audit.of("login.oidc.create")) == 3
        outcomes = [entry.outcome for entry in home.audit.of("login.oidc")]
        assert outcomes == ["OK", "OK", "OK", "UNAUTHENTICATED", "OK"]
        # Passwords don't count where a provider does.
        assert (await home.browser().log_in("root")).status == 400

    at_home(postgres_dsn, provider, body)


def test_each_answer_is_good_once_and_for_one_browser(postgres_dsn: str, provider: IdentityProvider) -> None:
    async def body(home: House) -> None:
        browser = home.browser()
        path = await through(home, provider, browser, "kim")
        kept = dict(browser.jar)
        thief = home.browser()  # who saw the address has not the cookie
        assert (await thief.get(path)).headers["location"] == "/console/login?problem=expired"
        # That answer is spent now, for its owner as well.
        assert (await browser.get(path)).headers["location"] == "/console/login?problem=expired"

        path = await through(home, provider, browser, "kim")
        kept = dict(browser.jar)
        assert (await browser.get(path)).headers["location"] == "/console/login"
        browser.jar = kept
        assert (await browser.get(path)).headers["location"] == "/console/login?problem=expired"

        # A code that was used, in an answer to another login: the provider doesn't take it.
        used = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["code"][0]
        path = await through(home, provider, browser, "kim")
        swapped = re.sub(r"code=[^&]+", f"code={used}", path)
        assert (await browser.get(swapped)).headers["location"] == "/console/login?problem=token"
        # The code of somebody else's login isn't for our verifier.
        other = home.browser()
        others = await through(home, provider, other, "zoe")
        stolen = urllib.parse.parse_qs(urllib.parse.urlsplit(others).query)["code"][0]
        path = await through(home, provider, browser, "kim")
        swapped = re.sub(r"code=[^&]+", f"code={stolen}", path)
        assert (await browser.get(swapped)).headers["location"] == "/console/login?problem=token"
        for path in ("?error=access_denied&state=x", "?code=x", "?state=x&state=y&code=z", ""):
            answer = await browser.get(f"/console/login/callback{path}")
            assert answer.headers["location"] == "/console/login?problem=expired"

    at_home(postgres_dsn, provider, body)


def test_keys_may_change_and_people_may_move(postgres_dsn: str, provider: IdentityProvider) -> None:
    async def body(home: House) -> None:
        bob, _ = await log_in(home, provider, "bob")
        assert (await bob.me())["role"] == "admin"
        clock = home.logins.pages._parts.oidc._provider  # type: ignore[union-attr]
        clock._keys.read_at = float("-inf")  # as if they were read a while ago
        await asyncio.to_thread(
            provider.begin, callback(home), GROUPS | {"kim": ["noc-admins"], "bob": ["super"]}
        )
        kim, where = await log_in(home, provider, "kim")
        assert where == "/console/login"
        assert (await kim.me())["role"] == "admin"
        again, _ = await log_in(home, provider, "bob")
        assert (await again.me())["role"] == "super-admin"
        # Who moved out of a tenant has nothing open there.
        assert (await bob.get("/console/api/v1/me")).status == 401
        assert (await home.identity.users.get(NO_TENANT_ID, "bob")).role.word == "super-admin"

    at_home(postgres_dsn, provider, body)


def test_who_is_disabled_here_stays_out(postgres_dsn: str, provider: IdentityProvider) -> None:
    async def body(home: House) -> None:
        await log_in(home, provider, "kim")
        user = await home.identity.users.get(DEFAULT_TENANT_ID, "kim")
        await home.identity.users.update(DEFAULT_TENANT_ID, user.user_id, {"enabled": False})
        kim, where = await log_in(home, provider, "kim")
        assert where == "/console/login?problem=disabled"
        assert (await kim.get("/console/api/v1/me")).status == 401
        await home.identity.tenancy.tenants.update("beta", ["enabled"], enabled=False)
        _, where = await log_in(home, provider, "bob")
        assert where == "/console/login?problem=disabled"

    at_home(postgres_dsn, provider, body)


def test_logging_out_logs_out_there_too(postgres_dsn: str, provider: IdentityProvider) -> None:
    async def body(home: House) -> None:
        kim, _ = await log_in(home, provider, "kim")
        kim.csrf = (await kim.me())["csrf"]
        answer = (await kim.post("/console/api/v1/logout", {})).json()
        assert answer["url"].startswith(f"{provider.issuer}/session/end?client_id=mtd")

        def look() -> int:
            with urllib.request.urlopen(answer["url"], timeout=10) as page:
                return int(page.status)

        assert await asyncio.to_thread(look) == 200

    at_home(postgres_dsn, provider, body)


def test_a_browser_comes_back_from_another_site(postgres_dsn: str, provider: IdentityProvider) -> None:
    if find_chromium() is None:
        skip_without(MISSING)
    if not (files("mtd.api.console") / "dist" / "login.html").is_file():
        skip_without("the console is not built: run scripts/build_console")

    def look(home: House) -> tuple[str, Any]:
        # By another name than the provider's: for a browser that is another site.
        url = f"http://localhost:{home.server.port}/console/"
        with chromium() as browser:
            page = browser.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{url}#/events")
            page.get_by_role("link", name="Log in with the test").click()
            page.locator("input[name=login]").fill("kim")
            page.locator("input[name=password]").fill("any")
            page.locator("button[type=submit]").click()
            page.locator("button[type=submit]").click()  # that mtd may know who it is
            page.wait_for_selector("[data-testid=connection][data-phase=live]")
            return page.url.removeprefix(url), page.locator("[data-testid=who]").text_content()

    async def body(home: House) -> None:
        redirect = f"http://localhost:{home.server.port}/console/login/callback"
        await asyncio.to_thread(provider.begin, redirect, GROUPS)
        where, who = await asyncio.to_thread(look, home)
        assert where == "#/events"
        assert "kim" in who

    at_home(postgres_dsn, provider, body)


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:1", "{issuer}/another"])
def test_a_provider_that_is_away_is_told(postgres_dsn: str, provider: IdentityProvider, issuer: str) -> None:
    async def body(home: House) -> None:
        answer = await home.browser().get("/console/login/oidc")
        assert answer.headers["location"] == "/console/login?problem=away"

    at_home(postgres_dsn, provider, body, issuer=issuer.format(issuer=provider.issuer), timeout_s=2.0)
