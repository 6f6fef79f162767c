"""The daemon of ``scripts/bench tables``: as it is run, with a collector of sessions and a heartbeat on its loop.

Arguments: its configuration, and the file for what the heartbeat saw.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from mtd.core.aio import install_reactor


def main(config_path: Path, seen_path: Path) -> None:
    """Run until SIGTERM."""
    install_reactor()
    from twisted.internet import reactor

    from mtd.app.daemon import Daemon
    from mtd.app.tap import DaemonService
    from mtd.plugin.manager import PluginManager
    from mtd.testing.loop_watch import LoopWatch
    from mtd.testing.subscribers import COLLECTOR

    watch = LoopWatch()
    installed = [one for one in PluginManager.load().collectors if one.name in ("system", "interfaces")]

    def daemon(settings: object) -> Daemon:
        return Daemon(settings, PluginManager.of(*installed, COLLECTOR))  # type: ignore[arg-type]

    def ended() -> None:
        watch.stop()
        seen_path.write_text(json.dumps(watch.as_dict()))

    service = DaemonService(config_path, make_daemon=daemon)
    reactor.addSystemEventTrigger("before", "shutdown", ended)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.callWhenRunning(service.startService)
    reactor.callWhenRunning(lambda: asyncio.get_event_loop().call_soon(watch.start))
    reactor.run()
    if service.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
