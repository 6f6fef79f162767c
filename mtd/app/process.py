"""What the daemon and an edge have in common: parts that start in order, a data folder, a reload, an end."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mtd.app.folder import RuntimeFile
from mtd.app.stages import Stages
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.garbage import QuietGarbage
from mtd.core.memory import SmallHeap
from mtd.core.report import configure_logging
from mtd.core.service import TaskGroup

if TYPE_CHECKING:
    from mtd.app.collecting import Collecting
    from mtd.app.config import Settings

logger = logging.getLogger(__name__)


class Process(ABC):
    """A process of mtd. ``start`` is its own; ``stop`` drains first."""

    reloaded: frozenset[str] = frozenset({"log"})
    """Sections that a reload takes at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stages = Stages()
        self._runtime = RuntimeFile(settings.daemon.data_dir)
        self._tasks = TaskGroup("app")
        self._garbage = QuietGarbage()
        self._heap = SmallHeap()
        self._collecting: Collecting | None = None

    @abstractmethod
    async def start(self) -> None:
        """Start all parts, each when what it needs is there."""

    async def stop(self) -> None:
        """Stop polling, write down what was observed, close everything. Bounded in time."""
        self._stages.waiting_for = "the end: it is stopping"
        self._garbage.stop()
        self._runtime.remove()
        started = SYSTEM_CLOCK.monotonic()
        await self._stages.stop(self._settings.daemon.drain_timeout_s)
        await self._tasks.stop()
        logger.info("stopped within %.1f s", SYSTEM_CLOCK.monotonic() - started)

    def reload_refused(self, problems: int) -> None:  # noqa: B027 - the log says it; a hub audits it as well
        """Write down that changed settings could not be used."""

    def request_reload(self, settings: Settings) -> None:
        """Take changed settings, in the background; what comes of it is in the log."""
        self._tasks.spawn("reload", self.reload(settings))

    async def reload(self, settings: Settings) -> list[str]:
        """Take changed settings: logs and polling at once, the rest at the next start. Return what changed."""
        old, self._settings = self._settings, settings
        configure_logging(settings.log)
        names = type(settings).model_fields
        changed = {name for name in names if getattr(old, name) != getattr(settings, name)}
        waiting = sorted(changed - self.reloaded)
        if waiting:
            logger.warning("changes of %s take effect at the next start", ", ".join(waiting))
        if changed & self.reloaded - {"log"} and self._collecting is not None:
            await self._collecting.reload(settings)
        logger.info("configuration reloaded; changed: %s", ", ".join(sorted(changed)) or "nothing")
        return sorted(changed)

    def _look_after_memory(self) -> None:
        """Begin to; before anything is polled: what is there is set aside, which takes some 50 ms."""
        self._heap.begin()
        self._garbage.start()
        self._tasks.spawn("garbage", self._garbage.keep_young_few())
        self._tasks.spawn("heap", self._heap.keep_small())

    async def _begin(
        self, name: str, start: Awaitable[object], stop: Callable[[], Awaitable[object]]
    ) -> None:
        await self._stages.begin(name, start, stop)
