"""Sessions of people in the console: who is logged in, until when."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mtd.model.principal import Role
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

CHANNEL = "mtd_session"
"""Notifications of sessions that ended: the hash of the id, in hexadecimal digits."""

_SEEN_EVERY_S = 15
"""How old the note may be that a session was used: not each of a page's requests writes."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """Who is logged in. ``tenant_id`` is that of no tenant for super-admins, and ``tenant`` is empty then."""

    session_hash: bytes
    tenant_id: str
    tenant: str
    user_id: str
    user: str
    role: Role
    method: str


@dataclass(frozen=True, slots=True, repr=False)
class NewSession:
    """A session that begins. ``session_id`` goes to the browser, and is stored nowhere."""

    session_id: str
    tenant_id: str
    user_id: str
    method: str
    peer: str
    agent: str
    idle_s: int
    most_s: int


def session_hash(session_id: str) -> bytes:
    """Return what is stored of an id."""
    return hashlib.sha256(session_id.encode("utf-8", "replace")).digest()


class SessionStore:
    """Begins sessions, finds them, and ends them. It sees all tenants: a browser's cookie names none."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    async def begin(self, new: NewSession) -> None:
        """Store a session. Of users who log in again and again, the oldest sessions end: 20 stay."""

        async def insert(tx: Transaction) -> None:
            await tx.execute(
                "DELETE FROM session WHERE session_hash IN (SELECT session_hash FROM session"
                " WHERE tenant_id = %s AND user_id = %s ORDER BY last_seen_at DESC, session_hash OFFSET 19)",
                [new.tenant_id, new.user_id],
            )
            await tx.execute(
                "INSERT INTO session (tenant_id, user_id, session_hash, method, peer, agent, idle_s, expires_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))",
                [
                    new.tenant_id,
                    new.user_id,
                    session_hash(new.session_id),
                    new.method,
                    new.peer[:200],
                    new.agent[:200],
                    new.idle_s,
                    new.most_s,
                ],
            )

        await self._writer.run("sessions.begin", insert)

    async def find(self, session_id: str) -> SessionRecord | None:
        """Return who is logged in by a session, and note that it was used; None if it isn't good (any more)."""
        key = session_hash(session_id)

        async def read(tx: Transaction) -> SessionRecord | None:
            await tx.execute(f"{_SELECT} AND s.session_hash = %s", [key])
            row = tx.fetchone()
            if row is None:
                return None
            if row[-1]:
                await _seen(tx, [key])
            return _record(row)

        return await self._writer.run("sessions.find", read, durable=False)

    async def still_good(self, hashes: Collection[bytes]) -> set[bytes]:
        """Return those of these sessions that are still good, and note that they are in use."""
        if not hashes:
            return set()

        async def read(tx: Transaction) -> set[bytes]:
            await tx.execute(f"{_SELECT} AND s.session_hash IN ({_GIVEN})", [_hex(hashes)])
            rows = tx.fetchall()
            await _seen(tx, [bytes(row[0]) for row in rows if row[-1]])
            return {bytes(row[0]) for row in rows}

        return await self._writer.run("sessions.still_good", read, durable=False)

    async def end(self, session_id: str) -> SessionRecord | None:
        """End a session; return whose it was, None if it wasn't good any more."""
        key = session_hash(session_id)

        async def remove(tx: Transaction) -> SessionRecord | None:
            await tx.execute(f"{_SELECT} AND s.session_hash = %s", [key])
            row = tx.fetchone()
            await tx.execute("DELETE FROM session WHERE session_hash = %s", [key])
            return None if row is None else _record(row)

        return await self._writer.run("sessions.end", remove)

    async def sweep(self) -> int:
        """Remove sessions that are over; return how many there were."""

        async def remove(tx: Transaction) -> int:
            await tx.execute(f"DELETE FROM session s WHERE NOT ({_IN_TIME})")
            return tx.rowcount

        return await self._writer.run("sessions.sweep", remove)

    async def tenants_of(self, name: str, limit: int) -> Sequence[str]:
        """Return the tenants in which a user has this name, at most ``limit``; that of no tenant first."""

        async def read(tx: Transaction) -> Sequence[str]:
            await tx.execute(
                "SELECT tenant_id::text FROM user_account WHERE name = %s ORDER BY tenant_id LIMIT %s",
                [name, limit],
            )
            return [row[0] for row in tx.fetchall()]

        return await self._writer.run("sessions.tenants_of", read)


_IN_TIME = "s.expires_at > now() AND s.last_seen_at > now() - make_interval(secs => s.idle_s)"
_SELECT = (
    "SELECT s.session_hash, s.tenant_id::text, coalesce(t.name, ''), u.user_id::text, u.name, u.role, s.method,"
    f" s.last_seen_at < now() - make_interval(secs => least({_SEEN_EVERY_S}, s.idle_s / 4.0))"
    " FROM session s JOIN user_account u USING (tenant_id, user_id) LEFT JOIN tenant t USING (tenant_id)"
    f" WHERE u.enabled AND coalesce(t.enabled, true) AND {_IN_TIME}"
)
_GIVEN = "SELECT decode(given, 'hex') FROM unnest(%s::text[]) given"


async def _seen(tx: Transaction, hashes: Sequence[bytes]) -> None:
    if hashes:
        await tx.execute(
            f"UPDATE session SET last_seen_at = now() WHERE session_hash IN ({_GIVEN})", [_hex(hashes)]
        )


def _hex(hashes: Collection[bytes]) -> str:
    return literals.plain(one.hex() for one in hashes)


def _record(row: Row) -> SessionRecord:
    key, tenant_id, tenant, user_id, user, role, method, _ = row
    return SessionRecord(bytes(key), tenant_id, tenant, user_id, user, Role.of_word(role), method)
