"""A command as an HTTP request: ``POST /rest/interface/print`` with its words as JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import orjson

from mtd.model.command import Command

_PATH = re.compile(r"(/[a-z0-9-]+)+")
_ENDLESS = frozenset({"follow", "follow-only"})
_BOUNDS = frozenset({"once", "duration"})


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: always a POST."""

    target: bytes
    body: bytes


@lru_cache(maxsize=4096)
def request_of(command: Command) -> Request | None:
    """Return the request of a command; None if REST has no words for it.

    One answer is all that REST gives: what goes on until it is cancelled would
    hold the connection until the router cuts it.
    """
    arguments = dict(command.arguments)
    if _PATH.fullmatch(command.path) is None or command.path.endswith("/listen"):
        return None
    if _ENDLESS & arguments.keys() or ("interval" in arguments and not _BOUNDS & arguments.keys()):
        return None
    body: dict[str, str | list[str]] = dict(arguments)
    if command.proplist:
        body[".proplist"] = list(command.proplist)
    if command.queries:
        body[".query"] = list(command.queries)
    return Request(b"/rest" + command.path.encode(), orjson.dumps(body))
