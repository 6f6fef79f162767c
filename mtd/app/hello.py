"""Asks PostgreSQL now and then whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mtd.core.errors import MtdError, Retryable
from mtd.core.metrics import TASKS

if TYPE_CHECKING:
    from mtd.storage.pool import Database
    from mtd.storage.txn import Transaction

_EVERY_S = 2.0
_DEADLINE_S = 2.0


class Hello:
    """``on_back`` is called when it answers again; ``after_each`` awaited after each question."""

    def __init__(
        self,
        database: Database,
        on_back: Callable[[], None],
        after_each: Callable[[], Awaitable[object]],
    ) -> None:
        self._database = database
        self._on_back = on_back
        self._after_each = after_each
        self.failure = ""
        """Why PostgreSQL doesn't answer; empty if it does."""

    async def run(self) -> None:
        """Ask again and again. Until cancelled."""
        while True:
            TASKS.set(len(asyncio.all_tasks()))
            before, self.failure = self.failure, await self._ask()
            if before and not self.failure:
                self._on_back()
            await self._after_each()
            await asyncio.sleep(_EVERY_S)

    async def _ask(self) -> str:
        async def hello(tx: Transaction) -> None:
            await tx.execute("SELECT 1")

        try:
            await self._database.run("app.hello", hello, deadline_s=_DEADLINE_S)
        except Retryable as error:
            return f"PostgreSQL doesn't answer: {error}"
        except MtdError as error:
            return str(error)
        return ""
