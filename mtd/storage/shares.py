"""How many connections of a pool one tenant holds: not all, so that another finds one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Shares:
    """Lets ``most`` of each tenant's transactions go on to the pool; the others wait. Knows only tenants that ask."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._turns: dict[str, tuple[asyncio.Semaphore, int]] = {}  # and how many run or wait

    @asynccontextmanager
    async def turn(self, tenant_id: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it."""
        turns, here = self._turns.get(tenant_id) or (asyncio.Semaphore(self._most), 0)
        self._turns[tenant_id] = turns, here + 1
        try:
            async with turns:
                yield
        finally:
            _, here = self._turns[tenant_id]
            if here == 1:
                del self._turns[tenant_id]
            else:
                self._turns[tenant_id] = turns, here - 1
