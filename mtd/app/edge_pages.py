"""The pages of a collector's HTTP door: there is no console, but a word of where it is."""

from __future__ import annotations

import html
from collections.abc import Callable

from twisted.web.http import Request
from twisted.web.resource import IResource, Resource

from mtd.api.http.pages import answer

_PREFIX = "/console/"
_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>mtd: a collector</title></head>
<body><h1>This is the collector {name}</h1>
<p>It polls routers and sends what they tell to its hub, {hub}. The console is at the hub.</p>
<p>Here are <a href="/readyz">its state</a> and <a href="/metrics">its metrics</a>;
on this machine, <code>mtd collector status</code> tells more.</p></body></html>
"""


class ElsewherePages:
    """See `PageSet`. ``hub`` is asked where the hub is."""

    def __init__(self, name: str, hub: Callable[[], str]) -> None:
        self._resource = _Elsewhere(name, hub)

    def route_of(self, path: str) -> str | None:
        """Return the console's route for all of its pages."""
        return _PREFIX if path == _PREFIX.rstrip("/") or path.startswith(_PREFIX) else None

    def resource(self) -> IResource:
        """Return what answers."""
        return self._resource

    async def stop(self) -> None:
        """Nothing goes on behind it."""


class _Elsewhere(Resource):
    isLeaf = True

    def __init__(self, name: str, hub: Callable[[], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = name
        self._hub = hub

    def render(self, request: Request) -> bytes:
        """Say where to go."""
        page = _PAGE.format(name=html.escape(self._name), hub=html.escape(self._hub() or "not known yet"))
        return answer(request, 404, "text/html; charset=utf-8", page.encode())
