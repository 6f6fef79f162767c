"""A router whose every word a test decides: an asyncio server and its own small codec.

It shares no code with mtd's codec, so that a mistake there can't hide here.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Sentence = list[bytes]
Handler = Callable[["Peer", Sentence], Awaitable[None]]


def packed(*words: bytes) -> bytes:
    """Return a sentence as bytes."""
    out = bytearray()
    for word in (*words, b""):
        size = len(word)
        if size < 0x80:
            out.append(size)
        elif size < 0x4000:
            out += (size + 0x8000).to_bytes(2, "big")
        else:
            out += (size + 0xC00000).to_bytes(3, "big")
        out += word
    return bytes(out)


@dataclass
class Peer:
    """One connection to the scripted router."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[Sentence] = field(default_factory=list)

    async def hear(self) -> Sentence:
        """Read one sentence."""
        words: Sentence = []
        while True:
            first = (await self.reader.readexactly(1))[0]
            if first == 0:
                self.heard.append(words)
                return words
            if first >= 0x80:
                second = (await self.reader.readexactly(1))[0]
                first = (first & 0x3F) << 8 | second
            words.append(await self.reader.readexactly(first))

    def say(self, *words: bytes, tag: bytes = b"") -> None:
        """Send a sentence, with a tag word if given."""
        self.writer.write(packed(words[0], *([tag] if tag else []), *words[1:]))


def tag_of(sentence: Sentence) -> bytes:
    """Return the tag word of a sentence, empty if it has none."""
    return next((word for word in sentence if word.startswith(b".tag=")), b"")


def attribute(sentence: Sentence, name: bytes) -> bytes | None:
    """Return the value of an attribute."""
    prefix = b"=" + name + b"="
    return next((word[len(prefix) :] for word in sentence if word.startswith(prefix)), None)


@dataclass
class ScriptedRouter:
    """Logs users in, then gives every sentence to ``handler``. ``first`` may take over before that."""

    handler: Handler | None = None
    first: Callable[[Peer], Awaitable[None]] | None = None
    password: bytes = b"secret"
    challenge: bytes = b""
    port: int = 0
    peers: list[Peer] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        peer = Peer(reader, writer)
        self.peers.append(peer)
        try:
            if self.first is not None:
                await self.first(peer)
                return
            while True:
                sentence = await peer.hear()
                if sentence and sentence[0] == b"/login":
                    self._login(peer, sentence)
                elif self.handler is not None:
                    await self.handler(peer, sentence)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _login(self, peer: Peer, sentence: Sentence) -> None:
        response = attribute(sentence, b"response")
        if self.challenge and response is None:
            peer.say(b"!done", b"=ret=" + self.challenge.hex().encode())
            return
        if self.challenge:
            digest = hashlib.md5(b"\0" + self.password + self.challenge, usedforsecurity=False)
            right = response == b"00" + digest.hexdigest().encode()
        else:
            right = attribute(sentence, b"password") == self.password
        if not right:
            peer.say(b"!trap", b"=message=invalid user name or password (6)")
        peer.say(b"!done")


@asynccontextmanager
async def running(router: ScriptedRouter, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedRouter]:
    """Run a scripted router on a free port of loopback."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(router.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    router.port = server.sockets[0].getsockname()[1]
    try:
        yield router
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
