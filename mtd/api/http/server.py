"""The HTTP door: opened and closed."""

from __future__ import annotations

import asyncio
import logging

from prometheus_client import REGISTRY, CollectorRegistry
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorTCP
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import Request
from twisted.web.server import Site

from mtd import __version__
from mtd.api import metrics
from mtd.api.config import HttpConfig
from mtd.api.http.routes import Pages
from mtd.api.interfaces import Readiness
from mtd.core.aio import as_future
from mtd.core.errors import Misconfigured

logger = logging.getLogger(__name__)

ROUTES = frozenset({"/", "/healthz", "/readyz", "/metrics"})


class CountingSite(Site):
    """Counts requests instead of writing a line for each: probes come every few seconds."""

    noisy = False
    displayTracebacks = False

    def log(self, request: Request) -> None:
        """Count a request that was answered."""
        path = request.path.decode("ascii", "replace")
        route = path if path in ROUTES else "other"
        metrics.HTTP_REQUESTS.labels(route=route, code=str(request.code)).inc()


class LimitedFactory(WrappingFactory):
    """Closes connections above a limit at once, and the others when asked to."""

    noisy = False

    def __init__(self, site: Site, max_connections: int) -> None:
        super().__init__(site)  # type: ignore[no-untyped-call]
        self._max_connections = max_connections

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper | None:  # type: ignore[override]
        """Refuse a connection above the limit; Twisted closes it upon None."""
        if len(self.protocols) >= self._max_connections:
            metrics.HTTP_REFUSED.inc()
            return None
        return super().buildProtocol(addr)

    def abort_all(self) -> None:
        """Close all connections, without waiting for what they still have to say."""
        for protocol in list(self.protocols):
            protocol.transport.abortConnection()


class HttpServer:
    """One HTTP server on the reactor. ``port`` is known once it is started."""

    def __init__(
        self, readiness: Readiness, config: HttpConfig | None = None, registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._config = config or HttpConfig()
        self._pages = Pages(readiness, registry, __version__)
        self._factory: LimitedFactory | None = None
        self._listening: IListeningPort | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises Misconfigured if the port can't be had."""
        from twisted.internet import reactor

        site = CountingSite(  # type: ignore[no-untyped-call]
            self._pages.app.resource(), timeout=self._config.idle_timeout_s
        )
        factory = LimitedFactory(site, self._config.max_connections)
        try:
            listening = IReactorTCP(reactor).listenTCP(
                self._config.port,
                factory,  # type: ignore[arg-type]
                interface=self._config.host,
            )
        except CannotListenError as error:
            raise Misconfigured(
                f"can't listen on {self._config.host} port {self._config.port} for HTTP: "
                f"{error.socketError}; set http.port"
            ) from None
        self._factory, self._listening = factory, listening
        self.port = int(listening.getHost().port)  # type: ignore[attr-defined]
        logger.info("HTTP listens on %s port %d", self._config.host, self.port)

    async def stop(self) -> None:
        """Close the port and the connections."""
        if self._listening is None or self._factory is None:
            return
        listening, self._listening = self._listening, None
        closed = as_future(maybeDeferred(listening.stopListening))
        self._factory.abort_all()
        async with asyncio.timeout(self._config.stop_timeout_s):
            await closed
