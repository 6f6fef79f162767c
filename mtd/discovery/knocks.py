"""Who answers on a port: the RouterOS API, REST, or something else. Nobody logs in."""

from __future__ import annotations

import asyncio
import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.codec.routeros.words import encode_sentence
from mtd.model.device import TlsMode
from mtd.sources.errors import SessionFailed
from mtd.sources.tcp.connect import connect_tcp, secure
from mtd.sources.tcp.services import API, REST, Service
from mtd.sources.tcp.tls import TlsClient, context_for

if TYPE_CHECKING:
    from mtd.sources.tcp.protocol import Stream

_MAX_BYTES = 4096
# What ends a session: a router says !fatal, whether somebody was logged in or not.
_QUIT = encode_sentence((b"/quit",))
_REPLIES = (b"!fatal", b"!trap", b"!done")
# Without a name and a password, which REST refuses in words of its own.
_GET = (
    b"GET /rest/system/identity HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nAccept: application/json\r\n\r\n"
)
_REST_REFUSAL = re.compile(
    rb'HTTP/1\.[01] 401\b.*("error"\s*:\s*401|realm="?RouterOS)', re.DOTALL | re.IGNORECASE
)
# A router without a certificate shakes hands anonymously, and only so.
_TLS_MODES = (TlsMode.INSECURE, TlsMode.ANONYMOUS)


class Answer(enum.StrEnum):
    """What answered on a port."""

    API = "api"
    API_SSL = "api-ssl"
    REST = "rest"
    REST_SSL = "rest-ssl"
    OPEN = "open"  # something else


@dataclass(frozen=True, slots=True)
class Door:
    """A port that is looked at, and how it is spoken to."""

    port: int
    answer: Answer
    tls: bool
    service: Service

    def question(self, host: str) -> bytes:
        """Return what is sent."""
        return _QUIT if self.service is API else _GET % host.encode("idna")

    def recognises(self, data: bytes) -> bool | None:
        """Return whether bytes are those of RouterOS; None: it takes more to tell."""
        if self.service is API:
            if not data or (len(data) <= data[0] and data[0] < 16 and data[1:2] in (b"", b"!")):
                return None
            return data[1 : 1 + data[0]] in _REPLIES
        if _REST_REFUSAL.search(data):
            return True
        return None if b"HTTP/1.".startswith(data[:7]) and len(data) < _MAX_BYTES else False


API_DOORS = (
    Door(8728, Answer.API, tls=False, service=API),
    Door(8729, Answer.API_SSL, tls=True, service=API),
)
WEB_DOORS = (
    Door(443, Answer.REST_SSL, tls=True, service=REST),
    Door(80, Answer.REST, tls=False, service=REST),
)


async def knock(address: str, door: Door, reactor: Any, timeout_s: float) -> Answer | None:
    """Return what answers at a door; None if nothing does. Each step has ``timeout_s``."""
    modes = _TLS_MODES if door.tls else (TlsMode.OFF,)
    found = None
    for mode in modes:
        try:
            stream, _ = await connect_tcp([address], door.port, reactor, timeout_s, door.service)
        except SessionFailed:
            return found
        found = Answer.OPEN
        try:
            if mode is not TlsMode.OFF:
                await secure(
                    stream, TlsClient(mode, address, await context_for(mode)), timeout_s, door.service
                )
            if await _converse(stream, door, address, timeout_s):
                return door.answer
        except SessionFailed:
            continue  # no TLS of this kind
        finally:
            stream.abort()
    return found


async def _converse(stream: Stream, door: Door, address: str, timeout_s: float) -> bool:
    """Say something, and tell from the answer whether it is RouterOS."""
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    heard = bytearray()

    def tell(verdict: bool) -> None:
        if not told.done():
            told.set_result(verdict)

    def received(data: bytes) -> None:
        heard.extend(data[: _MAX_BYTES - len(heard)])
        verdict = door.recognises(bytes(heard))
        if verdict is not None or len(heard) >= _MAX_BYTES:
            tell(bool(verdict))

    lost: Callable[[BaseException], None] = lambda _: tell(False)  # noqa: E731
    stream.attach(received, lost)
    stream.write(door.question(address))
    try:
        return await asyncio.wait_for(told, timeout_s)
    except TimeoutError:
        return False
