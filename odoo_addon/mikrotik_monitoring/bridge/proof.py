"""Whose tenant a connection leads to: what mtd says has to be what Odoo noted."""

from __future__ import annotations

from typing import Any

from mtd.client import identity

from ..gateway.tenants import SUPER_ADMIN
from .port import Connection

UNKNOWN_TENANT = (
    "whose tenant it is isn't noted yet: press Test on the connection, or wait until mtd was compared"
)


class WrongTenant(Exception):
    """The token leads to another tenant than that whose devices the company has."""


async def prove_tenant(connection: Connection, client: Any) -> None:
    """Raise WrongTenant unless a client is of the tenant of a connection; MtdClientError if mtd doesn't tell."""
    caller = await client.ask(identity.who_am_i())
    if caller.role == SUPER_ADMIN:
        raise WrongTenant(
            "the token is a super-admin's, which reaches all tenants: give it one of its own tenant"
        )
    if connection.tenant_id != caller.tenant_id:
        raise WrongTenant(
            f"the token is of tenant {caller.tenant}, not of the one whose devices the company has"
        )
