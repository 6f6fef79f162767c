"""What a client takes: content codings, and whether it has the content already."""

from __future__ import annotations

from twisted.web.http import Request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_etags


def takes_gzip(request: Request) -> bool:
    """Return whether the answer may be packed."""
    given: Accept = parse_accept_header(request.getHeader("accept-encoding"))
    return given.quality("gzip") > 0


def has_it(request: Request, etag: str) -> bool:
    """Return whether the client has the representation with this tag, which is given with its quotes."""
    return parse_etags(request.getHeader("if-none-match")).contains_weak(etag.strip('"'))
