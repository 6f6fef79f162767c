"""Readers of ranges for these tests."""

from __future__ import annotations

from typing import Any

from mtd.queries.config import QueriesConfig
from mtd.queries.ranges import RangeQueries
from mtd.storage.config import RetentionConfig, StorageConfig
from mtd.storage.readers import Readers
from tests.integration.projections.kit import World


def ranges_of(world: World, retention: RetentionConfig | None = None, **limits: Any) -> RangeQueries:
    """Return queries of ranges on the world's database."""
    readers = Readers(world.dsn, StorageConfig(query_pool_size=2))
    world.stops.append(readers.stop)
    return RangeQueries(readers, QueriesConfig(**limits), retention=retention)
