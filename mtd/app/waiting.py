"""Parts of the daemon that can't do without something that may be away for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mtd.core.errors import Retryable

logger = logging.getLogger(__name__)

_RETRY_S = 2.0


async def until_available(attempt: Callable[[], Awaitable[object]], what: str) -> None:
    """Try until it succeeds."""
    while True:
        try:
            await attempt()
        except Retryable as error:
            logger.warning("waiting for %s: %s", what, error)
            await asyncio.sleep(_RETRY_S)
        else:
            return
