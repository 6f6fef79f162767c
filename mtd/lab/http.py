"""The lab's own reading and writing of HTTP/1.1, as far as REST needs it."""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD_BYTES = 16 * 1024
BODY_BYTES = 256 * 1024
_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    404: b"Not Found",
    405: b"Method Not Allowed",
    406: b"Not Acceptable",
}


class HttpError(Exception):
    """What came is no request, or too long for one."""


@dataclass(slots=True)
class HttpRequest:
    """A request, its body complete. Names of headers are lower case."""

    method: str
    target: str
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""

    @property
    def keeps_alive(self) -> bool:
        """Whether the client may ask again on this connection."""
        return self.headers.get(b"connection", b"").lower() != b"close"


class HttpReader:
    """Cuts a stream of bytes into requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[HttpRequest]:
        """Take more bytes and return the requests that they complete. Raises HttpError."""
        self._buffer += data
        requests = []
        while (request := self._next()) is not None:
            requests.append(request)
        return requests

    def _next(self) -> HttpRequest | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_BYTES:
                raise HttpError("the head of a request has no end")
            return None
        request = _head(bytes(self._buffer[:end]))
        length = request.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_BYTES or b"transfer-encoding" in request.headers:
            raise HttpError("a body of no known length, or too long")
        whole = end + 4 + int(length)
        if len(self._buffer) < whole:
            return None
        request.body = bytes(self._buffer[end + 4 : whole])
        del self._buffer[:whole]
        return request


def _head(data: bytes) -> HttpRequest:
    first, *lines = data.split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
        raise HttpError("the first line is no request")
    request = HttpRequest(words[0].decode("latin-1"), words[1].decode("latin-1"))
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise HttpError("a header without a colon")
        request.headers[name.strip().lower()] = value.strip()
    return request


def response(
    status: int, body: bytes, content_type: bytes = b"application/json", *more: tuple[bytes, bytes]
) -> bytes:
    """Return a whole answer."""
    headers = [(b"Content-Type", content_type), (b"Content-Length", b"%d" % len(body)), *more]
    return _first_lines(status, headers) + body


def chunked_head() -> bytes:
    """Return the head of an answer whose body comes in chunks."""
    return _first_lines(200, [(b"Content-Type", b"application/json"), (b"Transfer-Encoding", b"chunked")])


def chunk(data: bytes) -> bytes:
    """Return a chunk; an empty one ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def reason_of(status: int) -> bytes:
    """Return the words of a status."""
    return _REASONS[status]


def _first_lines(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = [b"HTTP/1.1 %d %b" % (status, _REASONS[status])]
    lines += [b"%b: %b" % (name, value) for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"
