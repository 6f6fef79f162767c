"""``twistd mtd``: options, and the service that twistd runs."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python import usage

from mtd.app.observing import Observing
from mtd.core.aio import as_deferred, install_reactor
from mtd.core.config import ConfigInvalid, load_config
from mtd.core.errors import MtdError
from mtd.core.report import configure_logging

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.app.process import Process

logger = logging.getLogger(__name__)

# gRPC writes a line to standard error for each handshake that fails: scanners would fill the log. Read when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


class Options(usage.Options):
    """Command line of ``twistd mtd``."""

    synopsis = "[options]"
    longdesc = "The mtd daemon. twistd must run it on the asyncio reactor; `mtd run` does so by itself."
    optParameters = [
        ["config", "c", os.environ.get("MTD_CONFIG"), "Configuration file (TOML)."],
    ]

    def postOptions(self) -> None:
        """Install the reactor that gRPC needs, while none is in yet."""
        try:
            install_reactor()
        except MtdError as error:
            raise usage.UsageError(str(error)) from None


class DaemonService(Service):
    """The daemon as a Twisted service. ``on_failure`` is called if it can't start.

    ``make_daemon`` makes another daemon than the usual one, for benches.
    """

    name = "mtd"

    def __init__(
        self,
        config_path: Path | None,
        on_failure: Callable[[], None] | None = None,
        make_daemon: Callable[[Settings], Process] | None = None,
    ) -> None:
        self._make_daemon = make_daemon
        self._config_path = config_path
        self._settings: Settings = _load(config_path)
        self._observing = Observing(self._settings)
        self._on_failure = on_failure
        self._daemon: Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self.failed = False

    def startService(self) -> None:
        """Start the daemon in the background; a failure stops the reactor."""
        super().startService()  # type: ignore[no-untyped-call]
        configure_logging(self._settings.log)
        from twisted.internet import reactor

        loop = asyncio.get_event_loop()
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # for the moment: it would end the process
        # Not before it runs: Twisted, as it begins, takes the descriptor by which asyncio hears of signals.
        reactor.callWhenRunning(self._listen, loop)
        self._starting = loop.create_task(self._start())

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._observing.listen(loop)

    def stopService(self) -> Deferred[None]:
        """Drain and stop, within the time that the configuration gives."""
        super().stopService()  # type: ignore[no-untyped-call]
        return as_deferred(self._stop())

    async def _start(self) -> None:
        self._daemon = (self._make_daemon or process_of)(self._settings)
        try:
            await self._observing.start()
            await self._daemon.start()
        except MtdError as error:
            logger.error("mtd can't start: %s", error)
            self._fail()
        except Exception:
            logger.exception("mtd can't start, by an error of its own")
            self._fail()

    async def _stop(self) -> None:
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._daemon is not None:
            await self._daemon.stop()
        await self._observing.stop()

    def _fail(self) -> None:
        from twisted.internet import reactor

        self.failed = True
        if self._on_failure is not None:
            self._on_failure()
        reactor.callLater(0, reactor.stop)

    def _reload(self) -> None:
        """Take a changed configuration; keep the old one if the new can't be used."""
        try:
            settings = load_config(type(self._settings), self._config_path)
        except ConfigInvalid as invalid:
            logger.error("reload refused, going on as before:\n%s", invalid)
            if self._daemon is not None:
                self._daemon.reload_refused(len(invalid.problems))
            return
        if self._daemon is not None:
            self._daemon.request_reload(settings)
        self._settings = settings


def process_of(settings: Settings) -> Process:
    """Return the process of a configuration's role; what the other roles need isn't imported."""
    from mtd.app.config import RoleName

    if settings.daemon.role is RoleName.COLLECTOR:
        from mtd.app.edge import EdgeDaemon

        return EdgeDaemon(settings)
    from mtd.app.daemon import Daemon

    return Daemon(settings)


def _load(config_path: Path | None) -> Settings:
    from mtd.app.config import Settings

    try:
        return load_config(Settings, config_path)
    except ConfigInvalid as invalid:
        print(f"mtd can't use its configuration:\n{invalid}", file=sys.stderr)  # noqa: T201 - no log yet
        raise SystemExit(1) from None


def makeService(options: Options) -> DaemonService:
    """Return the service for these options. If it can't start, twistd ends with code 1."""
    path = options["config"]
    return DaemonService(Path(path) if path else None, on_failure=_end_with_failure)


def _end_with_failure() -> None:
    """Have the process end with code 1 when it ends: twistd itself would say that all went well."""
    atexit.register(_exit_with_failure)


def _exit_with_failure() -> None:
    # By now twistd has put everything away; only what is buffered is still to be written.
    logging.shutdown()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            stream.flush()
    os._exit(1)
