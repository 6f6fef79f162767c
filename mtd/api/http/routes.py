"""The pages that every HTTP door has: front page, health, readiness, metrics of the process."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast

from klein import Klein
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from twisted.web.http import Request
from twisted.web.resource import IResource

from mtd.api.http.openapi import DOCUMENT, document
from mtd.api.http.pages import JSON, TEXT, answer
from mtd.api.interfaces import Readiness
from mtd.core.aio import as_deferred
from mtd.core.service import TaskGroup
from mtd.core.shared import Shared

if TYPE_CHECKING:
    from mtd.api.http.server import MountedSite

ROUTES = frozenset({"/", "/healthz", "/readyz", "/metrics", DOCUMENT})
PROBES = frozenset({"/healthz", "/readyz"})
"""For whoever asks, by any name: balancers and supervisors have their own, and nothing of the routers is told."""

CONSOLE = "/console/"
CONSOLE_LINE = "  /console/               the browser console\n"
FRONT = """\
mtd {version}: monitoring for MikroTik RouterOS.

{console}  /healthz                200 while the process works
  /readyz                 200 when it does its work, else 503 and why
  /metrics                metrics of the process itself, OpenMetrics
  /metrics/devices        newest values of all routers, OpenMetrics
  /probe?target=NAME      newest values of one router, OpenMetrics
  /sd                     the routers as targets, for Prometheus' http_sd
  /ingest/v1/batch        takes values and events that others send: docs/ingest.md
  /openapi.json           what this door serves, as an OpenAPI document

Routers, values and events are served over gRPC: try `mtd device list` and
`mtd watch`, or read docs/ in the distribution.
"""


class Pages:
    """Answers from memory; see `PageSet`. ``version`` is shown on the front page."""

    app = Klein()

    def __init__(self, readiness: Readiness, registry: CollectorRegistry, version: str) -> None:
        self._readiness = readiness
        self._registry = registry
        self._version = version
        self._openapi = json.dumps(document(version)).encode()
        self._tasks = TaskGroup("api.pages")
        self._scrapes: Shared[tuple[bytes, str]] = Shared("scrape", self._tasks)

    def route_of(self, path: str) -> str | None:
        """Return the path if it is one of these pages."""
        return path if path in ROUTES else None

    def resource(self) -> IResource:
        """Return what answers."""
        resource: IResource = self.app.resource()
        return resource

    async def stop(self) -> None:
        """End scrapes that go on."""
        await self._tasks.stop()

    @app.route("/", methods=["GET", "HEAD"])
    def front(self, request: Request) -> bytes:
        """Say what this is; take a browser to the console, if it is served."""
        site = cast("MountedSite", request.site)  # type: ignore[attr-defined]
        has_console = site.serves(CONSOLE)
        if has_console and "text/html" in (request.getHeader("accept") or ""):
            request.setHeader("location", CONSOLE)
            return answer(request, 302, TEXT, b"the console is at /console/\n")
        console = CONSOLE_LINE if has_console else ""
        return answer(request, 200, TEXT, FRONT.format(version=self._version, console=console).encode())

    @app.route("/healthz", methods=["GET", "HEAD"])
    def healthz(self, request: Request) -> bytes:
        """The loop turns: that it answers at all is the answer."""
        return answer(request, 200, TEXT, b"ok\n")

    @app.route("/readyz", methods=["GET", "HEAD"])
    def readyz(self, request: Request) -> bytes:
        """Tell whether each part does its work."""
        checks = self._readiness.checks()
        missing = {check.name: check.reason for check in checks if not check.ready}
        body = {
            "ready": not missing,
            "reasons": missing,
            "checks": {check.name: check.ready for check in checks},
        }
        return answer(request, 503 if missing else 200, JSON, json.dumps(body).encode() + b"\n")

    @app.route(DOCUMENT, methods=["GET", "HEAD"])
    def openapi(self, request: Request) -> bytes:
        """Give the document that describes the door."""
        return answer(request, 200, JSON, self._openapi)

    @app.route("/metrics", methods=["GET", "HEAD"])
    def metrics(self, request: Request) -> Any:
        """Give the metrics of the process in the format that the scraper prefers."""
        return as_deferred(self._metrics(request))

    async def _metrics(self, request: Request) -> bytes:
        accept = request.getHeader("accept") or ""
        # Thousands of lines take longer than the loop may be held. Scrapers that
        # come at once share one reading: there is never more than one per format.
        _, content_type = choose_encoder(accept)
        body, content_type = await self._scrapes.get(
            content_type, lambda: asyncio.to_thread(self._expose, accept)
        )
        return answer(request, 200, content_type, body)

    def _expose(self, accept: str) -> tuple[bytes, str]:
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type
