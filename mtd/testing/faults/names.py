"""A name server for a fleet in a network of its own, which falls silent when told to."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from typing import Self

ADDRESS = "127.0.0.53"
DOMAIN = "faults.test"

_PORT = 53
_HEADER = struct.Struct("!HHHHHH")
_ANSWERED, _QUESTIONS, _A, _IN = 0x8180, 12, 1, 1
_LOOK_S = 0.1


class NameServer:
    """Says of every name that it is 127.0.0.1. ``silent``: it says nothing any more, as when the machine is gone.

    ``folder`` takes the ``resolv.conf`` that names it; what is started behind ``prefix`` asks it, and nobody else.
    """

    def __init__(self, folder: Path) -> None:
        self._resolver = folder / "resolv.conf"
        self._ending = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._run, name="name server", daemon=True)
        self.silent = False
        self.asked = 0

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command that is to ask this server. A mount namespace of its own: nobody else sees the file."""
        script = f'mount --bind {self._resolver} /etc/resolv.conf && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", script, "sh")

    def __enter__(self) -> Self:
        # As short as it gets: resolvers wait five seconds, twice, by default.
        self._resolver.write_text(f"nameserver {ADDRESS}\noptions timeout:1 attempts:1\n")
        self._resolver.chmod(0o644)
        self._socket.bind((ADDRESS, _PORT))
        self._socket.settimeout(_LOOK_S)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                question, who = self._socket.recvfrom(512)
            except TimeoutError:
                continue
            self.asked += 1
            if not self.silent:
                self._socket.sendto(answer_to(question), who)


def answer_to(question: bytes) -> bytes:
    """Return the answer to a question for one name: 127.0.0.1 if it asks for IPv4, that there is none otherwise."""
    number, _, _, _, _, _ = _HEADER.unpack_from(question)
    end = question.index(0, _QUESTIONS) + 1
    (kind,) = struct.unpack_from("!H", question, end)
    asked = question[_QUESTIONS : end + 4]
    is_address = kind == _A
    record = struct.pack("!HHHIH4B", 0xC000 | _QUESTIONS, _A, _IN, 1, 4, 127, 0, 0, 1) if is_address else b""
    return _HEADER.pack(number, _ANSWERED, 1, int(is_address), 0, 0) + asked + record
