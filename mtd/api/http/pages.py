"""What the HTTP door is made of: sets of pages, each with paths of its own."""

from __future__ import annotations

from typing import Protocol

from twisted.web.http import Request
from twisted.web.resource import IResource

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


class PageSet(Protocol):
    """Pages that are mounted together. `HttpServer.mount` takes them, at any time.

    A resource must be a leaf (as Klein's are): it gets the whole path.
    """

    def route_of(self, path: str) -> str | None:
        """Return the name under which a path is counted, of a few; None if it isn't one of these pages."""

    def resource(self) -> IResource:
        """Return what answers for these paths."""

    async def stop(self) -> None:
        """End what goes on behind these pages; called when the door is closed."""


def answer(request: Request, code: int, content_type: str, body: bytes) -> bytes:
    """Fill in the head of an answer that nobody may keep, and return its body."""
    request.setResponseCode(code)
    request.setHeader("content-type", content_type)
    request.setHeader("content-length", str(len(body)))
    request.setHeader("cache-control", "no-store")
    return body
