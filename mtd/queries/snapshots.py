"""Documents of a device: what there are, and the versions of one.

Runs of tools are documents as well, of kinds that begin with ``tool.``; who may
read those is asked elsewhere (mtd/queries/runs.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.devices import DeviceQueries
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction


@dataclass(frozen=True, slots=True)
class SnapshotSummary:
    """A kind of document: how many versions there are, and what the newest is."""

    kind: str
    versions: int
    collected_us: int
    sha256: bytes
    size: int


@dataclass(frozen=True, slots=True)
class SnapshotVersion:
    """A document as it was from then on; ``content`` is canonical JSON."""

    collected_us: int
    sha256: bytes
    content: str


_NEWEST = """
SELECT DISTINCT ON (kind) kind, count(*) OVER (PARTITION BY kind), to_us(ts_collected), sha256,
       octet_length(content)
FROM snapshot WHERE tenant_id = %s AND device_id = %s AND kind NOT LIKE 'tool.%%' ORDER BY kind, ts_collected DESC
"""
# Versions beyond so many bytes are left for the next question: one answer is bounded.
_VERSIONS = """
SELECT us, sha256, content FROM (
  SELECT to_us(ts_collected) AS us, sha256, content,
         sum(octet_length(content)) OVER newest - octet_length(content) AS before
  FROM snapshot
  WHERE tenant_id = %s AND device_id = %s AND kind = %s AND kind NOT LIKE 'tool.%%' AND ts_collected < from_us(%s)
  WINDOW newest AS (ORDER BY ts_collected DESC) ORDER BY ts_collected DESC LIMIT %s
) v WHERE before < %s ORDER BY us DESC
"""


class SnapshotQueries:
    """Reads ``snapshot``."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._devices = DeviceQueries(db)

    async def kinds(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> Sequence[SnapshotSummary]:
        """Return the kinds of documents that a device has, by name. Raises NotFound."""
        view = await self._devices.get(device, tenant_id)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_NEWEST, (tenant_id, view.device_id))
            return tx.fetchall()

        rows = await self._db.run("queries.snapshot_kinds", read, tenant=tenant_id)
        return [
            SnapshotSummary(kind, versions, at_us, bytes(digest), size)
            for kind, versions, at_us, digest, size in rows
        ]

    async def versions(
        self,
        device: str,
        kind: str,
        *,
        limit: int,
        max_bytes: int,
        before_us: int,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> Sequence[SnapshotVersion]:
        """Return at most ``limit`` versions from before a time, the newest first; one at least, however large."""
        view = await self._devices.get(device, tenant_id)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_VERSIONS, (tenant_id, view.device_id, kind, before_us, limit, max_bytes))
            return tx.fetchall()

        rows = await self._db.run("queries.snapshot_versions", read, tenant=tenant_id)
        return [SnapshotVersion(at_us, bytes(digest), content) for at_us, digest, content in rows]
