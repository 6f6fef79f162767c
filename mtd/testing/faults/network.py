"""A network of its own for a fleet, and lines in it that lose packets, are slow, or forget. Needs root, and Linux.

What is started in such a network has its own loopback, on which nobody else's packets are; whoever asks the fleet
has to be in it as well. A `BadLine` is a device (TUN) that the packets of some TCP ports are sent through, both
ways: the kernel's own TCP meets what happens to them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

_CLONE_NEWNET = 0x40000000
_TUN = Path("/dev/net/tun")
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
# As loopback's packets are, less what may not be.
_MTU = 65535
_TABLE = 77
_IPV4 = 4
_SYN = 0x02
_LOOK_S = 0.1

Flow = frozenset[int]


def may_network() -> bool:
    """Return whether networks and lines can be made here: tried, for some containers don't let root do it."""
    if os.geteuid() != 0 or not _TUN.exists() or shutil.which("ip") is None:
        return False
    try:
        with PrivateNetwork(), BadLine([1]):
            return True
    except OSError:
        return False


class PrivateNetwork:
    """A network namespace that this thread, and what it starts, is in until the end of the ``with``."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._before = -1

    def __enter__(self) -> Self:
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._check(self._libc.unshare(_CLONE_NEWNET))
        try:
            _ip("link set lo up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._check(self._libc.setns(self._before, _CLONE_NEWNET))
        os.close(self._before)

    @staticmethod
    def _check(result: int) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, f"no network namespace: {os.strerror(number)}")


class BadLine:
    """The line to some TCP ports of loopback. It is a good one until told otherwise.

    ``loss``: how many of all packets it loses, 0 to 1. ``delay_s``: how long each takes, one way. ``cut``: loses all,
    as when a cable is pulled.
    """

    _made = 0

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = sorted(ports)
        BadLine._made += 1
        self._number = BadLine._made
        self._name = f"line{self._number}"
        self._device = -1
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._dice = random.Random(1)  # noqa: S311 - no secret
        self._turn = threading.Lock()
        self._flows: set[Flow] = set()
        self._forgotten: set[Flow] = set()
        self.loss = 0.0
        self.delay_s = 0.0
        self.cut = False
        self.passed = 0
        self.dropped = 0

    def __enter__(self) -> Self:
        self._device = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
        try:
            asked = struct.pack("16sH22x", self._name.encode(), _IFF_TUN | _IFF_NO_PI)
            fcntl.ioctl(self._device, _TUNSETIFF, asked)
            self._lay()
        except BaseException:
            os.close(self._device)
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(10)
        os.close(self._device)

    def _lay(self) -> None:
        """Have the kernel send what is for these ports, or from them, into the device, and take it back from there."""
        table = _TABLE + self._number
        _ip(
            f"link set {self._name} mtu {_MTU} up",
            f"route add default dev {self._name} src 127.0.0.1 table {table}",
        )
        for device in (self._name, "all"):
            for name, value in (("rp_filter", 0), ("accept_local", 1), ("route_localnet", 1)):
                Path(f"/proc/sys/net/ipv4/conf/{device}/{name}").write_text(str(value))
        # Loopback's own rule has to come behind ours. It is there before the other one goes.
        with contextlib.suppress(OSError):
            _ip("rule add pref 1000 lookup local", "rule del pref 0")
        # Of what this machine sends only: what comes out of the device has arrived.
        rules = [
            f"rule add pref 100 iif lo ipproto tcp {end} {port} lookup {table}"
            for port in self._ports
            for end in ("dport", "sport")
        ]
        _ip(*rules)

    def forget(self) -> None:
        """Lose all packets of connections that are open, without a word to anybody; new ones work."""
        with self._turn:
            self._forgotten |= self._flows
            self._flows.clear()

    def mend(self) -> None:
        """Be a good line again. What it has forgotten stays so."""
        self.loss, self.delay_s, self.cut = 0.0, 0.0, False

    def _run(self) -> None:
        waiting: list[tuple[float, int, bytes]] = []
        number = 0
        while not self._ending.is_set():
            pause_s = min(_LOOK_S, max(0.0, waiting[0][0] - time.monotonic())) if waiting else _LOOK_S
            if select.select([self._device], [], [], pause_s)[0]:
                packet = os.read(self._device, _MTU)
                if self._passes(packet):
                    number += 1
                    heapq.heappush(waiting, (time.monotonic() + self.delay_s, number, packet))
            while waiting and waiting[0][0] <= time.monotonic():
                os.write(self._device, heapq.heappop(waiting)[2])

    def _passes(self, packet: bytes) -> bool:
        if packet[0] >> 4 != _IPV4:
            return False  # what the kernel asks each new device in IPv6: nothing is there
        # The header ends where its first byte says, and that of TCP begins with the ports.
        start = (packet[0] & 0x0F) * 4
        flow = frozenset(struct.unpack_from("!HH", packet, start))
        with self._turn:
            if packet[start + 13] & _SYN:
                self._forgotten.discard(flow)
            passes = not (self.cut or flow in self._forgotten or self._dice.random() < self.loss)
            if flow not in self._forgotten:
                self._flows.add(flow)
        self.passed += passes
        self.dropped += not passes
        return passes


def _ip(*commands: str) -> None:
    text = "\n".join(commands) + "\n"
    done = subprocess.run(
        ["ip", "-batch", "-"],  # noqa: S607 - the machine's own
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    if done.returncode:
        raise OSError(f"ip: {done.stderr.strip()}")
