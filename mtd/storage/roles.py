"""The roles of PostgreSQL that mtd works as, and what keeps tenants apart there.

The migration `0007_walls` makes them. Who owns the tables passes the walls: it migrates, makes
partitions and loads with COPY. Doors never work as the owner.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from mtd.core.errors import Misconfigured

if TYPE_CHECKING:
    from mtd.storage.txn import Transaction


DOOR_LOGIN = "mtd_door_login"
"""Who logs in for doors where mtd runs PostgreSQL itself."""


class DatabaseRole(enum.StrEnum):
    """What a connection works as; none of them: as the owner of the tables."""

    DOOR = "mtd_door"
    """Rows of the transaction's tenant, and of no other."""
    WRITER = "mtd_writer"
    """Rows of all tenants."""


def role_options(role: DatabaseRole | None) -> str:
    """Return libpq's options for sessions that begin with a role, so that RESET ROLE leads back to it."""
    return "" if role is None else f" -c role={role}"


def with_role_hint(message: str) -> str:
    """Return what PostgreSQL said, and what to do if it was about the roles."""
    if "permission denied to set role" in message:
        return f"{message}: let a superuser grant it to this login (docs/tenants.md)"
    if f'role "{DatabaseRole.DOOR}" does' in message or f'role "{DatabaseRole.WRITER}" does' in message:
        return f"{message}: `mtd migrate` makes it in a new database; make it yourself on a new server (docs/tenants.md)"
    return message


async def refuse_open_login(tx: Transaction) -> None:
    """Raise Misconfigured if who logged in could pass the walls by taking its role off."""
    await tx.execute(
        "SELECT session_user, current_user, r.rolsuper, r.rolbypassrls, pg_has_role(session_user, c.relowner, 'MEMBER'),"
        f" pg_has_role(session_user, '{DatabaseRole.WRITER}', 'MEMBER')"
        " FROM pg_roles r, pg_class c WHERE r.rolname = session_user AND c.oid = 'mtd.device'::regclass"
    )
    row = tx.fetchone()
    assert row is not None  # everybody sees these
    login, role, is_superuser, passes, owns, writes = row
    why = (
        "is a superuser"
        if is_superuser
        else "has BYPASSRLS"
        if passes
        else "can become the owner of mtd's tables"
        if owns
        else "can become mtd_writer"
        if writes
        else ""
    )
    if why:
        raise Misconfigured(
            f"database.door_dsn logs in as {login}, which {why}: tenants would be apart by nothing but mtd's own care."
            f" Give it a login for this only: CREATE ROLE {DOOR_LOGIN} LOGIN NOINHERIT PASSWORD '...';"
            f" GRANT {DatabaseRole.DOOR} TO {DOOR_LOGIN}"
        )
    if role != DatabaseRole.DOOR:
        raise Misconfigured(
            f"database.door_dsn: sessions of {login} begin as {role} instead of {DatabaseRole.DOOR}:"
            " take `role` out of the settings of this login and of the options of the connection string"
        )


async def refuse_fallen_walls(tx: Transaction) -> None:
    """Raise Misconfigured if a table isn't behind the wall that its migration raised."""
    await tx.execute(
        "SELECT 'mtd.' || c.relname FROM pg_class c WHERE c.relnamespace = 'mtd'::regnamespace"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.oid <> 'mtd.schema_version'::regclass"
        " AND c.relname !~ '_gone$' AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p"
        f"  WHERE p.polrelid = c.oid AND p.polname = 'writer' AND p.polroles = ARRAY['{DatabaseRole.WRITER}'::regrole::oid]))"
        " ORDER BY 1"
    )
    fallen = [str(name) for (name,) in tx.fetchall()]
    if fallen:
        raise Misconfigured(
            f"not behind the walls between tenants: {', '.join(fallen)}. Somebody changed the schema, or it was restored on a"
            f" server without the roles {DatabaseRole.DOOR} and {DatabaseRole.WRITER}: make them, and restore it again"
            " (docs/tenants.md)"
        )
