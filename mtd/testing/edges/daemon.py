"""A collector that polls what a file says: ``python -m mtd.testing.edges.daemon CONFIG DEVICES``."""

from __future__ import annotations

import sys
from pathlib import Path

from mtd.core.aio import install_reactor


def main(config_path: Path, devices_path: Path) -> None:
    """Run until SIGTERM."""
    install_reactor()
    from twisted.internet import reactor

    from mtd.app.edge import EdgeDaemon
    from mtd.app.tap import DaemonService
    from mtd.testing.edges.seat import take_file_seat

    service = DaemonService(
        config_path, make_daemon=lambda settings: EdgeDaemon(settings, take_seat=take_file_seat(devices_path))
    )
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.callWhenRunning(service.startService)
    reactor.run()
    if service.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
