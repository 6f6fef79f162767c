"""The RouterOS API as a source: one device, one session at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.device import Way
from mtd.sources.routeros_api import metrics
from mtd.sources.routeros_api.config import RouterOsApiConfig
from mtd.sources.routeros_api.opening import Tools, open_session, shared_patterns
from mtd.sources.routeros_api.session import ApiSession
from mtd.sources.session_source import SessionSource
from mtd.sources.steps import Steps
from mtd.sources.tcp.reactor import default_reactor

if TYPE_CHECKING:
    from mtd.codec.routeros import PatternCache
    from mtd.core.clock import Clock
    from mtd.model.device import Device


class RouterOsApiSource(SessionSource[ApiSession]):
    """A session with one router over its API; all commands are under way at once."""

    way = Way.API
    sessions = metrics.SESSIONS
    connects = metrics.CONNECTS
    failures = metrics.FAILURES

    def __init__(
        self,
        device: Device,
        *,
        clock: Clock = SYSTEM_CLOCK,
        config: RouterOsApiConfig | None = None,
        patterns: PatternCache | None = None,
        reactor: Any = None,
    ) -> None:
        super().__init__(device)
        self._tools = Tools(
            clock,
            config or RouterOsApiConfig(),
            patterns if patterns is not None else shared_patterns(),
            reactor if reactor is not None else default_reactor(),
        )

    async def open(self) -> ApiSession:
        """Resolve, connect, secure and log in."""
        return await open_session(self.device, self._tools, Steps(self._tools.clock))
