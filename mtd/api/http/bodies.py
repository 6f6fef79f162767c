"""Bodies of requests: bounded one by one and together, while they arrive.

Twisted reads a body whole before it looks for the page, without a bound, and
into a file on the disk if it is large. Here it is refused by its length before
it is read, or when it turns out to be longer than it said, and what all of them
take of the memory is bounded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.server import Request

from mtd.api import metrics
from mtd.api.http.guard import HEADERS
from mtd.api.http.pages import JSON
from mtd.api.http.shown import bearer_of, peer_of
from mtd.core import log_fields
from mtd.ingest.config import IngestConfig, PushConfig
from mtd.ingest.push.limits import Places

_REASONS = {413: "Content Too Large", 429: "Too Many Requests"}
# A client that sends a lot reads the answer only then: it is let finish for a moment, and what comes is dropped.
_DRAIN_S = 10.0
_RETRY_S = 2
KEY_HEADER = "x-mtd-key"


@dataclass(slots=True)
class BodyLimits:
    """How long bodies may be: those of some paths, and all others. ``timeout_s``: how long one may take to arrive."""

    places: Places = field(default_factory=lambda: Places(PushConfig()))
    other_bytes: int = 64 * 1024
    by_path: Mapping[str, int] = field(default_factory=dict)
    timeout_s: float = 60.0

    @classmethod
    def of(cls, config: IngestConfig, places: Places) -> BodyLimits:
        """Return the limits of a configuration."""
        return cls(places, by_path={BATCH: config.max_body_bytes}, timeout_s=config.push.body_timeout_s)

    def most(self, path: str) -> int:
        """Return how long a body may be."""
        return self.by_path.get(path, self.other_bytes)


BATCH = "/ingest/v1/batch"


REQUEST_HEADER = "x-request-id"
"""By which a caller names its request, to find it in our log."""


class BoundedRequest(Request):
    """A request whose body is bounded. ``limits`` is of a subclass, see `bounded_by`."""

    limits: BodyLimits

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)  # type: ignore[no-untyped-call]
        self._held = 0
        self._holder = ""
        self._late: IDelayedCall | None = None
        self._refused = False

    def process(self) -> None:
        """Answer; what is written meanwhile, by whatever is begun here, carries the id of the request."""
        given = self.getHeader(REQUEST_HEADER) or ""
        with log_fields.request(request_id=log_fields.request_id(given)):
            super().process()  # type: ignore[no-untyped-call]

    def getHeader(self, key: Any) -> Any:
        """Return a header; of what is no text the readable part, for who looks before the guard refuses it."""
        try:
            return super().getHeader(key)
        except UnicodeDecodeError:
            raw = self.requestHeaders.getRawHeaders(key.encode())
            return raw[-1].decode("utf-8", "replace") if raw else None

    def gotLength(self, length: int | None) -> None:
        """Refuse what says that it is too long; else be ready for the body. The head is there by now."""
        self.content = BytesIO()
        if length == 0:
            return
        most = self._most()
        if length is not None and length > most:
            self._refuse_length(most)
            return
        self._holder = _claimed_by(self)
        self._late = _later(self.limits.timeout_s, self._took_too_long)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a part of the body, unless it is too long or there is no room for it."""
        if self._refused:
            return
        assert self.content is not None
        most = self._most()
        if self.content.tell() + len(data) > most:
            self._refuse_length(most)
            return
        if not self.limits.places.hold(self._holder, len(data)):
            self._refuse(
                429, "memory", "too many bodies arrive already", f"come again in {_RETRY_S} s", _RETRY_S
            )
            return
        self._held += len(data)
        self.content.write(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Go on to the page, unless the body was refused: then the connection ends."""
        self._cancel_late()
        if self._refused:
            self.channel.loseConnection()
            return
        super().requestReceived(command, path, version)  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """End the answer; the body isn't needed any more."""
        self._release()
        super().finish()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """Forget all of it."""
        self._cancel_late()
        self._release()
        if self._refused:
            return  # nobody knows of this request
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def body(self) -> bytes:
        """Return the body."""
        assert isinstance(self.content, BytesIO)
        return self.content.getvalue()

    @property
    def _transport(self) -> Any:
        return self.channel.transport

    def _most(self) -> int:
        # The request's own path is set when the body is there; of another kind of channel, all are of the others.
        path: bytes = getattr(self.channel, "_path", None) or b""
        return self.limits.most(path.partition(b"?")[0].decode("ascii", "replace"))

    def _refuse_length(self, most: int) -> None:
        self._refuse(
            413, "body", f"the body is longer than {most:,} bytes", "send it in parts, or packed with gzip"
        )

    def _refuse(self, code: int, reason: str, error: str, hint: str, retry_after_s: int = 0) -> None:
        """Answer before the request is there, and close the connection soon."""
        metrics.HTTP_REQUESTS_REFUSED.labels(reason=reason).inc()
        self._refused = True
        self._cancel_late()
        self._release()
        # Or it would be told to go on.
        self.requestHeaders.removeHeader(b"expect")
        told = json.dumps({"error": error, "hint": hint}).encode()
        headers = {
            **HEADERS,
            "content-type": JSON,
            "content-length": str(len(told)),
            "cache-control": "no-store",
            "connection": "close",
            **({"retry-after": str(retry_after_s)} if retry_after_s else {}),
        }
        lines = [
            f"HTTP/1.1 {code} {_REASONS[code]}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._transport.write("\r\n".join((*lines, "", "")).encode() + told)
        self._late = _later(_DRAIN_S, self._transport.abortConnection)

    def _took_too_long(self) -> None:
        metrics.HTTP_REQUESTS_REFUSED.labels(reason="slow").inc()
        self._late = None
        self._transport.abortConnection()

    def _cancel_late(self) -> None:
        late, self._late = self._late, None
        if late is not None and late.active():
            late.cancel()

    def _release(self) -> None:
        held, self._held = self._held, 0
        if held:
            self.limits.places.release(self._holder, held)


def bounded_by(limits: BodyLimits) -> type[BoundedRequest]:
    """Return the class of requests of a site."""
    return type("SiteRequest", (BoundedRequest,), {"limits": limits})


def _claimed_by(request: Request) -> str:
    """Return who a request says that it is from, unproved: so that one sender's bodies leave room for others'."""
    key = request.getHeader(KEY_HEADER) or bearer_of(request)
    if key:
        return "shown:" + hashlib.sha256(key.encode()).hexdigest()[:16]
    return "peer:" + peer_of(request).rpartition(":")[0]


def _later(seconds: float, call: Any) -> IDelayedCall:
    from twisted.internet import reactor

    return reactor.callLater(seconds, call)
