"""Listens to announcements. Receives, looks at each for some microseconds, and keeps none."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import DatagramProtocol

from mtd.codec.mndp import Announcement, NotMndp, decode
from mtd.core.aio import as_future
from mtd.core.errors import Misconfigured
from mtd.core.limits import TokenBucket
from mtd.discovery import metrics
from mtd.model.sighting import FoundBy, Sighting, normal_address

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.discovery.config import DiscoveryConfig

logger = logging.getLogger(__name__)

_BURST_S = 2


class MndpListener(DatagramProtocol):
    """Gives each announcement to ``on_sighting``. What is too much, or no announcement, is dropped and counted."""

    def __init__(
        self, config: DiscoveryConfig, on_sighting: Callable[[Sighting], None], clock: Clock, reactor: Any
    ) -> None:
        self._config = config
        self._on_sighting = on_sighting
        self._reactor = reactor
        self._pace = TokenBucket(
            config.max_datagrams_per_s, config.max_datagrams_per_s * _BURST_S, clock=clock
        )
        self._port: Any = None

    @property
    def port(self) -> int:
        """The port, once it listens."""
        return int(self._port.getHost().port) if self._port is not None else 0

    def start(self) -> None:
        """Listen. Raises Misconfigured if the port can't be had."""
        host = self._config.mndp_host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # A socket of ours: Twisted leaves its own open when the port is taken.
        with socket.socket(family, socket.SOCK_DGRAM) as bound:
            bound.setblocking(False)
            try:
                bound.bind((host, self._config.mndp_port))
            except OSError as error:
                raise Misconfigured(
                    f"can't listen on {host} port {self._config.mndp_port} for MNDP: {error.strerror}; "
                    "end the program that has the port, or set discovery.mndp = false"
                ) from None
            self._port = self._reactor.adoptDatagramPort(bound.fileno(), family, self)
        logger.info("listening to announcements (MNDP) on %s port %d", host, self.port)

    async def stop(self) -> None:
        """Close the port."""
        port, self._port = self._port, None
        if port is not None:
            await as_future(port.stopListening())

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Take a datagram."""
        metrics.DATAGRAMS.inc()
        if not self._pace.take():
            metrics.DATAGRAMS_DROPPED.labels(reason="too many").inc()
            return
        try:
            announcement = decode(datagram)
        except NotMndp as error:
            metrics.DATAGRAMS_DROPPED.labels(reason=error.reason).inc()
            return
        if announcement is None:
            metrics.DATAGRAMS_DROPPED.labels(reason="a request").inc()
            return
        self._on_sighting(sighting_of(announcement, str(addr[0])))


def sighting_of(announcement: Announcement, sender: str) -> Sighting:
    """Return the sighting of an announcement: who sent it can be reached, whatever it says of its addresses."""
    told = announcement.ipv4_address or announcement.ipv6_address
    return Sighting(
        found_by=FoundBy.MNDP,
        address=_reachable(sender) or normal_address(told),
        mac_address=announcement.mac_address,
        identity=announcement.identity,
        platform=announcement.platform,
        version=announcement.version,
        board=announcement.board,
        software_id=announcement.software_id,
        interface_name=announcement.interface_name,
    )


def _reachable(sender: str) -> str:
    """Return the address of a sender without the zone of a link; empty if it is of no use elsewhere."""
    try:
        address = ipaddress.ip_address(sender.partition("%")[0])
    except ValueError:
        return ""
    return normal_address(str(address))
