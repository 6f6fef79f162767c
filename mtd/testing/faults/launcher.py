"""The daemon as it is run, with a ledger: ``python -m mtd.testing.faults.launcher CONFIG LEDGER``.

Nothing in it is replaced. Each log that appends also tells the ledger what it acknowledged.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mtd.core.aio import install_reactor
from mtd.testing.faults.ledger import LedgerWriter

# Where the daemon may keep its log.
_LOGS = (("mtd.eventlog.sqlite.log", "SqliteEventLog"), ("mtd.eventlog.jetstream.log", "JetStreamEventLog"))


def main(config_path: Path, ledger_path: Path) -> None:
    """Run until SIGTERM."""
    install_reactor()
    from twisted.internet import reactor

    from mtd.app.tap import DaemonService

    witness(LedgerWriter(ledger_path))
    service = DaemonService(config_path)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.callWhenRunning(service.startService)
    reactor.run()
    if service.failed:
        raise SystemExit(1)


def witness(ledger: LedgerWriter) -> None:
    """Have every log of this process tell the ledger what it acknowledged."""
    for module_name, class_name in _LOGS:
        try:
            log = getattr(importlib.import_module(module_name), class_name)
        except (ImportError, AttributeError):
            continue  # this backend isn't installed
        log.append = _witnessed(log.append, ledger)


def _witnessed(append: Callable[..., Any], ledger: LedgerWriter) -> Callable[..., Any]:
    async def witnessed(log: Any, envelopes: Sequence[Any], *args: Any, **named: Any) -> Any:
        result = await append(log, envelopes, *args, **named)
        ledger.acknowledged(log.log_id, result, envelopes)
        return result

    return witnessed


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
