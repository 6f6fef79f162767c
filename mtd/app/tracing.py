"""Traces of the daemon: begun and ended with it, if they are switched on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mtd import __version__
from mtd.core import tracing
from mtd.core.errors import Misconfigured

if TYPE_CHECKING:
    from mtd.core.tracing.config import TracingConfig
    from mtd.core.tracing.export import OtelTracer

logger = logging.getLogger(__name__)

# What is sent at the end, at most: the daemon's own end has less than ten seconds.
_STOP_S = 0.5


class Tracing:
    """Sends traces while it is started."""

    def __init__(self, config: TracingConfig, collector_id: str) -> None:
        self._config = config
        self._collector_id = collector_id
        self._tracer: OtelTracer | None = None

    async def start(self) -> None:
        """Begin, if it is switched on. Raises Misconfigured; a collector of traces that is away is no error."""
        if not self._config.enabled:
            return
        # Loading the SDK takes a third of a second, and it reads files.
        self._tracer = await asyncio.to_thread(_make, self._config, self._collector_id)
        tracing.use(self._tracer)
        logger.info("traces go to %s, %g of all", self._config.endpoint, self._config.sample_ratio)

    async def stop(self) -> None:
        """Send what is left, for a moment, and end."""
        tracer, self._tracer = self._tracer, None
        if tracer is not None:
            tracing.use(None)
            await asyncio.to_thread(tracer.stop, _STOP_S)


def _make(config: TracingConfig, collector_id: str) -> OtelTracer:
    try:
        from mtd.core.tracing.export import OtelTracer
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"tracing.enabled needs the extra `tracing`, {error.name} is missing: pip install 'mtd[tracing]'"
        ) from None
    return OtelTracer(config, instance=collector_id, version=__version__)
