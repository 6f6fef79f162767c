"""From a host name to a connection that is up and, if asked for, secured."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
from typing import TYPE_CHECKING, Any

from twisted.internet import error as twisted_error
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface import implementer

from mtd.core.aio import as_future
from mtd.model.device import Outcome
from mtd.sources.errors import SessionFailed
from mtd.sources.tcp.protocol import OneConnection, Stream
from mtd.sources.tcp.services import API, Service
from mtd.sources.tcp.strangers import explain
from mtd.sources.tcp.tls import explain_tls_error

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress, IHostResolution

    from mtd.sources.tcp.tls import TlsClient

logger = logging.getLogger(__name__)

_MIN_ATTEMPT_S = 0.5
_MAX_ADDRESSES = 8


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects the addresses of a name."""

    def __init__(self, future: asyncio.Future[list[str]]) -> None:
        self._future = future
        self._found: list[str] = []

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """Nothing to do: the deadline is the caller's."""

    def addressResolved(self, address: IAddress) -> None:
        """Note an address."""
        host = getattr(address, "host", "")
        if host and host not in self._found:
            self._found.append(host)

    def resolutionComplete(self) -> None:
        """Give the addresses."""
        if not self._future.done():
            self._future.set_result(self._found)


async def resolve(host: str, reactor: Any, timeout_s: float) -> list[str]:
    """Return the addresses of a host, in the resolver's order."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass  # a name
    if not _can_be_name(host):
        raise SessionFailed(
            Outcome.NAME_NOT_FOUND, f"{host[:80]!r} can't be a host name or an address: correct it"
        )
    future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    try:
        reactor.nameResolver.resolveHostName(_Receiver(future), host)
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with what it waits for.
        async with asyncio.timeout(timeout_s):
            addresses = await future
    except TimeoutError:
        raise SessionFailed(
            Outcome.NAME_NOT_FOUND,
            f"the name server gave no answer about {host!r} within {timeout_s:.3g} s: check the "
            "collector's DNS, or use an address",
        ) from None
    if not addresses:
        raise SessionFailed(
            Outcome.NAME_NOT_FOUND, f"the name {host!r} has no address: check its spelling, or use an address"
        )
    return addresses[:_MAX_ADDRESSES]


def _can_be_name(host: str) -> bool:
    # Twisted's resolver would fail on these in a Deferred that nobody looks at.
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


async def connect_tcp(
    addresses: list[str], port: int, reactor: Any, timeout_s: float, service: Service = API
) -> tuple[Stream, str]:
    """Connect to the first address that accepts; return the connection and the address."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + timeout_s
    failures: list[SessionFailed] = []
    for place, address in enumerate(addresses):
        share = (give_up - loop.time()) / (len(addresses) - place)
        if share <= 0:
            break
        try:
            protocol = await _connect_one(address, port, reactor, max(_MIN_ATTEMPT_S, share), service)
        except SessionFailed as failure:
            failures.append(failure)
        else:
            return protocol, address
    # Refused tells more than silence: somebody is there.
    raise next((failure for failure in failures if failure.outcome is Outcome.REFUSED), failures[-1])


async def _connect_one(address: str, port: int, reactor: Any, timeout_s: float, service: Service) -> Stream:
    protocol = Stream()
    kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    endpoint = kind(reactor, address, port, timeout=timeout_s)
    try:
        await as_future(endpoint.connect(OneConnection(protocol)))
        protocol.tune()
    except twisted_error.ConnectionRefusedError as error:
        raise SessionFailed(
            Outcome.REFUSED,
            f"{where} refuses connections: {service.name} is disabled, or on another port (/ip/service)",
        ) from error
    except (twisted_error.TimeoutError, twisted_error.UserError) as error:
        raise SessionFailed(
            Outcome.UNREACHABLE,
            f"{where} didn't answer within {timeout_s:.3g} s: the host is down, or a firewall drops the packets",
        ) from error
    except twisted_error.ConnectError as error:
        raise SessionFailed(Outcome.UNREACHABLE, f"{where}: {_connect_text(error)}") from error
    except BaseException:
        protocol.abort()  # cancelled in the very turn in which it was connected
        raise
    return protocol


def _connect_text(error: twisted_error.ConnectError) -> str:
    if error.osError in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "there is no route to the host: check the collector's routes and the router's address"
    if error.osError == errno.ETIMEDOUT:
        return "no answer: the host is down, or a firewall drops the packets"
    return f"can't connect: {error}"


async def secure(protocol: Stream, client: TlsClient, timeout_s: float, service: Service = API) -> None:
    """Start TLS on a connection and check the peer; on failure the connection is cut."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def secured() -> None:
        if not done.done():
            done.set_result(None)

    def lost(error: BaseException) -> None:
        if not done.done():
            done.set_exception(SessionFailed(Outcome.TLS_FAILED, explain_tls_error(error, service)))

    protocol.on_secured, protocol.on_lost = secured, lost
    try:
        if protocol.early:
            text = explain("the port doesn't speak TLS first", protocol.early, service)
            raise SessionFailed(Outcome.TLS_FAILED, text)
        if protocol.lost is not None:
            lost(protocol.lost)
        else:
            protocol.start_tls(client)
        async with asyncio.timeout(timeout_s):
            await done
        client.check()
    except TimeoutError:
        _abandon(protocol)
        raise SessionFailed(
            Outcome.TLS_FAILED,
            f"no answer to the TLS handshake within {timeout_s:.3g} s: the port may be that of "
            f"{service.plain}, or the path loses large packets",
        ) from None
    except BaseException:
        _abandon(protocol)
        raise


def _abandon(protocol: Stream) -> None:
    """Cut a connection of which nobody wants to hear any more."""
    protocol.on_lost = lambda error: None
    protocol.abort()
