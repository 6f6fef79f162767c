"""Who may talk to the HTTP door, as long as nothing asks callers who they are.

The door listens on loopback, but every page that a browser of this machine
shows may try to reach it there: by a name of its own that resolves to 127.0.0.1
(DNS rebinding), by a request across sites, or by a WebSocket, which browsers
open across sites. They give themselves away by ``Host``, ``Sec-Fetch-Site`` and
``Origin``.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Request as ServedRequest

from mtd.api import metrics
from mtd.api.http.pages import JSON, answer
from mtd.api.http.shown import SIGNATURE_HEADER, bearer_of

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer of the door."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: the reason by which it is counted, what is wrong, and what to do."""

    reason: str
    error: str
    hint: str
    status: int = 403


class Guard:
    """Knows the names that the door may be called by."""

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        self._allowed = {name.lower() for name in allowed_hosts}

    @staticmethod
    def unreadable(request: Request) -> Refusal | None:
        """Return that a request can't be read, whatever page it asks for; None if it can."""
        if _is_readable(request):
            return None
        return Refusal("text", "the path or a header is no text", "send only what is text, in UTF-8", 400)

    def refusal(self, request: Request, *, own_proof: bool = False) -> Refusal | None:
        """Return why a request is refused, None if it may pass.

        ``own_proof``: the page takes what is signed, or shows a token. Programs that do may call the door by any
        name: a page that lured a browser here has neither, and what a browser sends by itself counts for nothing.
        """
        port = int(request.getHost().port)
        host = request.getHeader("host") or ""
        proven = own_proof and _shows_proof(request)
        if not proven and not self._is_ours(_with_port(host, ":443" if request.isSecure() else ":80"), port):
            return Refusal(
                "host",
                f"mtd isn't called {host!r} here",
                f"use http://localhost:{port}/ on the daemon's machine, tunnel with the same port"
                f" (ssh -L {port}:localhost:{port} HOST), or add the name to http.allowed_hosts",
            )
        origin = request.getHeader("origin")
        # Without one it is no page, or a page that can't read the answer; other programs say what they like.
        if origin is not None and not self._is_ours(_authority(origin), port):
            return Refusal("origin", f"a page of {origin!r} may not ask this", "open the console itself")
        if request.getHeader("sec-fetch-site") == "cross-site" and not _is_followed_link(request):
            return Refusal("site", "a page of another site may not ask this", "open the console itself")
        return None

    def _is_ours(self, authority: str, port: int) -> bool:
        authority = authority.lower()
        name, _, given = authority.rpartition(":")
        if authority in self._allowed or (given in ("80", "443") and name in self._allowed):
            return True
        # Other ports of this machine are other people's pages.
        return given == str(port) and _is_loopback(name)


class RefusedPage(Resource):
    """Answers with the reason, and counts it."""

    isLeaf = True

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._refusal = refusal

    def render(self, request: ServedRequest) -> bytes:
        """Refuse."""
        metrics.HTTP_REQUESTS_REFUSED.labels(reason=self._refusal.reason).inc()
        told = {"error": self._refusal.error, "hint": self._refusal.hint}
        return answer(request, self._refusal.status, JSON, json.dumps(told).encode())


def _is_readable(request: Request) -> bool:
    """Return whether the path and all headers are texts: whoever reads them later need not ask."""
    try:
        unquote_to_bytes(request.path).decode()
        (request.getHeader("host") or "").encode("idna")
        for name, values in request.requestHeaders.getAllRawHeaders():
            name.decode("ascii")
            for value in values:
                value.decode()
    except UnicodeError:
        return False
    return True


def _is_followed_link(request: Request) -> bool:
    """Return whether people followed a link, as from a wiki: who linked it doesn't see what they get."""
    mode, target = request.getHeader("sec-fetch-mode"), request.getHeader("sec-fetch-dest")
    return request.method == b"GET" and mode == "navigate" and target == "document"


def _shows_proof(request: Request) -> bool:
    return bool(bearer_of(request)) or request.getHeader(SIGNATURE_HEADER) is not None


def _authority(origin: str) -> str:
    try:
        where = urlsplit(origin)
    except ValueError:
        return ""  # not of a browser: it is nobody's
    return _with_port(where.netloc, _DEFAULT_PORTS.get(where.scheme, ""))


def _is_loopback(name: str) -> bool:
    """Return whether a name can mean this machine only, whatever a name server says."""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _with_port(authority: str, default: str) -> str:
    tail = authority.rpartition("]")[2]
    return authority if ":" in tail else authority + default
