"""The agent: datagrams in, datagrams out, and what faults do to them."""

from __future__ import annotations

import asyncio
import bisect
import logging
import random
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mtd.lab.scenario import Door, FaultKind
from mtd.lab.snmp.objects import objects
from mtd.lab.snmp.wire import (
    GENERAL_ERROR,
    NO_SUCH_NAME,
    NOT_WRITABLE,
    READ_ONLY,
    TOO_BIG,
    V1,
    Kind,
    Message,
    Oid,
    Pair,
    Tag,
    Value,
    WireError,
    decode,
)

if TYPE_CHECKING:
    from mtd.lab.router import LabRouter

logger = logging.getLogger(__name__)

# What fits into one packet of the network, as agents limit themselves.
_LONGEST = 1472
_MOST_REPETITIONS = 100
_DATAGRAM = 65_536
_AT_ONCE = 32


class SnmpAgent:
    """Answers for one router, to those who know the community; to others it is silent.

    A door like those of TCP: ``close`` and ``open`` keep the port that was
    taken; a ``hold`` lets requests pass unheard.
    """

    def __init__(self, router: LabRouter, host: str, port: int, community: str) -> None:
        self.port = port
        self._router = router
        self._host = host
        self._community = community.encode()
        self._socket: socket.socket | None = None
        self._holds = 0
        self._closes = 0

    # -- the door --------------------------------------------------------------

    def start(self) -> None:
        """Open the port."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.bind((self._host, self.port))
        except OSError:
            sock.close()
            raise
        self.port = sock.getsockname()[1]
        self._socket = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._receive)

    def stop(self) -> None:
        """Close the port for good."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Close the port for a while: who asks is told so by the system."""
        self._closes += 1
        if self._closes == 1:
            self.stop()

    def open(self) -> None:
        """End one ``close``."""
        self._closes -= 1
        if self._closes == 0:
            self.start()

    def hold(self, *, accept: bool) -> None:
        """Lose what comes."""
        self._holds += 1

    def release(self) -> None:
        """End one ``hold``."""
        self._holds -= 1

    def _receive(self) -> None:
        for _ in range(_AT_ONCE):
            if self._socket is None:
                return
            try:
                data, address = self._socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                # Who asked before is gone, and the system says so now.
                logger.debug("lab SNMP port %d: %s", self.port, error)
                continue
            if not self._holds:
                self._heard(data, address)

    def _heard(self, data: bytes, address: Any) -> None:
        stats = self._router.state.stats
        stats.snmp_requests += 1
        try:
            request = decode(data)
        except WireError:
            stats.wire_errors += 1
            return
        if request.community != self._community:
            stats.snmp_refused += 1
            return
        answer = self._answer(request).encode()
        stats.bytes_sent += len(answer)
        if self._router.has_fault(FaultKind.GARBAGE, Door.SNMP):
            answer = random.Random(0).randbytes(len(answer))
        delay_s = next(
            (
                acting.fault.delay_s
                for acting in self._router.faults_at(Door.SNMP)
                if acting.fault.kind is FaultKind.SLOW
            ),
            0.0,
        )
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, self._send, answer, address)
        else:
            self._send(answer, address)

    def _send(self, answer: bytes, address: Any) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(answer, address)
        except OSError as error:
            # As on any network, an answer may be lost.
            logger.debug("lab SNMP port %d can't answer: %s", self.port, error)

    # -- what is answered ------------------------------------------------------

    def _answer(self, request: Message) -> Message:
        if request.kind is Kind.SET:
            return _failed(request, READ_ONLY if request.version == V1 else NOT_WRITABLE, 1)
        # All values of one answer are of one moment.
        state = self._router.state
        tree = _Tree(objects(state, self._router.console, state.clock.now_tick()))
        if request.version == V1:
            return _in_v1(request, tree)
        if request.kind is Kind.GET_BULK:
            return _bulk(request, tree)
        if request.kind not in {Kind.GET, Kind.GET_NEXT}:
            return _failed(request, GENERAL_ERROR, 0)
        find = tree.get if request.kind is Kind.GET else tree.following
        answer = _response(request, tuple(find(oid) for oid, _ in request.pairs))
        return answer if len(answer.encode()) <= _LONGEST else replace(_failed(request, TOO_BIG, 0), pairs=())


class _Tree:
    """All objects in order."""

    def __init__(self, pairs: list[Pair]) -> None:
        self._pairs = pairs
        self._oids = [oid for oid, _ in pairs]

    def get(self, oid: Oid) -> Pair:
        """Return an object, or that there is none."""
        at = bisect.bisect_left(self._oids, oid)
        if at < len(self._oids) and self._oids[at] == oid:
            return self._pairs[at]
        return oid, Value(Tag.NO_SUCH_INSTANCE)

    def following(self, oid: Oid) -> Pair:
        """Return the next object after a name, or that there is none."""
        at = bisect.bisect_right(self._oids, oid)
        return self._pairs[at] if at < len(self._pairs) else (oid, Value(Tag.END_OF_VIEW))


def _response(request: Message, pairs: tuple[Pair, ...]) -> Message:
    return replace(request, kind=Kind.RESPONSE, status=0, index=0, pairs=pairs)


def _failed(request: Message, status: int, index: int) -> Message:
    return replace(request, kind=Kind.RESPONSE, status=status, index=index)


def _in_v1(request: Message, tree: _Tree) -> Message:
    """Answer as version 1 does: no word for what is absent, and no counters of 64 bits."""
    pairs: list[Pair] = []
    for number, (oid, _) in enumerate(request.pairs, start=1):
        found = tree.get(oid) if request.kind is Kind.GET else tree.following(oid)
        while request.kind is Kind.GET_NEXT and found[1].tag is Tag.COUNTER64:
            found = tree.following(found[0])
        if found[1].content is None or found[1].tag is Tag.COUNTER64:
            return _failed(request, NO_SUCH_NAME, number)
        pairs.append(found)
    return _response(request, tuple(pairs))


def _bulk(request: Message, tree: _Tree) -> Message:
    """Answer with what follows, as much as was asked for and fits."""
    single = max(0, min(request.status, len(request.pairs)))
    pairs = [tree.following(oid) for oid, _ in request.pairs[:single]]
    places = [oid for oid, _ in request.pairs[single:]]
    for _ in range(min(request.index, _MOST_REPETITIONS) if places else 0):
        found = [tree.following(oid) for oid in places]
        longer = _response(request, (*pairs, *found))
        if pairs and len(longer.encode()) > _LONGEST:
            break
        pairs += found
        places = [oid for oid, _ in found]
        if all(value.tag is Tag.END_OF_VIEW for _, value in found):
            break
    return _response(request, tuple(pairs))
