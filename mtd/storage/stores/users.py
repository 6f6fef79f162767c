"""Local users: who they are, what they may do, and the hashes of their passwords."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from mtd.core.errors import AlreadyExists, Conflict, NotFound, QuotaExceeded, Refused
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID, name_problem
from mtd.storage.errors import Duplicate
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

FIELDS = frozenset({"name", "role", "enabled", "oidc_issuer", "oidc_subject"})
"""What ``update`` changes."""

_OIDC_KEY = "user_account_oidc_key"
_OIDC_CHARACTERS = 300
_MOST_USERS = 10_000
_LAST_SUPER_ADMIN = "mtd last super-admin"


@dataclass(frozen=True, slots=True)
class NewUser:
    """What a user is made of. With issuer and subject, an identity provider says who it is."""

    name: str
    role: Role
    oidc_issuer: str = ""
    oidc_subject: str = ""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user as it is stored. ``tenant_id`` is that of no tenant for super-admins."""

    tenant_id: str
    user_id: str
    name: str
    role: Role
    enabled: bool
    oidc_issuer: str
    oidc_subject: str
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime
    last_login_at: dt.datetime | None
    password_changed_at: dt.datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """A user, and what its password is checked against; empty if it has none."""

    user: UserRecord
    password_hash: str


class UserStore:
    """Creates, reads, changes and deletes users. Passwords come and go as hashes.

    ``doors`` sees one tenant at a time; ``writer`` sees all, for logins and for super-admins.
    """

    def __init__(self, doors: Database, writer: Database) -> None:
        self._doors = doors
        self._writer = writer

    async def create(self, tenant_id: str, new: NewUser, password_hash: str = "") -> UserRecord:
        """Add a user. Raises AlreadyExists if its name, or its subject, is taken, Refused, and QuotaExceeded."""
        _refuse_name(new.name)
        _refuse_half_oidc(new.oidc_issuer, new.oidc_subject)
        user_id = str(uuid.uuid4())

        async def insert(tx: Transaction) -> UserRecord:
            await tx.execute("SELECT count(*) FROM user_account WHERE tenant_id = %s", [tenant_id])
            row = tx.fetchone()
            if row and row[0] >= _MOST_USERS:
                raise QuotaExceeded(f"there are {row[0]} users already: remove those that aren't needed")
            await tx.execute(
                "INSERT INTO user_account (tenant_id, user_id, name, role, oidc_issuer, oidc_subject)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [tenant_id, user_id, new.name, new.role.word, new.oidc_issuer, new.oidc_subject],
            )
            if password_hash:
                await _put_hash(tx, tenant_id, user_id, password_hash)
            return await _find(tx, tenant_id, user_id)

        try:
            return await self._of(tenant_id).run("users.create", insert, tenant=tenant_id)
        except Duplicate as error:
            raise _taken(error, new.name) from None

    async def get(self, tenant_id: str, user: str) -> UserRecord:
        """Return a user by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> UserRecord:
            return await _find(tx, tenant_id, user)

        return await self._of(tenant_id).run("users.get", read, tenant=tenant_id)

    async def list(self, tenant_id: str, *, after_name: str = "", limit: int = 100) -> list[UserRecord]:
        """Return users by name, at most ``limit`` behind ``after_name``."""

        async def read(tx: Transaction) -> list[UserRecord]:
            await tx.execute(
                f"{_SELECT} WHERE u.tenant_id = %s AND u.name > %s ORDER BY u.name LIMIT %s",
                [tenant_id, after_name, limit],
            )
            return [_record(row) for row in tx.fetchall()]

        return await self._of(tenant_id).run("users.list", read, tenant=tenant_id)

    async def update(
        self,
        tenant_id: str,
        user_id: str,
        changes: dict[str, Any],
        *,
        revision: int = 0,
    ) -> UserRecord:
        """Change FIELDS of a user. One that an identity provider knows has no password any more.

        Raises NotFound, AlreadyExists (the new name), Refused (the last super-admin stays one), and Conflict if
        the user was changed since ``revision`` (0: whatever it is).
        """
        unknown = sorted(set(changes) - FIELDS)
        if unknown:
            raise Refused(f"not fields of a user that can be changed: {', '.join(unknown)[:200]}")
        if "name" in changes:
            _refuse_name(changes["name"])

        async def change(tx: Transaction) -> UserRecord:
            before = await _find(tx, tenant_id, user_id, lock=True)
            if revision and before.revision != revision:
                raise Conflict(
                    f"user {before.name!r} is at revision {before.revision}, not {revision}: read it again"
                )
            if not changes.get("enabled", True):
                await _keep_a_super_admin(tx, before)
            values = {name: getattr(before, name) for name in FIELDS} | changes
            _refuse_half_oidc(values["oidc_issuer"], values["oidc_subject"])
            values["role"] = Role(values["role"]).word
            pairs = ", ".join(f"{name} = %({name})s" for name in sorted(FIELDS))
            await tx.execute(
                f"UPDATE user_account SET {pairs}, revision = revision + 1, updated_at = now()"
                " WHERE tenant_id = %(tenant_id)s AND user_id = %(user_id)s",
                {**values, "tenant_id": tenant_id, "user_id": before.user_id},
            )
            if values["oidc_subject"]:
                # Its provider may ask for more than a password: nobody gets past that by the old one.
                await tx.execute(
                    "DELETE FROM user_password WHERE tenant_id = %s AND user_id = %s",
                    [tenant_id, before.user_id],
                )
            return await _find(tx, tenant_id, before.user_id)

        try:
            return await self._of(tenant_id).run("users.update", change, tenant=tenant_id)
        except Duplicate as error:
            raise _taken(error, changes.get("name", "")) from None

    async def delete(self, tenant_id: str, user_id: str) -> None:
        """Remove a user. Raises NotFound, and Refused for the last super-admin."""

        async def remove(tx: Transaction) -> None:
            found = await _find(tx, tenant_id, user_id, lock=True)
            await _keep_a_super_admin(tx, found)
            await tx.execute(
                "DELETE FROM user_account WHERE tenant_id = %s AND user_id = %s", [tenant_id, found.user_id]
            )

        await self._of(tenant_id).run("users.delete", remove, tenant=tenant_id)

    async def set_password(self, tenant_id: str, user_id: str, password_hash: str) -> None:
        """Store the hash of a new password: whoever logged in with the old one has to log in again."""

        async def write(tx: Transaction) -> None:
            found = await _find(tx, tenant_id, user_id, lock=True)
            await _put_hash(tx, tenant_id, found.user_id, password_hash)

        await self._of(tenant_id).run("users.set_password", write, tenant=tenant_id)

    async def has_super_admin(self) -> bool:
        """Return whether a user or a token that is good may administrate all of mtd."""

        async def read(tx: Transaction) -> bool:
            await tx.execute(
                "SELECT EXISTS (SELECT 1 FROM user_account WHERE tenant_id = %s AND enabled)"
                " OR EXISTS (SELECT 1 FROM api_token WHERE tenant_id = %s AND revoked_at IS NULL"
                " AND (expires_at IS NULL OR expires_at > now()))",
                [NO_TENANT_ID, NO_TENANT_ID],
            )
            row = tx.fetchone()
            return row is not None and bool(row[0])

        return await self._writer.run("users.has_super_admin", read)

    # -- for logins: the tenant is what a stranger says it is ---------------------

    async def login(self, tenant_id: str, name: str) -> Login | None:
        """Return a user by its name, and the hash of its password; None if there is none."""

        async def read(tx: Transaction) -> Login | None:
            await tx.execute(f"{_SELECT_LOGIN} WHERE u.tenant_id = %s AND u.name = %s", [tenant_id, name])
            return _login(tx.fetchone())

        return await self._writer.run("users.login", read)

    async def by_id(self, user_id: str) -> Login | None:
        """Return a user by its id; None if there is none."""

        async def read(tx: Transaction) -> Login | None:
            await tx.execute(f"{_SELECT_LOGIN} WHERE u.user_id::text = %s", [user_id])
            return _login(tx.fetchone())

        return await self._writer.run("users.by_id", read)

    async def by_subject(self, issuer: str, subject: str) -> UserRecord | None:
        """Return the user that an identity provider calls so; None if there is none."""
        if not subject:
            return None

        async def read(tx: Transaction) -> UserRecord | None:
            await tx.execute(f"{_SELECT} WHERE u.oidc_issuer = %s AND u.oidc_subject = %s", [issuer, subject])
            row = tx.fetchone()
            return None if row is None else _record(row)

        return await self._writer.run("users.by_subject", read)

    async def logged_in(self, user: UserRecord) -> None:
        """Note that a user logged in just now."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE user_account SET last_login_at = now() WHERE tenant_id = %s AND user_id = %s",
                [user.tenant_id, user.user_id],
            )

        await self._writer.run("users.logged_in", write)

    async def rehash(self, login: Login, password_hash: str) -> None:
        """Replace a hash by one of the same password with today's parameters, unless it was changed meanwhile."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE user_password SET hash = %s WHERE tenant_id = %s AND user_id = %s AND hash = %s",
                [password_hash, login.user.tenant_id, login.user.user_id, login.password_hash],
            )

        await self._writer.run("users.rehash", write)

    def _of(self, tenant_id: str) -> Database:
        return self._writer if tenant_id == NO_TENANT_ID else self._doors


_COLUMNS = (
    "u.tenant_id::text, u.user_id::text, u.name, u.role, u.enabled, u.oidc_issuer, u.oidc_subject, u.revision,"
    " u.created_at, u.updated_at, u.last_login_at, p.changed_at"
)
_FROM = "FROM user_account u LEFT JOIN user_password p USING (tenant_id, user_id)"
_SELECT = f"SELECT {_COLUMNS} {_FROM}"
_SELECT_LOGIN = f"SELECT {_COLUMNS}, p.hash {_FROM}"


async def _find(tx: Transaction, tenant_id: str, user: str, *, lock: bool = False) -> UserRecord:
    await tx.execute(
        f"{_SELECT} WHERE u.tenant_id = %s AND (u.user_id::text = %s OR u.name = %s)"
        f"{' FOR UPDATE OF u' if lock else ''}",
        [tenant_id, user, user],
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no user {user[:100]!r}")
    return _record(row)


async def _put_hash(tx: Transaction, tenant_id: str, user_id: str, password_hash: str) -> None:
    await tx.execute(
        "INSERT INTO user_password (tenant_id, user_id, hash) VALUES (%s, %s, %s)"
        " ON CONFLICT (tenant_id, user_id) DO UPDATE SET hash = %s, changed_at = now()",
        [tenant_id, user_id, password_hash, password_hash],
    )


async def _keep_a_super_admin(tx: Transaction, user: UserRecord) -> None:
    """Raise Refused if no super-admin would be left without a user. Two who remove each other take turns."""
    if user.role is not Role.SUPER_ADMIN or not user.enabled:
        return
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_LAST_SUPER_ADMIN])
    await tx.execute(
        "SELECT count(*) FROM user_account WHERE tenant_id = %s AND enabled AND user_id <> %s",
        [NO_TENANT_ID, user.user_id],
    )
    row = tx.fetchone()
    if not row or not row[0]:
        raise Refused(f"{user.name!r} is the last super-admin that can log in: add another one first")


def _record(row: Row) -> UserRecord:
    tenant_id, user_id, name, role, *others = row
    return UserRecord(tenant_id, user_id, name, Role.of_word(role), *others)


def _login(row: Row | None) -> Login | None:
    return None if row is None else Login(_record(row[:-1]), row[-1] or "")


def _taken(error: Duplicate, name: str) -> AlreadyExists:
    if error.constraint == _OIDC_KEY:
        return AlreadyExists("there is a user with this subject of the identity provider already")
    return AlreadyExists(f"there is a user {name!r} already")


def _refuse_name(name: str) -> None:
    if problem := name_problem(name):
        raise Refused(f"name: {problem}")


def _refuse_half_oidc(issuer: str, subject: str) -> None:
    if bool(issuer) != bool(subject):
        raise Refused("oidc_issuer and oidc_subject belong together: give both, or none")
    for name, text in (("oidc_issuer", issuer), ("oidc_subject", subject)):
        if len(text) > _OIDC_CHARACTERS or not text.isprintable():
            raise Refused(f"{name}: at most {_OIDC_CHARACTERS} characters, all of them printable")
