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


async def tenant_caller(client: Any) -> identity.Caller:
    """Return who a client is to mtd. Raises WrongTenant unless it is of one tenant; MtdClientError if mtd doesn't tell."""
    caller: identity.Caller = await client.ask(identity.who_am_i())
    if caller.role == SUPER_ADMIN:
        raise WrongTenant(
            "the token is a super-admin's, which reaches all tenants: give it one of its own tenant"
        )
    if not caller.tenant_id:
        raise WrongTenant("mtd doesn't tell of which tenant this is: give it a token of its tenant")
    return caller


async def prove_tenant(connection: Connection, client: Any) -> None:
    """Raise WrongTenant unless a client is of the tenant of a connection; MtdClientError if mtd doesn't tell."""
    caller = await tenant_caller(client)
    if connection.tenant_id != caller.tenant_id:
        raise WrongTenant(
            f"the token is of tenant {caller.tenant}, not of the one whose devices the company has"
        )
