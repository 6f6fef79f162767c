"""REST as a source: one device, one session at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.device import Way
from mtd.sources.rest import metrics
from mtd.sources.rest.config import RestConfig
from mtd.sources.rest.opening import RestTools, open_rest
from mtd.sources.rest.session import RestSession
from mtd.sources.session_source import SessionSource
from mtd.sources.steps import Steps
from mtd.sources.tcp.reactor import default_reactor

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.model.device import Device


class RestSource(SessionSource[RestSession]):
    """A session with one router over REST. The device's settings name the port."""

    way = Way.REST
    sessions = metrics.SESSIONS
    connects = metrics.CONNECTS
    failures = metrics.FAILURES

    def __init__(
        self,
        device: Device,
        *,
        clock: Clock = SYSTEM_CLOCK,
        config: RestConfig | None = None,
        tls_ca_file: str = "",
        reactor: Any = None,
    ) -> None:
        super().__init__(device)
        self._tools = RestTools(
            clock, config or RestConfig(), tls_ca_file, reactor if reactor is not None else default_reactor()
        )

    async def open(self) -> RestSession:
        """Resolve, connect, secure and log in."""
        return await open_rest(self.device, self._tools, Steps(self._tools.clock))
