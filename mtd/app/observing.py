"""How the process is looked at from outside: its traces, what holds its loop, and dumps. The same in every role."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import signal
import sys
from typing import TYPE_CHECKING

from mtd.app.dumping import Dumper
from mtd.app.tracing import Tracing
from mtd.core.log_fields import describe_process
from mtd.core.loop_watch import LoopWatch

if TYPE_CHECKING:
    from mtd.app.config import Settings

logger = logging.getLogger(__name__)


class Observing:
    """Begun before the daemon, and ended after it."""

    def __init__(self, settings: Settings) -> None:
        daemon = settings.daemon
        about = {"collector": daemon.collector_id, "role": str(daemon.role)}
        describe_process(collector=daemon.collector_id)
        self._watch = LoopWatch()
        self._dumper = Dumper(daemon.data_dir, self._watch, about)
        self._tracing = Tracing(settings.tracing, daemon.collector_id)

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write a dump upon SIGUSR1, and where each thread is upon SIGUSR2, also if the loop doesn't turn any more."""
        before = signal.getsignal(signal.SIGUSR1)  # twistd turns its log over then, if it has one of its own

        def asked() -> None:
            self._dumper.request()
            if callable(before):
                before(signal.SIGUSR1, None)

        loop.add_signal_handler(signal.SIGUSR1, asked)
        if sys.__stderr__ is not None:
            with contextlib.suppress(ValueError, OSError):  # it may be closed
                faulthandler.register(signal.SIGUSR2, file=sys.__stderr__, all_threads=True)

    async def start(self) -> None:
        """Begin. Raises Misconfigured."""
        self._watch.start()
        await self._tracing.start()

    async def stop(self) -> None:
        """End; send what is left of traces."""
        await self._dumper.stop()
        await self._tracing.stop()
        self._watch.stop()
