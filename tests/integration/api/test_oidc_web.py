"""Asking an identity provider that behaves badly, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mtd.api.login.oidc.web import MOST_BYTES, WebClient
from mtd.core.errors import Retryable
from mtd.lab.certificates import Authority
from mtd.lab.scenario import Tls
from mtd.testing import run_async

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer each connection in one way; give the address."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # it was cut off
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://localhost:{port}/keys?secret=1"
    finally:
        server.close()


def says(status: str, body: bytes, **headers: str) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    return talk


def refusal(talk: Talk, timeout_s: float = 20.0) -> str:
    async def main() -> str:
        async with served(talk) as url:
            with pytest.raises(Retryable) as failed:
                await WebClient(timeout_s).get(url)
            assert "secret" not in str(failed.value)
            return str(failed.value)

    return run_async(main())


def test_an_answer() -> None:
    async def main() -> None:
        async with served(says("200 OK", b'{"keys": []}')) as url:
            assert await WebClient(20.0).get(url) == {"keys": []}
            assert await WebClient(20.0).post(url, {"authorization": "Basic x"}, "a=b") == (200, {"keys": []})

    run_async(main())


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (says("404 Not Found", b"{}"), "answered 404"),
        (says("302 Found", b"{}", Location="http://evil.example/"), "answered 302"),  # nobody is followed
        (says("200 OK", b"<html>"), "no JSON object"),
        (says("200 OK", b"[]"), "no JSON object"),
        (says("200 OK", b"\xff\xfe"), "no JSON object"),
    ],
)
def test_what_is_no_answer(talk: Talk, words: str) -> None:
    assert words in refusal(talk)


def test_an_answer_without_end_is_cut_off() -> None:
    cut = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            cut.set()
            raise

    async def main() -> None:
        async with served(endless) as url:
            with pytest.raises(Retryable, match=f"longer than {MOST_BYTES} bytes"):
                await WebClient(20.0).get(url)
            async with asyncio.timeout(20):
                await cut.wait()

    run_async(main())


def test_who_falls_silent_is_waited_for_in_bounds() -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await reader.read()  # until it is cut off
        gone.set()

    async def main() -> None:
        async with served(silent) as url:
            with pytest.raises(Retryable, match="didn't answer within"):
                await WebClient(0.3).get(url)
            async with asyncio.timeout(20):
                await gone.wait()

    run_async(main())


def test_certificates_are_looked_at(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    side = made.server(Tls.CA)
    assert side is not None
    tls = side.context

    async def main() -> None:
        async with served(says("200 OK", b"{}"), tls) as url:
            assert await WebClient(20.0, made.ca_file.read_bytes()).get(url) == {}
            with pytest.raises(Retryable, match="can't be asked"):
                await WebClient(20.0).get(url)  # nobody of the system's knows it

    run_async(main())
