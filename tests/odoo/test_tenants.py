"""A company is a tenant: who shows another's token, or a super-admin's, gets nothing, however the address is spelled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mtd.client import MtdClient, identity
from mtd.testing.odoo.companies import MAIN, Company, token_of
from mtd.testing.odoo.rpc import OdooError, OdooSession
from mtd.testing.odoo.server import Odoo
from tests.e2e.kit import rig
from tests.odoo.kit import Ground, add_device, ground, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ALPHA, BRAVO = "alpha", "bravo"
STRANGER = "Stranger"
SCENARIO = """
[[router]]
name = "one"

[[router]]
name = "two"
"""


@dataclass(frozen=True, slots=True)
class Door:
    """The connection of a company that has come to the wrong door."""

    ground: Ground
    admin: OdooSession
    id: int

    @property
    def company(self) -> int:
        return self.ground.ids["companies"][STRANGER]

    def ask(self, model: str, method: str, *args: Any) -> Any:
        """Ask Odoo as the administrator of the company."""
        return self.admin.call(model, method, *args, context={"allowed_company_ids": [self.company]})

    def test(self, token: str) -> str:
        """Give it a token and press the button; return what the user is told."""
        self.ask("mikrotik.connection", "write", [self.id], {"token": token})
        told = self.ask("mikrotik.connection", "action_test", [self.id])["params"]
        return f"{told['type']}: {told['message']}"

    def value(self, name: str) -> Any:
        """Return a field of the connection."""
        ((found,),) = self.ground.sql(f"SELECT {name} FROM mikrotik_connection WHERE id = %s", self.id)
        return found

    def bridge_says(self) -> dict[str, Any]:
        """Return how the bridge says it stands."""
        told = json.loads(self.ground.bridge.health_file.read_text())["connections"]
        return next((one for one in told if one["id"] == self.id), {"error": "", "connected": False})

    def count(self, table: str) -> int:
        """Return how many rows of a table are the company's."""
        ((found,),) = self.ground.sql(f"SELECT count(*) FROM {table} WHERE company_id = %s", self.company)
        return int(found)


@pytest.fixture(scope="module")
def whole(odoo: Odoo, addon_template: str, new_database: Callable[..., str]) -> Iterator[Ground]:
    with rig(SCENARIO) as stage:
        tokens = {tenant: token_of(stage.server, tenant) for tenant in (ALPHA, BRAVO)}
        stage.notes["tokens"] = tokens
        add_device(stage, ALPHA, "alpha-core", "one")
        add_device(stage, BRAVO, "bravo-core", "two")
        stage.wait_until_polled("alpha-core", "bravo-core")
        companies = (Company(MAIN, tokens[ALPHA]), Company(STRANGER))
        with ground(stage, odoo, new_database(addon_template), companies) as found:
            yield found


@pytest.fixture(scope="module")
def door(whole: Ground) -> Door:
    admin = whole.server.login("admin")
    company = whole.ids["companies"][STRANGER]
    values = {
        "company_id": company,
        "target": whole.rig.server.replace("127.0.0.1", "localhost"),
        "token": whole.rig.notes["tokens"][ALPHA],
    }
    number = admin.call("mikrotik.connection", "create", values, context={"allowed_company_ids": [company]})
    return Door(whole, admin, number)


def super_admin(server: str) -> str:
    with MtdClient(server) as client:
        return client.ask(identity.create_token("all", role="super-admin", scopes=["*"])).secret


def is_refused(door: Door, token: str, why: str) -> None:
    """Nothing comes: not by the button, not by the bridge, and nothing is made in mtd."""
    assert why in door.test(token)
    wait_for(lambda: "isn't noted" in door.bridge_says()["error"], "the bridge waits", 30)
    wait_for(lambda: why in (door.value("last_error") or ""), "the bridge compared", 30)
    login = {
        "name": "taken",
        "purpose": "readonly",
        "username": "mtd",
        "password": "x",
        "company_id": door.company,
    }
    with pytest.raises(OdooError, match=why):
        door.ask("mikrotik.credential.set", "create", login)
    assert door.value("tenant_id") is None
    assert (door.count("mikrotik_event"), door.count("mikrotik_device")) == (0, 0)


def test_the_token_of_another_company_brings_nothing(door: Door) -> None:
    whole = door.ground
    wait_for(lambda: whole.sql("SELECT 1 FROM mikrotik_event LIMIT 1"), "the rightful company has events")
    is_refused(door, whole.rig.notes["tokens"][ALPHA], "already that of another company")
    ours = whole.ids["connections"][MAIN]
    told = door.admin.call(
        "mikrotik.connection",
        "action_reconcile",
        [ours],
        context={"allowed_company_ids": [whole.ids["companies"][MAIN]]},
    )
    assert told["params"]["type"] == "success", "the rightful company is as well as before"


def test_a_super_admin_brings_nothing(door: Door) -> None:
    is_refused(door, super_admin(door.ground.rig.server), "super-admin's, which reaches all tenants")


def test_with_a_token_of_its_own_all_begins_by_itself(door: Door) -> None:
    assert door.test(door.ground.rig.notes["tokens"][BRAVO]) == "success: mtd answers, as tenant bravo."
    wait_for(lambda: door.bridge_says()["connected"], "the bridge is at work", 30)
    wait_for(lambda: door.count("mikrotik_event"), "events come", 30)
    wait_for(lambda: door.count("mikrotik_device") == 1, "its router comes", 30)
    names = {name for (name,) in door.ground.sql(
        "SELECT DISTINCT device_name FROM mikrotik_event WHERE company_id = %s", door.company
    )}  # fmt: skip
    assert names == {"bravo-core"}
