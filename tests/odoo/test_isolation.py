"""Two companies, two tenants: what is one's is never the other's, whatever way somebody asks Odoo.

Models and methods are those of the registry: a new one is asked as well.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mtd.testing.odoo.bus import LIVE, BusClient, channel_of
from mtd.testing.odoo.companies import ADMIN, MAIN, SUBSCRIBERS, VIEWER, Company, Person, token_of
from mtd.testing.odoo.rpc import OdooError, OdooSession
from mtd.testing.odoo.server import Odoo
from tests.e2e.kit import rig
from tests.odoo.kit import DEVICE, Ground, add_device, ground, tab, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ALPHA, BRAVO = "alpha", "bravo"
ALPHAS = ("alpha-viewer", "alpha-admin")
LISTEN_S = 6.0
REFUSALS = {"odoo.exceptions.AccessError", "odoo.exceptions.MissingError"}
# Leads to the connection of who asks, whatever it is called on.
OF_ONES_OWN = {"action_open_connection"}
# Models with rows of a company that methods are called on. Not those of dialogs, which belong to who opened them.
STORED_THINGS = {
    "mikrotik.connection", "mikrotik.credential.set", "mikrotik.device", "mikrotik.device.capability",
    "mikrotik.device.removal", "mikrotik.diagnostic", "mikrotik.event", "mikrotik.site",
}  # fmt: skip
SCENARIO = """
[[router]]
name = "one"
interfaces = 4
pppoe = 3

[[router]]
name = "two"
interfaces = 4
pppoe = 3
"""
# What the ORM gives to everybody is asked of each model below, by name.
OF_THE_ORM = {
    "create", "write", "unlink", "read", "search", "search_read", "search_count", "read_group", "web_read_group",
    "web_search_read", "web_read", "name_search", "export_data", "copy", "default_get", "fields_get", "name_get",
    "search_fetch", "fetch", "onchange", "init", "exists", "check_access_rights", "get_views", "get_view", "copy_data", "name_create",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Two:
    """Odoo with Alpha and Bravo in it, and what is Bravo's."""

    ground: Ground
    alphas: dict[str, OdooSession]
    bravo: OdooSession
    rows: dict[str, list[int]]
    """Model -> ids of Bravo's records."""
    texts: frozenset[str]
    """By which Bravo's things are known wherever they are seen."""

    def leaks(self, answer: Any) -> list[str]:
        """Return what of Bravo's is in an answer."""
        text = json.dumps(answer, default=str).lower()
        return [one for one in self.texts if one in text]


@pytest.fixture(scope="module")
def two(odoo: Odoo, addon_template: str, new_database: Callable[..., str]) -> Iterator[Two]:
    with rig(SCENARIO) as stage:
        tokens = {tenant: token_of(stage.server, tenant) for tenant in (ALPHA, BRAVO)}
        add_device(stage, ALPHA, "alpha-core", "one")
        add_device(stage, BRAVO, "bravo-core", "two")
        stage.wait_until_polled("alpha-core", "bravo-core")
        companies = (
            Company(
                MAIN,
                tokens[ALPHA],
                (Person("alpha-viewer", (VIEWER,)), Person("alpha-admin", (ADMIN, SUBSCRIBERS))),
            ),
            Company("Bravo", tokens[BRAVO], (Person("bravo-admin", (ADMIN, SUBSCRIBERS)),)),
        )
        with ground(stage, odoo, new_database(addon_template), companies) as whole:
            _give_bravo_one_of_each(whole)
            rows = whole.odoo.shell(whole.database, _ROWS, company=whole.ids["companies"]["Bravo"]).result
            ids = whole.sql(
                "SELECT mtd_id FROM mikrotik_device WHERE company_id = %s", whole.ids["companies"]["Bravo"]
            )
            yield Two(
                whole,
                {login: whole.login(login) for login in ALPHAS},
                whole.login("bravo-admin"),
                rows,
                frozenset({"bravo", *(str(row[0]) for row in ids)}),
            )


def _give_bravo_one_of_each(whole: Ground) -> None:
    """Fill the models that mtd does not fill by itself."""
    bravo = whole.login("bravo-admin")
    device = whole.device("bravo-core")
    bravo.call("mikrotik.site", "create", [{"name": "bravo-site"}])
    login = {"name": "bravo-login", "username": "bravo-tools", "password": "bravo knows"}
    bravo.call("mikrotik.credential.set", "create", [login])
    bravo.call(
        "mikrotik.diagnostic", "create", [{"device_id": device, "tool": "ping", "address": "192.0.2.99"}]
    )
    wait_for(
        lambda: whole.sql(
            "SELECT 1 FROM mikrotik_event WHERE company_id = %s LIMIT 1", whole.ids["companies"]["Bravo"]
        ),
        "the bridge brought events",
    )
    bravo.call(DEVICE, "action_refresh_capabilities", [device])
    bravo.call(DEVICE, "live_watch", [device], str(uuid.uuid4()))


_ROWS = """
result = {}
for name in sorted(env.registry):
    model = env[name]
    if not name.startswith("mikrotik.") or model._abstract:
        continue
    if model._transient or not model._auto:
        # Rows that are made when they are asked for: the ids of others stand in for them.
        result[name] = [1, 2, 3]
    elif "company_id" in model._fields:
        result[name] = model.with_context(active_test=False).search([("company_id", "=", company)]).ids
    else:
        result[name] = model.search([("device_id.company_id", "=", company)]).ids
"""

_METHODS = """
import inspect
result = []
for name in sorted(env.registry):
    for cls in type(env[name]).mro():
        if not cls.__module__.startswith("odoo.addons.mikrotik_monitoring"):
            continue
        for method, function in vars(cls).items():
            if method.startswith("_") or not inspect.isfunction(function):
                continue
            wanted = [
                one.name
                for one in list(inspect.signature(function).parameters.values())[1:]
                if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
            ]
            result.append([name, method, wanted, getattr(function, "_api", None) == "model"])
"""


def _asked(session: OdooSession, model: str, method: str, *args: Any, **named: Any) -> Any:
    """Return what was answered, be it an error's text."""
    try:
        return session.call(model, method, *args, **named)
    except OdooError as error:
        return {"error": error.name, "message": error.message}


def _orm_questions(two: Two, model: str, ids: list[int]) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    """Yield what the ORM is asked about a model: method, arguments, named arguments."""
    everything: list[Any] = []
    of_bravo = [["id", "in", ids]]
    device = two.ground.device("bravo-core")
    for domain in (
        everything,
        of_bravo,
        [["device_id", "=", device]],
        [["company_id", "=", two.ground.ids["companies"]["Bravo"]]],
    ):
        yield "search_read", [domain], {}
        yield "search_count", [domain], {}
        yield "web_search_read", [], {"domain": domain, "specification": {"display_name": {}}}
        for group in ("company_id", "device_id"):
            yield "read_group", [domain, [], [group]], {}
            yield "web_read_group", [domain, [], [group]], {}
    yield "read", [ids], {}
    yield "web_read", [ids], {"specification": {"display_name": {}}}
    yield "export_data", [ids, ["id", "display_name"]], {}
    yield "name_search", ["bravo"], {}
    yield "name_search", [], {}
    yield "copy", [ids[:1]], {}
    yield "write", [ids, {"name": "taken"}], {}
    yield "write", [ids, {"company_id": two.ground.ids["companies"][MAIN]}], {}
    yield "unlink", [ids], {}


def test_bravo_has_something_in_each_model(two: Two) -> None:
    """Without that, nothing below could be seen."""
    allowed_empty = {"mikrotik.device.removal"}
    empty = {model for model, ids in two.rows.items() if not ids}
    assert empty <= allowed_empty
    assert {"mikrotik.device", "mikrotik.site", "mikrotik.event", "mikrotik.connection"} <= set(two.rows)


@pytest.mark.parametrize("login", ALPHAS)
def test_no_model_gives_what_is_bravos(two: Two, login: str) -> None:
    session = two.alphas[login]
    before = _bravos_rows(two)
    for model, ids in two.rows.items():
        for method, args, named in _orm_questions(two, model, ids):
            answer = _asked(session, model, method, *args, **named)
            assert two.leaks(answer) == [], f"{model}.{method}{args}: {answer}"
            if method in ("search_read", "web_search_read"):
                found = answer if isinstance(answer, list) else answer.get("records", [])
                stored = model not in ("mikrotik.metric.point", "mikrotik.metric.latest")
                assert not stored or not {row["id"] for row in found} & set(ids), f"{model}.{method}{args}"
    assert _bravos_rows(two) == before


def _bravos_rows(two: Two) -> Any:
    return two.ground.sql(
        "SELECT id, name, company_id, active, sync_state FROM mikrotik_device WHERE company_id = %s ORDER BY id",
        two.ground.ids["companies"]["Bravo"],
    )


@pytest.mark.parametrize("login", ALPHAS)
def test_no_method_serves_who_may_not_see_the_record(two: Two, login: str) -> None:
    """Each public method of the addon's models, on Bravo's records."""
    whole = two.ground
    methods = whole.odoo.shell(whole.database, _METHODS).result
    asked, served = 0, []
    for model, method, wanted, of_model in methods:
        if method in OF_THE_ORM:
            continue
        ids = two.rows.get(model) or [whole.device("bravo-core")]
        args = [_filled(two, name) for name in wanted]
        answer = _asked(two.alphas[login], model, method, *([] if of_model else [ids]), *args)
        asked += 1
        assert two.leaks(answer) == [], f"{model}.{method}: {answer}"
        refused = isinstance(answer, dict) and answer.get("error") in REFUSALS
        if not refused and not of_model and model in STORED_THINGS and method not in OF_ONES_OWN:
            served.append(f"{model}.{method}")
    assert served == []
    assert asked > 10


def _filled(two: Two, name: str) -> Any:
    """Return something for a method's parameter; a parameter that isn't known here has to be added."""
    return {
        "viewer": str(uuid.uuid4()),
        "metrics": ["system.cpu.load_pct"],
        "seconds": 60,
        "device_id": two.ground.device("bravo-core"),
        "values": {},
        "fields": ["name"],
        "data": [["taken"]],
    }[name]


def _guesses(two: Two) -> list[str]:
    """Return names by which somebody could hope to come to Bravo's channel."""
    device, database = two.ground.device("bravo-core"), two.ground.database
    plain = channel_of(device)
    return [
        plain,
        plain.upper(),
        f" {plain}",
        f"{plain} ",
        f"{plain}\n",
        f"{plain}.full",
        plain.replace(".", "_"),
        f"mikrotik_monitoring.device.0{device}",
        f"mikrotik_monitoring.device.+{device}",
        f"mikrotik_monitoring.device.{device}.0",
        f"mikrotik_monitoring.device.{device},{two.ground.device('alpha-core')}",
        f"mikrotik_monitoring.diagnostic.{two.rows['mikrotik.diagnostic'][0]}",
        f"mikrotik.device_{device}",
        f"mikrotik.device,{device}",
        json.dumps([database, DEVICE, device]),
        json.dumps([database, DEVICE, device, "full"], separators=(",", ":")),
        json.dumps([database, DEVICE, device, "plain"], separators=(",", ":")),
        f"('{database}', '{DEVICE}', {device}, 'full')",
        "mikrotik_monitoring.device.*",
        "mikrotik_monitoring.live",
        "broadcast",
    ]


@pytest.mark.parametrize("who", ["anonymous", *ALPHAS])
def test_no_guessed_channel_brings_what_is_bravos(two: Two, who: str) -> None:
    session = two.ground.server.session() if who == "anonymous" else two.alphas[who]
    device = two.ground.device("bravo-core")
    if who == "anonymous":
        session.request("GET", "/web/login")  # a session has to be, be it nobody's
    with tab(two.bravo, device) as bravos, BusClient(session) as bus:
        assert bravos.bus.wait_for(LIVE)["device"] == device
        bus.subscribe(*_guesses(two))
        heard = list(bus.listen(LISTEN_S))
        assert [one for one in heard if two.leaks(one)] == []
        assert [one for one in heard if one["type"].startswith("mikrotik")] == []
        assert bravos.bus.wait_for(LIVE)["device"] == device, "Bravo's went on all the while"
        peeked = session.json(
            "/websocket/peek_notifications", {"channels": _guesses(two), "last": 0, "is_first_poll": True}
        )
        assert [one for one in peeked["notifications"] if one["message"]["type"].startswith("mikrotik")] == []


def test_each_gets_its_own(two: Two) -> None:
    """What is refused above isn't refused to all."""
    device = two.ground.device("alpha-core")
    for login in ALPHAS:
        with tab(two.alphas[login], device) as alphas:
            assert alphas.bus.wait_for(LIVE)["device"] == device


def test_a_viewer_without_the_group_gets_nothing_of_subscribers(two: Two) -> None:
    device = two.ground.device("alpha-core")
    heard: dict[str, list[dict[str, Any]]] = {}
    for login in ALPHAS:
        with tab(two.alphas[login], device) as alphas:
            list(alphas.bus.listen(LISTEN_S))
            heard[login] = [one for one in alphas.bus.messages if one["type"] == LIVE]
    assert heard["alpha-viewer"]
    assert "<pppoe" not in json.dumps(heard["alpha-viewer"])
    assert all(not one["payload"].get("lines") for one in heard["alpha-viewer"])
    kinds = {one["payload"]["device"] for one in heard["alpha-admin"]}
    assert kinds == {device}


def test_who_lost_access_hears_no_more(two: Two) -> None:
    whole = two.ground
    device = whole.device("alpha-core")
    admin = whole.server.login("admin")
    user = whole.ids["users"]["alpha-viewer"]
    viewer = [
        row["res_id"]
        for row in admin.call(
            "ir.model.data",
            "search_read",
            [["module", "=", "mikrotik_monitoring"], ["name", "=", VIEWER]],
            ["res_id"],
        )
    ]
    with tab(whole.login("alpha-viewer"), device) as alphas:
        alphas.bus.wait_for(LIVE)
        admin.call("res.users", "write", [user], {"groups_id": [[3, viewer[0]]]})
        try:
            wait_for(lambda: _silent(alphas.bus), "nothing comes any more", 45)
        finally:
            admin.call("res.users", "write", [user], {"groups_id": [[4, viewer[0]]]})


def _silent(bus: BusClient) -> bool:
    """Return whether nothing comes for longer than the bridge is ever silent about a viewed device."""
    return not [one for one in bus.listen(5.0) if one["type"] == LIVE]
