"""Who connects over TCP and TLS: bounded, each by himself, and whoever is turned away is counted."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from mtd.core.errors import Misconfigured
from mtd.listeners import handshakes
from mtd.testing.metrics import metric
from tests.unit.ingest.bench import until
from tests.unit.listeners.syslog.kit import Bench, certificates, connected, running, with_bench

STRANGER = "127.0.0.9"


def refused(reason: str) -> float:
    return metric("mtd_listeners_refused_connections_total", listener="syslog", reason=reason)


def failed(reason: str) -> float:
    return metric("mtd_listeners_failed_handshakes_total", listener="syslog", reason=reason)


def under_way() -> float:
    return metric("mtd_listeners_handshakes", listener="syslog")


def open_connections() -> float:
    return metric("mtd_listeners_connections", listener="syslog")


@contextlib.asynccontextmanager
async def raw(port: int, address: str = STRANGER) -> AsyncIterator[asyncio.StreamReader]:
    """Connect, and say nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        yield reader
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the other side closed."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


def tls_port(bench: Bench) -> int:
    assert bench.service.tls is not None
    return bench.service.tls.port


def tcp_port(bench: Bench) -> int:
    assert bench.service.tcp is not None
    return bench.service.tcp.port


async def send_over_tls(bench: Bench, folder: Path, text: str, address: str = "127.0.0.1") -> None:
    """Send a line, and wait until it is recorded."""
    before = len(bench.told.lines)
    _, writer = await connected(bench, folder, address)
    writer.write(f"script,info {text}\n".encode())
    await bench.until(before + 1)
    assert bench.told.lines[-1][2].text == text
    writer.close()


# -- how many ------------------------------------------------------------------------


def test_connections_are_bounded() -> None:
    async def work(bench: Bench) -> None:
        held = [await asyncio.open_connection("127.0.0.1", tcp_port(bench)) for _ in range(3)]
        assert await ended(held[2][0]) == b""
        held[0][1].write(b"script,info one\n")
        await bench.until(1)
        for _, writer in held:
            writer.close()

    before = refused("too_many")
    with_bench(work, tcp_port=0, max_connections=2)
    assert refused("too_many") == before + 1


def test_connections_of_one_sender_are_bounded_and_leave_room_for_others() -> None:
    async def work(bench: Bench) -> None:
        async with contextlib.AsyncExitStack() as held:
            for _ in range(2):
                await held.enter_async_context(raw(tcp_port(bench)))
            for _ in range(3):
                async with raw(tcp_port(bench)) as reader:
                    assert await ended(reader) == b""
            _, writer = await asyncio.open_connection("127.0.0.1", tcp_port(bench))
            writer.write(b"script,info one\n")
            await bench.until(1)
            writer.close()
        # They are gone: their places are free again.
        await until(lambda: open_connections() == open_before)
        async with raw(tcp_port(bench)) as reader:
            await until(lambda: open_connections() == open_before + 1)
            assert not reader.at_eof()

    before, open_before = refused("too_many_of_sender"), open_connections()
    with_bench(work, tcp_port=0, max_connections=10, max_connections_per_sender=2)
    assert refused("too_many_of_sender") == before + 3
    assert open_connections() == open_before


# -- TLS -------------------------------------------------------------------------------


def test_lines_come_over_tls(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        _, writer = await connected(bench, tmp_path)
        writer.write(b"15 <30>script,info script,info two\n")
        await bench.until(2)
        writer.close()

    told = with_bench(work, tls_port=0, **certificates(tmp_path)).told
    assert told.lines[-1][2].text == "two"


def test_senders_without_a_certificate_are_turned_away_if_so_wished(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        reader, writer = await connected(bench, tmp_path)
        writer.write(b"script,info one\n")
        async with asyncio.timeout(10):
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                assert await reader.read() == b""
        writer.close()

    settings, before = certificates(tmp_path), failed("not_agreed")
    told = with_bench(work, tls_port=0, tls_client_ca=str(tmp_path / "ca.pem"), **settings).told
    assert told.lines == []
    assert failed("not_agreed") == before + 1


def test_a_certificate_that_can_not_be_used_is_told(tmp_path: Path) -> None:
    settings = certificates(tmp_path)
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(Misconfigured, match=r"cert\.pem can't be used for TLS"):
        Bench(tls_port=0, **settings)
    with pytest.raises(ValueError, match="tls_port needs"):
        Bench(tls_port=0)


async def fail_in_each_way(bench: Bench, folder: Path) -> None:
    """Begin handshakes that come to nothing; others' lines come all the same."""
    silent = asyncio.ensure_future(begin(bench, b""))
    slow = asyncio.ensure_future(begin(bench, b"\x16\x03\x01\x02\x00\x01"))
    await until(lambda: under_way() == 2)
    await send_over_tls(bench, folder, "while they are under way")
    await begin(bench, b"GET / HTTP/1.1\r\n\r\n")
    async with raw(tls_port(bench)):
        pass
    await asyncio.gather(silent, slow)
    await until(lambda: under_way() == 0)
    await send_over_tls(bench, folder, "when they are over")
    await until(lambda: open_connections() == 0)


async def begin(bench: Bench, data: bytes) -> None:
    """Begin a handshake with these bytes, and wait until the other side gives it up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", tls_port(bench), local_addr=(STRANGER, 0))
    writer.write(data)
    await ended(reader)
    writer.close()


def failures() -> list[float]:
    return [failed(reason) for reason in ("timed_out", "not_agreed", "left", "gave_way")]


def test_a_handshake_that_comes_to_nothing_is_ended_and_counted(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        await fail_in_each_way(bench, tmp_path)

    before = failures()
    with_bench(work, tls_port=0, handshake_s=1.0, **certificates(tmp_path))
    assert [now - then for now, then in zip(failures(), before, strict=True)] == [2, 1, 1, 0]


def test_so_it_is_on_the_loop_that_the_daemon_runs_on(tmp_path: Path) -> None:
    settings, before, ended_well = certificates(tmp_path), failures(), []

    async def work(bench: Bench) -> None:
        await fail_in_each_way(bench, tmp_path)

    def run() -> None:
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(running(work, tls_port=0, handshake_s=1.0, **settings))
            ended_well.append(True)
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert ended_well
    assert [now - then for now, then in zip(failures(), before, strict=True)] == [2, 1, 1, 0]


def test_whoever_holds_all_handshakes_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bench: Bench) -> None:
        async with raw(tls_port(bench), "127.0.0.8") as first, raw(tls_port(bench), "127.0.0.9"):
            await until(lambda: under_way() == 2)
            await send_over_tls(bench, tmp_path, "one")
            assert await ended(first) == b""
            await send_over_tls(bench, tmp_path, "two")
            assert under_way() == 1
        await until(lambda: under_way() == 0)

    monkeypatch.setattr(handshakes, "_PATIENCE_S", 0.0)
    before = failures()
    with_bench(work, tls_port=0, max_handshakes=2, handshake_s=60, **certificates(tmp_path))
    assert [now - then for now, then in zip(failures(), before, strict=True)] == [0, 0, 1, 1]


def test_who_comes_in_a_crowd_waits_and_is_not_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(bench: Bench) -> None:
        async with raw(tls_port(bench), "127.0.0.8"):
            await until(lambda: under_way() == 1)
            waiting = [
                asyncio.ensure_future(connected(bench, tmp_path, f"127.0.0.{number % 2 + 1}"))
                for number in range(20)
            ]
            await asyncio.sleep(0.1)
            assert not any(one.done() for one in waiting)
        for _, writer in await asyncio.gather(*waiting):
            writer.write(b"script,info one\n")
            writer.close()
        await bench.until(20)

    monkeypatch.setattr(handshakes, "_PATIENCE_S", 60.0)
    before = failures()
    with_bench(work, tls_port=0, max_handshakes=1, **certificates(tmp_path))
    assert [now - then for now, then in zip(failures(), before, strict=True)] == [0, 0, 1, 0]


def test_the_end_does_not_wait_for_handshakes(tmp_path: Path) -> None:
    async def work(bench: Bench) -> None:
        held.append(await asyncio.open_connection("127.0.0.1", tls_port(bench)))
        await until(lambda: under_way() == 1)
        held.append(await asyncio.open_connection("127.0.0.1", tls_port(bench)))

    held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    before = open_connections()
    with_bench(work, tls_port=0, handshake_s=60, **certificates(tmp_path))
    assert under_way() == 0
    assert open_connections() == before
    for _, writer in held:
        writer.transport.abort()
