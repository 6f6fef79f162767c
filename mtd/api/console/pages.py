"""The console's pages at the HTTP door: its files, its JSON, and the way to its live channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request
from twisted.web.websocket import WebSocketResource
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from mtd.api.access.current import principal, tenant_id
from mtd.api.console import metrics
from mtd.api.console.config import ConsoleConfig
from mtd.api.console.encode import encode
from mtd.api.console.reading import Reading
from mtd.api.console.socket import LiveSockets
from mtd.api.console.static import INDEX, LOGIN, NOT_BUILT, Asset, Assets
from mtd.api.console.worlds import TooManyWorlds, Worlds
from mtd.api.http.coding import has_it, takes_gzip
from mtd.api.http.pages import JSON, TEXT, answer
from mtd.api.http.visits import Visits
from mtd.core.aio import as_deferred
from mtd.core.errors import MtdError, NotFound, Refused, Retryable

logger = logging.getLogger(__name__)

ROOT = "/console"
LIVE = "/console/live"
API = "/console/api/v1"
LOGIN_PAGE = "/console/login"


class ConsolePages:
    """See `PageSet`. Before `serve`, the files are there and all else is told to come back."""

    def __init__(self, config: ConsoleConfig, assets: Assets | None = None) -> None:
        self._config = config
        self._assets = assets if assets is not None else Assets()
        self._routes = _Routes(self._assets)
        self._root = _Root(self._routes.app.resource())

    async def start(self) -> None:
        """Read the files."""
        await asyncio.to_thread(self._assets.refresh)

    def serve(self, worlds: Worlds, reading: Reading, visits: Visits) -> None:
        """The rest of the process is up."""
        self._routes.reading = reading
        self._root.live = _LiveResource(worlds, self._config, visits)

    def route_of(self, path: str) -> str | None:
        """Return what a path is counted as; None if it isn't the console's."""
        if path in (LIVE, LOGIN_PAGE):
            return path
        if path == ROOT or path.startswith(ROOT + "/"):
            return _route(path)
        return None

    async def stop(self) -> None:
        """Nothing goes on behind these pages: `Live` has a stop of its own."""

    def resource(self) -> IResource:
        """Return what answers."""
        return self._root


def _route(path: str) -> str:
    if not path.startswith(API + "/"):
        # Other files are the same for everybody, and on the web anyway.
        return "/console/" if path in (ROOT, ROOT + "/", f"{ROOT}/{INDEX}") else "/console/assets"
    name = path[len(API) + 1 :]
    first, _, rest = name.partition("/")
    if first == "devices":
        last = rest.partition("/")[2]
        return f"{API}/devices/ID/{last}" if last in _DEVICE_PAGES else f"{API}/devices/ID"
    return f"{API}/{name}" if name in _PAGES else f"{API}/other"


_PAGES = frozenset(
    {
        *("events", "logs", "catalogue", "self", "drops"),
        *("flows", "flows/paths", "flows/records", "flows/interfaces"),
    }
)
_DEVICE_PAGES = frozenset({"history", "events", "health"})


class _Root(Resource):
    """The live channel, and pages."""

    isLeaf = True

    def __init__(self, pages: IResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pages = pages
        self.live: WebSocketResource | None = None

    def render(self, request: Request) -> Any:
        """Open the live channel, or give a page."""
        if not _is_text(request.path):
            return refuse(request, 400, ("path", "the path is no UTF-8 text", "load the console again"))
        if request.path != LIVE.encode():
            return self._pages.render(request)
        if self.live is None:
            return refuse(request, 503, ("starting", "mtd is starting", "call again in a moment"))
        return self.live.render(request)


class _LiveResource(WebSocketResource):
    """The live channel. Pages of others don't come so far: the door refuses them."""

    isLeaf = True

    def __init__(self, worlds: Worlds, config: ConsoleConfig, visits: Visits) -> None:
        super().__init__(LiveSockets(worlds, config, visits))
        self._worlds = worlds
        self._config = config

    def render_GET(self, request: Request) -> bytes | int:
        """Open a WebSocket, or say why not."""
        if (request.getHeader("upgrade") or "").lower() != "websocket":
            request.setHeader("upgrade", "websocket")
            return refuse(request, 426, ("upgrade", "this is a WebSocket", "open /console/ in a browser"))
        if self._worlds.closed:
            return refuse(request, 503, ("stopping", "mtd is stopping", "call again in a moment"))
        if self._worlds.full:
            error = f"{self._config.max_viewers} consoles are open, as many as are allowed"
            return refuse(request, 503, ("viewers", error, "close one, or raise console.max_viewers"))
        try:
            self._worlds.of(tenant_id())
        except TooManyWorlds as many:
            return refuse(request, 503, ("tenants", str(many), many.hint))
        return super().render_GET(request)


class _Routes:
    """Paths below /console."""

    app = Klein()

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self.reading: Reading | None = None

    @app.route("/console", methods=["GET", "HEAD"])
    def bare(self, request: Request) -> bytes:
        """Take it to the page."""
        request.setHeader("location", "/console/")
        return answer(request, 302, TEXT, b"the console is at /console/\n")

    @app.route("/console/", methods=["GET", "HEAD"])
    def index(self, request: Request) -> Any:
        """Give the page."""
        return as_deferred(self._whole_page(request, INDEX))

    @app.route("/console/login", methods=["GET", "HEAD"])
    def login(self, request: Request) -> Any:
        """Give the page on which people log in."""
        return as_deferred(self._whole_page(request, LOGIN))

    async def _whole_page(self, request: Request, name: str) -> bytes:
        await asyncio.to_thread(self._assets.refresh)
        asset = self._assets.get(name)
        if asset is None:
            return answer(request, 503, TEXT, NOT_BUILT)
        return _send(request, asset)

    @app.route("/console/<path:name>", methods=["GET", "HEAD"])
    def file(self, request: Request, name: str) -> bytes:
        """Give a file by its name."""
        asset = self._assets.get(name)
        if asset is None:
            return _tell(request, 404, f"there is no {name[:100]!r}", "load the console again")
        return _send(request, asset)

    @app.route("/console/api/v1/<path:page>", methods=["GET"])
    def api(self, request: Request, page: str) -> Any:
        """Give JSON."""
        return as_deferred(self._api(request, page))

    async def _api(self, request: Request, page: str) -> bytes:
        reading = self.reading
        if reading is None:
            return _tell(request, 503, "mtd is starting", "call again in a moment")
        return await _answered(request, lambda: reading.read(principal(), page, _arguments(request)))

    @app.handle_errors(HTTPException)  # type: ignore[arg-type]
    def not_so(self, request: Request, failure: Failure) -> bytes:
        """Say what Klein found wrong with a request as everything else here says it."""
        wrong = cast("HTTPException", failure.value)
        # Where to go instead, and what would be allowed.
        for name, value in wrong.get_headers({}):
            if name.lower() != "content-type":
                request.setHeader(name, value)
        if isinstance(wrong, RequestRedirect):
            request.setHeader("location", wrong.new_url)
        return _tell(
            request, wrong.code or 500, wrong.name.lower(), "docs/console-protocol.md lists the pages"
        )


def _is_text(path: bytes) -> bool:
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return True


def _arguments(request: Request) -> dict[str, list[str]]:
    return {
        name.decode("utf-8", "replace"): [value.decode("utf-8", "replace") for value in values]
        for name, values in request.args.items()
    }


async def _answered(request: Request, read: Callable[[], Awaitable[bytes]]) -> bytes:
    """Return a page's JSON, or what kept us from it."""
    try:
        return answer(request, 200, JSON, await read())
    except NotFound as error:
        return _tell(request, 404, str(error), error.hint or "it may have been removed: look at the list")
    except Refused as error:
        return _tell(request, 400, str(error), error.hint)
    except Retryable as error:
        return _tell(request, 503, str(error), error.hint or "PostgreSQL may be away: see /readyz")
    except TimeoutError:
        return _tell(request, 504, "the database didn't answer in time", "ask for a shorter time")
    except MtdError as error:
        return _tell(request, 500, str(error), error.hint)
    except Exception:
        logger.exception("a page of the console failed by an error of mtd: %s", request.path)
        return _tell(request, 500, "an error of mtd", "its log has it")


def _send(request: Request, asset: Asset) -> bytes:
    request.setHeader("cache-control", "public, max-age=31536000, immutable" if asset.hashed else "no-cache")
    request.setHeader("vary", "accept-encoding")
    body, etag = asset.body, asset.etag
    if asset.packed is not None and takes_gzip(request):
        request.setHeader("content-encoding", "gzip")
        body, etag = asset.packed, f'{etag[:-1]}-gz"'  # other bytes, another tag
    request.setHeader("etag", etag)
    if has_it(request, etag):
        request.setResponseCode(304)
        return b""
    request.setHeader("content-type", asset.content_type)
    request.setHeader("content-length", str(len(body)))
    return body


def refuse(request: Request, code: int, refusal: tuple[str, str, str]) -> bytes:
    """Answer that a request is refused, and count it."""
    reason, error, hint = refusal
    metrics.REFUSED.labels(reason=reason).inc()
    return _tell(request, code, error, hint)


def _tell(request: Request, code: int, error: str, hint: str) -> bytes:
    return answer(request, code, JSON, encode({"error": error, "hint": hint}).encode())
