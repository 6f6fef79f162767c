"""Leases in PostgreSQL. Its clock alone judges whether one is over."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.core.errors import LeaseLost
from mtd.model.assignment import LeaseState
from mtd.storage.errors import CommitUnknown, StorageUnavailable
from mtd.storage.pool import Body, Database, T
from mtd.storage.txn import Transaction

_NOW = "clock_timestamp()"
# The first epoch is of the time: a database that was made anew, or restored, grants none that was there before.
_ACQUIRE = f"""
INSERT INTO lease AS l (name, holder, epoch, expires_at)
VALUES (%(name)s, %(holder)s, extract(epoch FROM {_NOW})::int8, {_NOW} + make_interval(secs => %(ttl)s))
ON CONFLICT (tenant_id, name) DO UPDATE SET
    epoch = CASE WHEN l.holder = excluded.holder AND l.expires_at > {_NOW} THEN l.epoch
                 ELSE greatest(l.epoch + 1, excluded.epoch) END,
    holder = excluded.holder,
    expires_at = excluded.expires_at
WHERE l.holder = excluded.holder OR l.expires_at <= {_NOW}
RETURNING epoch
"""
_RENEW = f"""
UPDATE lease SET expires_at = {_NOW} + make_interval(secs => %(ttl)s)
WHERE name = %(name)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at <> '-infinity'
"""
_RELEASE = "UPDATE lease SET expires_at = '-infinity' WHERE name = %(name)s AND holder = %(holder)s AND epoch = %(epoch)s"
_COLUMNS = (
    "name, holder, epoch, CASE WHEN expires_at = '-infinity' THEN 0"
    f" ELSE greatest(0, extract(epoch FROM expires_at - {_NOW})) END::float8"
)


class LeaseTable:
    """Leases as rows. ``writer``: a pool of the writer's role. All methods raise StorageUnavailable."""

    def __init__(self, writer: Database, deadline_s: float) -> None:
        self._writer = writer
        self._deadline_s = deadline_s

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Take a lease that is free or the holder's; return its epoch, None if somebody else holds it."""

        async def take(tx: Transaction) -> int | None:
            await tx.execute(_ACQUIRE, {"name": name, "holder": holder, "ttl": ttl_s})
            row = tx.fetchone()
            return None if row is None else int(row[0])

        return await self._run("leases.acquire", take)

    async def renew(self, name: str, holder: str, epoch: int, ttl_s: float) -> None:
        """Move the end of a lease away. Raises LeaseLost."""

        async def move(tx: Transaction) -> None:
            await tx.execute(_RENEW, {"name": name, "holder": holder, "epoch": epoch, "ttl": ttl_s})
            if not tx.rowcount:
                raise LeaseLost(f"the lease {name!r} isn't held by {holder} any more")

        await self._run("leases.renew", move)

    async def release(self, name: str, holder: str, epoch: int) -> None:
        """End a lease if it is still this one."""

        async def end(tx: Transaction) -> None:
            await tx.execute(_RELEASE, {"name": name, "holder": holder, "epoch": epoch})

        await self._run("leases.release", end)

    async def read(self, name: str) -> LeaseState | None:
        """Return a lease, None if there never was one of the name."""

        async def read(tx: Transaction) -> LeaseState | None:
            await tx.execute(f"SELECT {_COLUMNS} FROM lease WHERE name = %s", [name])
            row = tx.fetchone()
            return None if row is None else LeaseState(*row)

        return await self._run("leases.read", read)

    async def list(self, prefix: str) -> Sequence[LeaseState]:
        """Return the leases whose names begin like this, by name."""

        async def read(tx: Transaction) -> Sequence[LeaseState]:
            await tx.execute(
                f'SELECT {_COLUMNS} FROM lease WHERE starts_with(name, %s) ORDER BY name COLLATE "C"',
                [prefix],
            )
            return [LeaseState(*row) for row in tx.fetchall()]

        return await self._run("leases.list", read)

    async def _run(self, name: str, body: Body[T]) -> T:
        # A commit of which nobody knows is as good as none: acquiring and renewing again does no harm.
        try:
            return await self._writer.run(name, body, deadline_s=self._deadline_s)
        except CommitUnknown as error:
            raise StorageUnavailable(f"{name}: {error}") from error
