"""A small HTTP client for providers: Twisted's, with bounds. It follows no redirection: secrets go where they were sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mtd.core.aio import as_future
from mtd.security.errors import SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.web.iweb import IPolicyForHTTPS, IResponse

_MOST_BYTES = 1024 * 1024
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """An answer. Its body may hold secrets, so it is in no ``repr``."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"


class HttpClient:
    """Asks one server. What takes too long is for the caller to end, by cancelling."""

    def __init__(self, url: str, ca_file: Path | None = None) -> None:
        self._base = url.rstrip("/")
        self._ca_file = ca_file
        self._agent: Any = None
        self._pool: Any = None

    def __repr__(self) -> str:
        return f"HttpClient({self._base!r})"

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Return the answer, whatever its status. Raises SecretUnavailable if there is none."""
        from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
        from twisted.web.client import FileBodyProducer, ResponseFailed
        from twisted.web.error import SchemeNotSupported
        from twisted.web.http_headers import Headers

        agent = await self._made()
        sent = Headers({name: [value] for name, value in headers.items()})
        if body is not None:
            sent.addRawHeader("Content-Type", "application/json")
        producer = None if body is None else FileBodyProducer(BytesIO(body))
        url = (self._base + target).encode()
        try:
            response = await as_future(agent.request(method.encode(), url, sent, producer))
            return Answer(response.code, await _read(response))
        except DNSLookupError:
            raise SecretUnavailable(
                f"{self._host} isn't a name that can be resolved: check the url"
            ) from None
        except (ConnectError, ConnectionLost) as error:
            raise SecretUnavailable(f"{self._host} can't be reached: {_words(error)}") from None
        except ResponseFailed as error:
            reasons = {_words(failure.value) for failure in error.reasons}
            raise SecretUnavailable(f"{self._host}: {'; '.join(sorted(reasons))}") from None
        except SchemeNotSupported:
            raise SecretUnavailable(
                f"{self._host}: the url begins neither with https:// nor http://"
            ) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await as_future(self._pool.closeCachedConnections())

    @property
    def _host(self) -> str:
        return urlsplit(self._base).netloc

    async def _made(self) -> Any:
        if self._agent is None:
            from twisted.internet import reactor
            from twisted.web.client import Agent, HTTPConnectionPool

            policy = await asyncio.to_thread(_policy, self._ca_file)
            self._pool = HTTPConnectionPool(reactor, persistent=True)
            self._agent = Agent(reactor, policy, connectTimeout=_CONNECT_S, pool=self._pool)
        return self._agent


def _policy(ca_file: Path | None) -> IPolicyForHTTPS:
    """Return who is trusted. Blocking: it reads a file."""
    from twisted.internet.ssl import Certificate, trustRootFromCertificates
    from twisted.web.client import BrowserLikePolicyForHTTPS

    if ca_file is None:
        return BrowserLikePolicyForHTTPS()
    try:
        text = ca_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnavailable(f"{ca_file} can't be read as PEM ({type(error).__name__})") from None
    end = "-----END CERTIFICATE-----"
    blocks = [part[part.index("-----BEGIN") :] + end for part in text.split(end) if "-----BEGIN" in part]
    if not blocks:
        raise SecretUnavailable(f"{ca_file} holds no certificate: it should be PEM")
    return BrowserLikePolicyForHTTPS(
        trustRootFromCertificates([Certificate.loadPEM(block.encode()) for block in blocks])
    )


async def _read(response: IResponse) -> bytes:
    """Return a body, as long as it is small."""
    from twisted.internet.protocol import Protocol

    done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Collect(Protocol):
        received = b""

        def dataReceived(self, data: bytes) -> None:
            self.received += data
            if len(self.received) > _MOST_BYTES:
                if not done.done():
                    done.set_exception(SecretUnavailable(f"the answer is longer than {_MOST_BYTES:,} bytes"))
                assert self.transport is not None
                self.transport.loseConnection()

        def connectionLost(self, reason: Any = None) -> None:
            if not done.done():
                done.set_result(self.received)

    response.deliverBody(Collect())
    return await done


def _words(error: BaseException) -> str:
    """Return what went wrong, in a line."""
    words = str(error).strip() or type(error).__doc__ or type(error).__name__
    return words.splitlines()[0].strip()
