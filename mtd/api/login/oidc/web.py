"""Asking web servers of others: on the reactor, in bounded time, for bounded answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    ResponseDone,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from mtd.core.aio import as_future
from mtd.core.errors import Retryable

MOST_BYTES = 1024 * 1024


class WebClient:
    """Asks for JSON. Follows nobody elsewhere. ``ca_pem``: whom to trust instead of the system's authorities."""

    def __init__(self, timeout_s: float, ca_pem: bytes = b"") -> None:
        self._timeout_s = timeout_s
        self._ca_pem = ca_pem
        self._agent: Agent | None = None

    async def get(self, url: str) -> dict[str, Any]:
        """Return the JSON object at an address. Raises Retryable."""
        status, found = await self._ask("GET", url, {}, None)
        if status != 200:
            raise Retryable(f"{_shown(url)} answered {status}")
        return found

    async def post(self, url: str, headers: Mapping[str, str], form: str) -> tuple[int, dict[str, Any]]:
        """Send a form; return the status, and the JSON object of the answer. Raises Retryable."""
        return await self._ask("POST", url, headers, form.encode())

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, dict[str, Any]]:
        sent = Headers({name: [value] for name, value in headers.items()})
        sent.setRawHeaders("accept", ["application/json"])
        sent.setRawHeaders("user-agent", ["mtd"])
        producer = None if body is None else FileBodyProducer(BytesIO(body))
        try:
            async with asyncio.timeout(self._timeout_s):
                asked = self._made().request(method.encode(), url.encode(), sent, producer)
                response = cast("IResponse", await as_future(asked))
                content = await _read(response)
        except TimeoutError:
            raise Retryable(f"{_shown(url)} didn't answer within {self._timeout_s:g} s") from None
        except Exception as error:  # what the network, TLS and the peer do wrong has no common name
            raise Retryable(f"{_shown(url)} can't be asked: {_reason(error)}") from error
        return response.code, _object(url, content)

    def _made(self) -> Agent:
        if self._agent is None:
            from twisted.internet import reactor

            # Reading the system's authorities takes some milliseconds, once.
            if self._ca_pem:
                policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates(_certificates(self._ca_pem)))
            else:
                policy = BrowserLikePolicyForHTTPS()
            self._agent = Agent(reactor, policy, connectTimeout=self._timeout_s)
        return self._agent


class _Body(Protocol):
    """Collects a body, up to a limit."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.done: Deferred[bytes] = Deferred(lambda _: self._hang_up())

    def dataReceived(self, data: bytes) -> None:
        """Take some."""
        self._size += len(data)
        if self._size > MOST_BYTES:
            self._hang_up()
            self._end(ValueError(f"the answer is longer than {MOST_BYTES} bytes"))
            return
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is complete, or was cut off."""
        if reason.check(ResponseDone, PotentialDataLoss):
            if not self.done.called:
                self.done.callback(b"".join(self._parts))
        else:
            self._end(reason.value or ConnectionError("cut off"))

    def _hang_up(self) -> None:
        transport: Any = self.transport  # a stand-in of the connection, which knows a few words
        if transport is not None:
            transport.stopProducing()

    def _end(self, error: BaseException) -> None:
        if not self.done.called:
            self.done.errback(error)


async def _read(response: IResponse) -> bytes:
    body = _Body()
    response.deliverBody(body)
    return await as_future(body.done)


def _object(url: str, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Retryable(f"{_shown(url)} answered with something that is no JSON object")
    return found


def _shown(url: str) -> str:
    """Return an address without what may be secret in it."""
    return url.partition("?")[0][:200]


def _reason(error: BaseException) -> str:
    reasons = getattr(error, "reasons", None)  # of ResponseNeverReceived: what was below
    if reasons:
        error = reasons[0].value
    return str(error)[:300] or type(error).__name__


def _certificates(pem: bytes) -> list[Certificate]:
    end = b"-----END CERTIFICATE-----"
    return [Certificate.loadPEM(part + end) for part in pem.split(end)[:-1]]
