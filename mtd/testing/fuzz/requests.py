"""Broken requests at the HTTP door, many at a time, on connections of their own."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from mtd.testing.fuzz.values import Values

_METHODS = ("GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "")
_ANSWER_S = 5.0
_MOST_ANSWER = 1_000_000


@dataclass(slots=True)
class RequestTally:
    """What became of requests: by status, ``closed`` where the door hung up; those that should not have ended so."""

    statuses: Counter[str] = field(default_factory=Counter)
    alarming: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """Return how many there were."""
        return sum(self.statuses.values())


async def fuzz_requests(
    port: int,
    paths: Sequence[str],
    *,
    count: int,
    seed: int,
    callers: Sequence[Mapping[str, str]] = ({},),
    at_once: int = 16,
) -> RequestTally:
    """Make so many requests; ``callers`` are the headers by which they say who they are."""
    tally = RequestTally()
    numbers = iter(range(seed, seed + count))

    async def work() -> None:
        for number in numbers:
            values = Values(number)
            request = random_request(
                port, values.chance.choice(paths), callers[number % len(callers)], values
            )
            status = await _ask(port, request)
            tally.statuses[status] += 1
            if status.startswith("5") and status not in ("501", "503", "504", "505"):
                tally.alarming.append(f"seed {number}: {status} upon {request[:300]!r}")

    await asyncio.gather(*(work() for _ in range(at_once)))
    return tally


def random_request(port: int, path: str, caller: Mapping[str, str], values: Values) -> bytes:
    """Return the bytes of a request."""
    chance = values.chance
    method = chance.choice(_METHODS)
    body = _body(values) if method in ("POST", "PUT", "PATCH") or chance.random() < 0.05 else b""
    headers = {"Host": f"127.0.0.1:{port}", "Connection": "close", **caller}
    if body:
        headers["Content-Type"] = chance.choice(
            ("application/json", "text/plain", "", "application/x-protobuf")
        )
        headers["Content-Length"] = str(len(body))
    if chance.random() < 0.2:
        body = gzip.compress(body)
        headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    if chance.random() < 0.2:
        odd = ("Host", "Origin", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Cookie", "Range")
        headers[chance.choice((*odd, "Authorization", "X-Forwarded-For", "Upgrade", "Accept-Encoding"))] = (
            values.text()
            .encode("latin-1", "replace")
            .decode("latin-1")
            .replace("\n", " ")
            .replace("\r", " ")[:5000]
        )
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"{method} {_target(path, values)} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace")
    whole = head + body
    return values.broken(whole) if chance.random() < 0.15 else whole


def _target(path: str, values: Values) -> str:
    chance = values.chance
    if chance.random() < 0.2:
        path += "/" + quote(values.text()[:300], safe=chance.choice(("", "/.%?#")))
    if chance.random() < 0.4:
        names = (
            "target",
            "seconds",
            "end_us",
            "metric",
            "points",
            "before",
            "limit",
            "token",
            "code",
            "state",
            "",
        )
        pairs = (f"{chance.choice(names)}={quote(values.text()[:300])}" for _ in range(1 + values.few(4)))
        path += "?" + "&".join(pairs)
    return path


def _body(values: Values) -> bytes:
    way = values.chance.random()
    if way < 0.1:
        return values.blob()
    good = json.dumps(_document(values)).encode()
    return values.broken(good) if way < 0.3 else good


def _document(values: Values, depth: int = 0) -> object:
    """Return something like a batch, or quite another thing."""
    chance = values.chance
    kind = chance.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return values.text()
    if kind == 1:
        return values.number(-(2**70), 2**70)
    if kind == 2:
        return values.real()
    if kind == 3:
        return chance.choice((None, True, False))
    if kind == 4:
        return {
            "device_uid": values.text(),
            "ts": values.number(0, 2**63),
            "metrics": {values.text()[:99]: 1},
        }
    if kind == 5:
        return [_document(values, depth + 1) for _ in range(values.few(5))]
    names = (
        "samples",
        "rows",
        "events",
        "device",
        "device_uid",
        "ts",
        "metrics",
        "collector",
        "batch",
        "id",
        "version",
    )
    return {chance.choice(names): _document(values, depth + 1) for _ in range(values.few(6))}


async def _ask(port: int, request: bytes) -> str:
    """Return the status of the answer."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return "refused"
    try:
        writer.write(request)
        if writer.can_write_eof():
            writer.write_eof()
        async with asyncio.timeout(_ANSWER_S):
            answer = await reader.read(_MOST_ANSWER)
    except TimeoutError:
        return "silent"
    except OSError:
        return "closed"
    finally:
        writer.close()
    first = answer.split(b"\r\n", 1)[0].split()
    return first[1].decode("ascii", "replace") if len(first) > 1 else "closed"
