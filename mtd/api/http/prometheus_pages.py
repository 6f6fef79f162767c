"""Pages for Prometheus: the values of routers, and which routers there are."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from typing import Any

from klein import Klein
from twisted.web.http import Request
from twisted.web.resource import IResource

from mtd.api.access.current import tenant_id
from mtd.api.http.coding import takes_gzip
from mtd.api.http.device_metrics import DeviceMetrics, prefixed_labels
from mtd.api.http.exposition import Format
from mtd.api.http.pages import JSON, TEXT, answer
from mtd.api.http.roster import Rosters
from mtd.core.aio import as_deferred
from mtd.core.errors import MtdError, NotFound, Refused
from mtd.core.service import TaskGroup
from mtd.core.shared import Shared
from mtd.model.device import DeviceStatus
from mtd.queries.records import DeviceView

ROUTES = frozenset({"/metrics/devices", "/probe", "/sd"})
MAX_TARGETS = 100

USAGE = """\
Say which router: /probe?target=NAME

A device goes by its name, its id, or its host if no other device has that; several targets are allowed.
/sd lists the names for Prometheus, /metrics/devices has all devices at once; see docs/prometheus.md.
"""


class PrometheusPages:
    """Answers scrapers from memory, each for its tenant. No page makes anyone ask a router."""

    app = Klein()

    def __init__(self, rosters: Rosters, metrics: DeviceMetrics) -> None:
        self._rosters = rosters
        self._metrics = metrics
        self._tasks = TaskGroup("api.prometheus")
        self._scrapes: Shared[bytes] = Shared("scrape", self._tasks)

    def route_of(self, path: str) -> str | None:
        """Return the name under which a path is counted."""
        return path if path in ROUTES else None

    def resource(self) -> IResource:
        """Return what answers for these paths."""
        resource: IResource = self.app.resource()
        return resource

    async def stop(self) -> None:
        """End scrapes that go on."""
        await self._tasks.stop()
        await self._rosters.stop()

    @app.route("/metrics/devices", methods=["GET", "HEAD"])
    def devices(self, request: Request) -> Any:
        """Give the newest values of all devices."""
        return as_deferred(self._answered(request, self._devices(request)))

    @app.route("/probe", methods=["GET", "HEAD"])
    def probe(self, request: Request) -> Any:
        """Give the newest values of the devices that are asked for."""
        return as_deferred(self._answered(request, self._probe(request)))

    @app.route("/sd", methods=["GET", "HEAD"])
    def discovery(self, request: Request) -> Any:
        """Give the devices that are polled as targets: Prometheus' http_sd."""
        return as_deferred(self._answered(request, self._discovery(request)))

    async def _answered(self, request: Request, page: Awaitable[bytes]) -> bytes:
        try:
            return await page
        except NotFound as error:
            return answer(request, 404, TEXT, f"{error}\n".encode())
        except Refused as error:
            return answer(request, 400, TEXT, f"{error}\n".encode())
        except MtdError as error:
            return answer(request, 503, TEXT, f"{error}\n".encode())

    async def _devices(self, request: Request) -> bytes:
        style, gzip = _wanted(request)
        tenant = tenant_id()
        # Scrapers of a tenant that come at once share one answer: there is never more than one of a kind in the making.
        body = await self._scrapes.get((tenant, style, gzip), lambda: self._all(tenant, style, gzip=gzip))
        return _exposition(request, style, body, gzip=gzip)

    async def _all(self, tenant: str, style: Format, *, gzip: bool) -> bytes:
        return await self._metrics.write(await self._rosters.of(tenant).views(), style, gzip=gzip)

    async def _probe(self, request: Request) -> bytes:
        targets = [target.decode("utf-8", "replace") for target in (request.args or {}).get(b"target", [])]
        if not any(targets):
            raise Refused(USAGE.rstrip())
        if len(targets) > MAX_TARGETS:
            raise Refused(f"{len(targets)} targets are over the limit of {MAX_TARGETS}: use /metrics/devices")
        roster = self._rosters.of(tenant_id())
        views = {view.device_id: view for view in [await roster.find(target) for target in targets]}
        style, gzip = _wanted(request)
        body = await self._metrics.write(views.values(), style, gzip=gzip)
        return _exposition(request, style, body, gzip=gzip)

    async def _discovery(self, request: Request) -> bytes:
        groups = [
            {"targets": [view.settings.name], "labels": _meta(view)}
            for view in await self._rosters.of(tenant_id()).views()
            if view.status is not DeviceStatus.DISABLED
        ]
        return answer(request, 200, JSON, json.dumps(groups, ensure_ascii=False).encode() + b"\n")


def _wanted(request: Request) -> tuple[Format, bool]:
    style = Format.accepted(request.getHeader("accept") or "")
    return style, takes_gzip(request)


def _exposition(request: Request, style: Format, body: bytes, *, gzip: bool) -> bytes:
    request.setHeader("vary", "accept, accept-encoding")
    if gzip:
        request.setHeader("content-encoding", "gzip")
    return answer(request, 200, style.value, body)


def _meta(view: DeviceView) -> dict[str, str]:
    """Return what a target can be relabelled by. All values are text, as http_sd wants it."""
    settings = view.settings
    return {
        "__meta_mtd_id": view.device_id,
        "__meta_mtd_name": settings.name,
        "__meta_mtd_host": settings.host,
        "__meta_mtd_port": str(settings.port),
        "__meta_mtd_status": str(view.status),
        "__meta_mtd_version": view.routeros_version,
        "__meta_mtd_board": view.board_name,
        "__meta_mtd_identity": view.identity,
        **prefixed_labels(view, "__meta_mtd_label_"),
    }
