"""The audit log as lines of the daemon's own log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

from mtd.model.audit import AuditEntry

logger = logging.getLogger("mtd.audit")


class LoggedAudit:
    """See `Auditor`. Nothing is kept beside the log."""

    def ready(self) -> None:
        """The log always takes what is written."""

    def record(self, entry: AuditEntry) -> Awaitable[None]:
        """Write an entry to the log."""
        logger.info(
            "%s %s by %s from %s: %s", entry.action, entry.target, entry.caller, entry.peer, entry.outcome
        )
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done
