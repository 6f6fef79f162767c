"""Companies of an Odoo, each with its tenant of mtd and its people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mtd.client import MtdClient, identity
from mtd.testing.odoo.server import Odoo

VIEWER, ADMIN, SUBSCRIBERS = "group_viewer", "group_admin", "group_subscriber_data"
MAIN = "main"
"""The company that each database begins with."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user; the password is the login."""

    login: str
    groups: tuple[str, ...] = (VIEWER,)


@dataclass(frozen=True, slots=True)
class Company:
    """A company, and the token of its tenant. Named ``MAIN``, it is the one that is there."""

    name: str
    token: str = ""
    people: tuple[Person, ...] = ()


def token_of(server: str, tenant: str) -> str:
    """Make a token of a tenant's administrator; the tenant too, if it isn't there."""
    with MtdClient(server) as client:
        if tenant not in {one.name for one in identity.every(client, identity.tenants)}:
            client.ask(identity.create_tenant(tenant))
    with MtdClient(server, tenant=tenant) as client:
        return client.ask(identity.create_token("odoo", role="admin", scopes=["*"])).secret


def set_up(odoo: Odoo, database: str, server: str, companies: Sequence[Company]) -> dict[str, Any]:
    """Make companies, connections and people; take from mtd what is there. Return ids by name."""
    found = odoo.shell(
        database,
        _SET_UP,
        companies=[asdict(company) for company in companies],
        target=server,
        main=MAIN,
    ).result
    assert isinstance(found, dict)
    return found


_SET_UP = """
result = {"companies": {}, "connections": {}, "users": {}, "devices": {}}
for given in companies:
    if given["name"] == main:
        company = env["res.company"].search([], order="id", limit=1)
    else:
        company = env["res.company"].create({"name": given["name"]})
    result["companies"][given["name"]] = company.id
    env.user.company_ids |= company
    env.ref("base.user_admin").company_ids |= company
    for person in given["people"]:
        groups = [env.ref("base.group_user").id]
        groups += [env.ref("mikrotik_monitoring." + name).id for name in person["groups"]]
        user = env["res.users"].with_context(no_reset_password=True).create({
            "name": person["login"], "login": person["login"], "password": person["login"],
            "company_id": company.id, "company_ids": [(6, 0, [company.id])], "groups_id": [(6, 0, groups)],
        })
        result["users"][person["login"]] = user.id
    if given["token"]:
        connection = env["mikrotik.connection"].create({
            "name": "mtd", "company_id": company.id, "target": target, "tls": "none", "token": given["token"],
        })
        env.cr.commit()
        connection._reconcile()
        result["connections"][given["name"]] = connection.id
    env.cr.commit()
    for device in env["mikrotik.device"].search([("company_id", "=", company.id)]):
        result["devices"][device.name] = device.id
"""
