"""The table of the HTTP door's routes: none is forgotten, none is open by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from klein import Klein
from prometheus_client import CollectorRegistry

from mtd.api.access.interfaces import Credentials
from mtd.api.console.config import ConsoleConfig
from mtd.api.console.pages import LIVE, ConsolePages, _Routes
from mtd.api.console.static import Assets
from mtd.api.http.access import ROUTES, Doorkeeper, Starting
from mtd.api.http.cookies import Cookies
from mtd.api.http.ingest_pages import IngestPages
from mtd.api.http.pages import PageSet
from mtd.api.http.prometheus_pages import PrometheusPages
from mtd.api.http.routes import Pages
from mtd.api.login.config import LoginConfig
from mtd.api.login.pages import LoginPages
from mtd.core.errors import Retryable
from mtd.model.principal import CallerKind, Role
from mtd.testing import run_async
from tests.unit.api.fakes import FakeReadiness

LOGIN = LoginPages(LoginConfig(), Cookies())
CONSOLE = ConsolePages(ConsoleConfig(), Assets())
PROMETHEUS = PrometheusPages.__new__(PrometheusPages)  # its routes are of the class
INGEST = IngestPages.__new__(IngestPages)
# In the order in which the daemon mounts them: the first that knows a path answers.
SETS: list[tuple[PageSet, Any]] = [
    (Pages(FakeReadiness(), CollectorRegistry(), "1"), Pages.app),
    (INGEST, IngestPages.app),
    (LOGIN, LoginPages.app),
    (CONSOLE, _Routes.app),
    (PROMETHEUS, PrometheusPages.app),
]
DEVICE = "aaaaaaaa-0000-4000-8000-000000000001"
PAGES = (
    *("events", "logs", "catalogue", "self", "drops", "nothing", f"devices/{DEVICE}", "devices", ""),
    *("flows", "flows/paths", "flows/records", "flows/interfaces", "flows/nothing", "logs/"),
)
DEVICE_PAGES = ("history", "events", "health", "nothing")


def served() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield every path that a page set answers for, and the methods that it takes."""
    yield LIVE, frozenset({"GET"})
    for page in (*PAGES, *(f"devices/{DEVICE}/{page}" for page in DEVICE_PAGES)):
        yield f"/console/api/v1/{page}", frozenset({"GET"})
    for _, app in SETS:
        assert isinstance(app, Klein)
        for rule in app.url_map.iter_rules():
            path = str(rule.rule).replace("<path:name>", "assets/main.js").replace("<path:page>", "events")
            assert "<" not in path, f"say here what {path} stands for"
            yield path, frozenset(rule.methods or ())


def route_of(path: str) -> str | None:
    return next((route for pages, _ in SETS if (route := pages.route_of(path)) is not None), None)


@pytest.mark.parametrize(("path", "methods"), list(served()))
def test_every_path_has_a_rule(path: str, methods: frozenset[str]) -> None:
    route = route_of(path)
    assert route is not None, f"{path} is answered, and no page set says that it is its own"
    access = ROUTES.get(route)
    assert access is not None, f"{route} has no rule: add it to mtd.api.http.access.ROUTES"
    if methods - {"GET", "HEAD", "OPTIONS"}:
        assert access.changes or access.own_proof, (
            f"{route} changes something, and any page could make a browser send it"
        )


def test_every_rule_has_a_path() -> None:
    assert set(ROUTES) == {route_of(path) for path, _ in served()}


def test_what_is_open_is_meant_to_be() -> None:
    assert {route for route, access in ROUTES.items() if access.rule.open} == {
        *("/", "/healthz", "/readyz", "/openapi.json"),
        *("/console/assets", "/console/login", "/console/login/oidc", "/console/login/callback"),
        *("/console/api/v1/login", "/console/api/v1/logout"),
        *("/ingest/v1/batch", "/ingest/v1/heartbeat"),
    }
    for route, access in ROUTES.items():
        if not access.rule.open:
            assert access.rule.scope, route
            assert access.rule.role is not None, route
            assert not access.own_proof, route
    across = {route for route, access in ROUTES.items() if access.rule.role is Role.SUPER_ADMIN}
    assert across == {"/metrics", "/console/api/v1/tenant"}


def test_a_route_without_a_rule_is_for_nobody() -> None:
    from mtd.api.http.access import _NOBODY
    from mtd.core.errors import Forbidden
    from mtd.model.principal import Principal

    assert not _NOBODY.rule.open
    boss = Principal(CallerKind.LOCAL, "", "t", Role.SUPER_ADMIN)
    with pytest.raises(Forbidden):
        _NOBODY.rule.check(boss)
    assert not Doorkeeper().has_own_proof("/new")


def test_while_mtd_starts_proofs_are_kept_for_later() -> None:
    starting = Starting(trust_loopback=True)
    for shown in ({"bearer": "x"}, {"session": "x"}):
        with pytest.raises(Retryable):
            run_async(starting.admit(Credentials("127.0.0.1:5", **shown)))
    assert run_async(starting.admit(Credentials("127.0.0.1:5"))).kind is CallerKind.LOCAL
    assert run_async(starting.admit(Credentials("127.0.0.1:5", forwarded=True))).kind is CallerKind.UNKNOWN
