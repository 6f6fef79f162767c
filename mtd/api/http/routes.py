"""The pages of the HTTP door."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from klein import Klein
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from twisted.web.http import Request

from mtd.api.interfaces import Readiness
from mtd.core.aio import as_deferred

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

FRONT = """\
mtd {version}: monitoring for MikroTik RouterOS.

  /healthz   200 while the process works
  /readyz    200 when it does its work, else 503 and why
  /metrics   metrics of the process itself, OpenMetrics

Routers, values and events are served over gRPC: try `mtd device list` and
`mtd watch`, or read docs/ in the distribution.
"""


class Pages:
    """Answers from memory. ``version`` is shown on the front page."""

    app = Klein()

    def __init__(self, readiness: Readiness, registry: CollectorRegistry, version: str) -> None:
        self._readiness = readiness
        self._registry = registry
        self._version = version
        self._scrapes: dict[str, asyncio.Task[tuple[bytes, str]]] = {}

    @app.route("/", methods=["GET", "HEAD"])
    def front(self, request: Request) -> bytes:
        """Say what this is."""
        return _answer(request, 200, TEXT, FRONT.format(version=self._version).encode())

    @app.route("/healthz", methods=["GET", "HEAD"])
    def healthz(self, request: Request) -> bytes:
        """The loop turns: that it answers at all is the answer."""
        return _answer(request, 200, TEXT, b"ok\n")

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
        return _answer(request, 503 if missing else 200, JSON, json.dumps(body).encode() + b"\n")

    @app.route("/metrics", methods=["GET", "HEAD"])
    def metrics(self, request: Request) -> Any:
        """Give the metrics of the process in the format that the scraper prefers."""
        return as_deferred(self._metrics(request))

    async def _metrics(self, request: Request) -> bytes:
        accept = request.getHeader("accept") or ""
        # Thousands of lines take longer than the loop may be held. Scrapers that
        # come at once share one reading: there is never more than one per format.
        _, content_type = choose_encoder(accept)
        scrape = self._scrapes.get(content_type)
        if scrape is None:
            scrape = asyncio.ensure_future(asyncio.to_thread(self._expose, accept))
            self._scrapes[content_type] = scrape
            scrape.add_done_callback(lambda _: self._scrapes.pop(content_type))
        body, content_type = await asyncio.shield(scrape)
        return _answer(request, 200, content_type, body)

    def _expose(self, accept: str) -> tuple[bytes, str]:
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type


def _answer(request: Request, code: int, content_type: str, body: bytes) -> bytes:
    request.setResponseCode(code)
    request.setHeader("content-type", content_type)
    request.setHeader("content-length", str(len(body)))
    request.setHeader("cache-control", "no-store")
    request.setHeader("x-content-type-options", "nosniff")
    return body
