"""How long the series of a question are kept: classes of retention may differ."""

from __future__ import annotations

from collections.abc import Collection

from mtd.queries.resolution import STEP_S, Kept
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.series import tenant_names
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import ROLLUPS, TELEMETRY_BLOCK, PartitionedTable
from mtd.storage.retention import Retention, RetentionClasses


class Keeping:
    """Tells by the configuration how long series are kept.

    ``longest``: what is kept of any series, whatever its class.
    """

    def __init__(self, config: RetentionConfig | None = None) -> None:
        self._config = config or RetentionConfig()
        self._retention = Retention(self._config)
        of_all = [self._of(name) for name in self._retention.classes]
        self.longest = Kept(
            max(one.raw_days for one in of_all),
            {step: max(one.rollup_days[step] for one in of_all) for step in STEP_S},
        )

    def of_all(self, conn: ColdConnection, tenant_id: str, metrics: Collection[str]) -> Kept:
        """Return what is kept of every one of a tenant's series of these metrics, by the keys they are stored under."""
        if not self._config.classes or not metrics:
            return self.longest
        classes = RetentionClasses(self._config, tenant_names(conn))
        found = [self._of(name) for name in {classes.of(tenant_id, metric) for metric in metrics}]
        return Kept(
            min(one.raw_days for one in found),
            {step: min(one.rollup_days[step] for one in found) for step in STEP_S},
        )

    def _of(self, name: str) -> Kept:
        def days(table: PartitionedTable) -> int:
            return self._retention.days(table, name)

        return Kept(days(TELEMETRY_BLOCK), {one: days(ROLLUPS[seconds]) for one, seconds in STEP_S.items()})
