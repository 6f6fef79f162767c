"""Runs of tools that ended: documents of their devices, of kinds that only these queries read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.devices import DeviceQueries
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that ended. ``ended_us`` tells those of a device apart; ``content`` is the document."""

    ended_us: int
    content: dict[str, Any]


_RUNS = """
SELECT to_us(ts_collected), content FROM snapshot
WHERE tenant_id = %s AND device_id = %s AND kind = ANY (%s) AND ts_collected < from_us(%s)
ORDER BY ts_collected DESC LIMIT %s
"""


class RunQueries:
    """Reads the runs among ``snapshot``."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._devices = DeviceQueries(db)

    async def runs(
        self,
        device: str,
        kinds: Collection[str],
        *,
        limit: int,
        before_us: int,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> Sequence[StoredRun]:
        """Return at most ``limit`` runs that ended before a time, the newest first. Raises NotFound."""
        view = await self._devices.get(device, tenant_id)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_RUNS, (tenant_id, view.device_id, list(kinds), before_us, limit))
            return tx.fetchall()

        rows = await self._db.run("queries.runs", read, tenant=tenant_id)
        return [StoredRun(ended_us, json.loads(content)) for ended_us, content in rows]
