"""Metrics of quotas: what the tenants that have one use of it."""

from __future__ import annotations

import asyncio
import logging

from mtd.core.errors import MtdError
from mtd.core.metrics import Gauge
from mtd.model.tenant import Quota
from mtd.storage.stores.quotas import QuotaStore

logger = logging.getLogger(__name__)

QUOTA_LIMIT = Gauge(
    "mtd_app_quota_limit",
    "What a tenant may have at the most; only where there is a limit.",
    ["tenant", "quota"],
)
QUOTA_USED = Gauge(
    "mtd_app_quota_used", "What a tenant has of that for which it has a limit.", ["tenant", "quota"]
)

_EVERY_S = 60.0
_COUNTED = (Quota.DEVICES, Quota.COLLECTORS)


async def keep_measuring(store: QuotaStore) -> None:
    """Measure again and again, until cancelled."""
    while True:
        try:
            await measure(store)
        except MtdError as error:
            logger.debug("quotas can't be measured: %s", error)
        await asyncio.sleep(_EVERY_S)


async def measure(store: QuotaStore) -> None:
    """Tell what is used now. Tenants that have no limit any more are forgotten."""
    uses = await store.uses(_COUNTED)
    QUOTA_LIMIT.clear()
    QUOTA_USED.clear()
    for use in uses:
        QUOTA_LIMIT.labels(use.tenant, use.quota.value).set(use.limit)
        QUOTA_USED.labels(use.tenant, use.quota.value).set(use.used)
