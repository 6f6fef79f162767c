"""A plain client of a few lines: what is on the wire, word by word."""

import io
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from mtd.lab.service import Endpoint


def read_word(stream: io.BufferedReader) -> bytes:
    first = _exactly(stream, 1)[0]
    if first < 0x80:
        size = first
    elif first < 0xC0:
        size = (first & 0x3F) << 8 | _exactly(stream, 1)[0]
    else:
        size = (first & 0x1F) << 16 | int.from_bytes(_exactly(stream, 2), "big")
    return _exactly(stream, size) if size else b""


def _exactly(stream: io.BufferedReader, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise EOFError(data)
        data += more
    return data


def encode(*words: str) -> bytes:
    """Return a sentence."""
    data = b""
    for word in words:
        content = word.encode()
        size = len(content)
        data += (bytes((size,)) if size < 0x80 else (size | 0x8000).to_bytes(2, "big")) + content
    return data + b"\x00"


class RawClient:
    """Sends sentences and reads them. Use it as a context manager."""

    def __init__(self, endpoint: Endpoint, *, login: bool = True, timeout_s: float = 5.0) -> None:
        self.socket = socket.create_connection((endpoint.host, endpoint.port), timeout=timeout_s)
        self.stream = self.socket.makefile("rb", buffering=1 << 16)
        if login:
            name, password = f"=name={endpoint.username}", f"=password={endpoint.password}"
            self.send("/login", name, password)
            assert self.sentence() == [b"!done"]

    def send(self, *words: str) -> None:
        self.socket.sendall(encode(*words))

    def sentence(self) -> list[bytes]:
        words = []
        while word := read_word(self.stream):
            words.append(word)
        return words

    def ask(self, *words: str) -> list[list[bytes]]:
        """Send a sentence and return the answer up to ``!done``."""
        self.send(*words)
        return self.until(b"!done")

    def until(self, reply_word: bytes) -> list[list[bytes]]:
        """Return the sentences up to the first with a reply word."""
        found = [self.sentence()]
        while found[-1][0] != reply_word:
            found.append(self.sentence())
        return found

    def silent_for(self, seconds: float) -> bool:
        """Whether nothing comes for a while, not even the end of the connection."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(1)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def row(sentence: list[bytes]) -> dict[str, bytes]:
    """Return the attributes of a sentence."""
    pairs = [word[1:].partition(b"=") for word in sentence[1:] if word.startswith(b"=")]
    return {key.decode(): value for key, _, value in pairs}


def eventually(condition: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    """Wait until a condition is true, and return its value."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, "condition never came true"
        threading.Event().wait(0.02)
    return value
