"""The HTTP door: opened and closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from prometheus_client import REGISTRY, CollectorRegistry
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorSSL, IReactorTCP
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Request as ServedRequest
from twisted.web.server import Site

from mtd import __version__
from mtd.api import metrics
from mtd.api.config import HttpConfig
from mtd.api.http.access import Doorkeeper
from mtd.api.http.bodies import BodyLimits, bounded_by
from mtd.api.http.guard import HEADERS, Guard, RefusedPage
from mtd.api.http.pages import PageSet
from mtd.api.http.routes import PROBES, Pages
from mtd.api.interfaces import Readiness
from mtd.api.tls.http_door import ReloadingTls
from mtd.api.tls.material import LiveMaterial
from mtd.core.aio import as_future
from mtd.core.errors import Bug, Misconfigured

logger = logging.getLogger(__name__)

OTHER = "other"


class MountedSite(Site):
    """Finds the page set of a request, and counts requests by its routes instead of writing a line for each."""

    noisy = False
    displayTracebacks = False

    def __init__(
        self, first: PageSet, guard: Guard, doorkeeper: Doorkeeper, bodies: BodyLimits, timeout: float
    ) -> None:
        self._guard = guard
        self._doorkeeper = doorkeeper
        self._first = first.resource()
        super().__init__(  # type: ignore[no-untyped-call]
            self._first,
            requestFactory=bounded_by(bodies),
            timeout=timeout,
            # No page takes forms: reading one could hold the loop for seconds.
            parsePOSTFormSubmission=False,
        )
        self._mounted: list[tuple[PageSet, IResource]] = [(first, self._first)]

    def mount(self, pages: PageSet) -> None:
        """Serve more pages from now on."""
        self._mounted.append((pages, pages.resource()))

    def getResourceFor(self, request: ServedRequest) -> IResource:
        """Return the resource of the page set that the path belongs to; the first set tells of others.

        Who may not be here gets a refusal, whatever the path.
        """
        request.site = self
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        path = _path(request)
        route, resource = self._found(path)
        if (unreadable := self._guard.unreadable(request)) is not None:
            return RefusedPage(unreadable)
        own_proof = self._doorkeeper.has_own_proof(route)
        if path not in PROBES and (refusal := self._guard.refusal(request, own_proof=own_proof)) is not None:
            return RefusedPage(refusal)
        return resource if route is None else self._doorkeeper.before(route, request, resource)

    def _found(self, path: str) -> tuple[str | None, IResource]:
        for pages, resource in self._mounted:
            route = pages.route_of(path)
            if route is not None:
                return route, resource
        return None, self._first  # which has no such page

    def serves(self, path: str) -> bool:
        """Return whether a path belongs to one of the page sets."""
        return any(pages.route_of(path) is not None for pages, _ in self._mounted)

    async def stop(self) -> None:
        """End what goes on behind the pages."""
        await self._doorkeeper.stop()
        await asyncio.gather(*(pages.stop() for pages, _ in self._mounted))

    def log(self, request: Request) -> None:
        """Count a request that was answered."""
        path = _path(request)
        found = (pages.route_of(path) for pages, _ in self._mounted)
        route = next((name for name in found if name is not None), OTHER)
        metrics.HTTP_REQUESTS.labels(route=route, code=str(request.code)).inc()


class CountedConnection(ProtocolWrapper):
    """A connection that may be cut off if it sends too much that nobody could read yet."""

    _unread = 0
    _limit: tuple[int, Callable[[], None]] | None = None

    def limit_unread(self, limit: tuple[int, Callable[[], None]] | None) -> None:
        """From now on call the function when more than so many bytes came since `read_all`; None: no more."""
        self._limit = limit

    def read_all(self) -> None:
        """What came was read."""
        self._unread = 0

    def dataReceived(self, data: bytes) -> None:
        """Pass bytes on, unless they are too many."""
        if self._limit is not None:
            self._unread += len(data)
            most, flooded = self._limit
            if self._unread > most:
                flooded()
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]


class LimitedFactory(WrappingFactory):
    """Closes connections above a limit at once, and the others when asked to."""

    noisy = False
    protocol = CountedConnection

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


def _authority(name: str, port: int) -> str:
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _path(request: Request) -> str:
    return request.path.decode("ascii", "replace")


class HttpServer:
    """One HTTP server on the reactor. ``port`` is known once it is started.

    ``public_host``: by which name browsers call it through a proxy, beside those of the configuration.
    """

    def __init__(
        self,
        readiness: Readiness,
        config: HttpConfig | None = None,
        registry: CollectorRegistry = REGISTRY,
        doorkeeper: Doorkeeper | None = None,
        public_host: str = "",
        tls: LiveMaterial | None = None,
        bodies: BodyLimits | None = None,
    ) -> None:
        self._config = config or HttpConfig()
        self._tls = tls
        names = [*self._config.allowed_hosts, *([public_host] if public_host else [])]
        # Whoever calls by them verified the certificate, which a name of somebody else's isn't in.
        names += [_authority(name, self._config.port) for name in self._config.tls.names]
        self._site = MountedSite(
            Pages(readiness, registry, __version__),
            Guard(names),
            doorkeeper or Doorkeeper(),
            bodies or BodyLimits(),
            self._config.idle_timeout_s,
        )
        self._factory: LimitedFactory | None = None
        self._listening: IListeningPort | None = None
        self.port = 0

    def mount(self, pages: PageSet) -> None:
        """Serve more pages from now on: before the start, or as the parts behind them come up."""
        self._site.mount(pages)

    async def start(self) -> None:
        """Listen. Raises Misconfigured if the port can't be had."""
        from twisted.internet import reactor

        factory = LimitedFactory(self._site, self._config.max_connections)
        try:
            listening = self._listen(reactor, factory)
        except CannotListenError as error:
            raise Misconfigured(
                f"can't listen on {self._config.host} port {self._config.port} for HTTP: "
                f"{error.socketError}; set http.port"
            ) from None
        self._factory, self._listening = factory, listening
        self.port = int(listening.getHost().port)  # type: ignore[attr-defined]
        logger.info(
            "HTTP listens on %s port %d%s",
            self._config.host,
            self.port,
            " with TLS" if self._config.tls.on else "",
        )

    def _listen(self, reactor: object, factory: LimitedFactory) -> IListeningPort:
        port, host = self._config.port, self._config.host
        if not self._config.tls.on:
            return IReactorTCP(reactor).listenTCP(port, factory, interface=host)  # type: ignore[arg-type]
        if self._tls is None:
            raise Bug("the HTTP door is to speak TLS, and has no certificate")
        tls = ReloadingTls(self._tls)
        return IReactorSSL(reactor).listenSSL(port, factory, tls, interface=host)  # type: ignore[arg-type]

    async def stop(self) -> None:
        """Close the port and the connections."""
        if self._listening is None or self._factory is None:
            return
        listening, self._listening = self._listening, None
        closed = as_future(maybeDeferred(listening.stopListening))
        self._factory.abort_all()
        try:
            async with asyncio.timeout(self._config.stop_timeout_s):
                await closed
        finally:
            await self._site.stop()
