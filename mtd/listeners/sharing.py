"""Ports that several processes share, each of which gets what some of the senders send.

The kernel tells senders apart by address and port. A program of ours in it tells them by address alone: what a sender
has by itself, as a pace, templates or lines that came already, is then in one process, from whatever port it sends.

Who comes to such a port later shares it without an error, and gets nothing, as the program names sockets in the order in
which they came. So it is looked first whether anybody has the port.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import socket
import struct
from collections.abc import Sequence

from mtd.core.errors import Misconfigured
from mtd.listeners.udp import PortTaken, bound, udp_socket

logger = logging.getLogger(__name__)

# Of Linux, which Python doesn't name.
_SO_ATTACH_REUSEPORT_CBPF = 51
_INSTRUCTION = struct.Struct("=HBBI")
_PROGRAM = struct.Struct("HP")
# Of classic BPF: offsets from the header of the network layer, and of what the kernel knows of a packet.
_NETWORK, _PROTOCOL = 0xFFF0_0000, 0xFFFF_F000
_IPV4 = 0x0800
_LOAD_HALF, _LOAD, _TO_X, _XOR_X = 0x28, 0x20, 0x07, 0xAC
_JUMP, _JUMP_IF, _TIMES, _RIGHT, _MODULO, _RETURN = 0x05, 0x15, 0x24, 0x74, 0x94, 0x16
# Workers of a daemon that was killed end within a second or two, and have the port until then.
_LOOKS = 50
_LOOK_AGAIN_S = 0.2
_MIXER = 2_654_435_761  # 2 ** 32 / golden ratio: neighbours are far from each other, and so are all that end with 1


async def shared_sockets(
    listener: str, host: str, ports: Sequence[int], count: int, buffer_bytes: int, advice: str
) -> list[list[socket.socket]]:
    """Return so many sets of sockets, each with one for each port. Raises Misconfigured; see ``udp_socket``.

    A port that somebody shares who could be a worker of a killed daemon is waited for, for some seconds.
    """
    for port in ports:
        await _until_free(listener, host, port, advice)
    made: list[list[socket.socket]] = []
    try:
        for _ in range(count):
            some: list[socket.socket] = []
            made.append(some)
            for port in ports:
                some.append(udp_socket(listener, host, port, buffer_bytes, advice, shared=True))
            ports = [int(one.getsockname()[1]) for one in some]  # what the system chose for the first
        if count > 1:
            for one in made[0]:
                _spread(one, count, listener)
    except BaseException:
        close_all(made)
        raise
    return made


async def _until_free(listener: str, host: str, port: int, advice: str) -> None:
    """Return once nobody has a port. Raises Misconfigured if somebody keeps it."""
    for look in range(_LOOKS):
        try:
            bound(socket.SOCK_DGRAM, host, port, advice).close()
        except PortTaken:
            # Fails at once if it isn't shared with our user: then it is no worker's.
            bound(socket.SOCK_DGRAM, host, port, advice, shared=True).close()
        else:
            return
        if not look:
            logger.warning(
                "%s: UDP port %d is another process's, which may end soon: it is waited for", listener, port
            )
        await asyncio.sleep(_LOOK_AGAIN_S)
    raise Misconfigured(
        f"can't listen on {host}, UDP port {port}: a program of the same user has it and shares it, as another mtd or "
        f"what is left of one does; {advice}"
    )


def close_all(sockets: Sequence[Sequence[socket.socket]]) -> None:
    """Close sets of sockets."""
    for some in sockets:
        for one in some:
            one.close()


def _spread(made: socket.socket, count: int, listener: str) -> None:
    """Have the kernel choose among the sockets of a port by senders' addresses."""
    program = _by_address(count)
    kept = ctypes.create_string_buffer(program)
    told = _PROGRAM.pack(len(program) // _INSTRUCTION.size, ctypes.addressof(kept))
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, told)
    except OSError as error:
        logger.warning(
            "%s: the kernel gives workers what comes by address and port, not by address alone (%s): what one sender sends "
            "from several ports may come to several of them",
            listener,
            error,
        )


def _by_address(count: int) -> bytes:
    """Return a program that makes a number below ``count`` of a sender's address."""
    of_ipv6 = [(_LOAD, 0, 0, _NETWORK + 8)]
    for offset in (12, 16, 20):
        of_ipv6 += [(_TO_X, 0, 0, 0), (_LOAD, 0, 0, _NETWORK + offset), (_XOR_X, 0, 0, 0)]
    program = [
        (_LOAD_HALF, 0, 0, _PROTOCOL),
        (_JUMP_IF, 0, 2, _IPV4),
        (_LOAD, 0, 0, _NETWORK + 12),
        (_JUMP, 0, 0, len(of_ipv6)),
        *of_ipv6,
        (_TIMES, 0, 0, _MIXER),
        (_RIGHT, 0, 0, 16),
        (_MODULO, 0, 0, count),
        (_RETURN, 0, 0, 0),
    ]
    return b"".join(_INSTRUCTION.pack(*one) for one in program)
