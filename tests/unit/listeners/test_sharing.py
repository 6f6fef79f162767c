"""Ports that are shared: each address's datagrams are with one socket, from whatever port they come."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from mtd.core.errors import Misconfigured
from mtd.listeners import sharing, udp
from mtd.listeners.sharing import close_all
from mtd.testing import run_async


def shared(*ports: int, host: str = "127.0.0.1", count: int = 2) -> list[list[socket.socket]]:
    return run_async(sharing.shared_sockets("syslog", host, ports, count, 2**20, "advice"))


SOURCES = [f"127.0.{number}.1" for number in range(40)]


def received(host: str, sources: Sequence[str], count: int = 3) -> Mapping[str, Counter[int]]:
    """Send from each address, from ten ports; return which of the sockets got how many."""
    sockets = shared(0, host=host, count=count)
    port = sockets[0][0].getsockname()[1]
    try:
        for source in sources:
            family = socket.AF_INET6 if ":" in source else socket.AF_INET
            for _ in range(10):
                with socket.socket(family, socket.SOCK_DGRAM) as sender:
                    sender.bind((source, 0))
                    sender.sendto(source.encode(), ("::1" if ":" in source else "127.0.0.1", port))
        found: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for number, (made,) in enumerate(sockets):
            while True:
                try:
                    found[made.recv(100).decode()][number] += 1
                except BlockingIOError:
                    break
        return found
    finally:
        close_all(sockets)


@pytest.mark.parametrize(("host", "more"), [("127.0.0.1", []), ("::", ["::1"])])
def test_an_address_is_with_one_socket_and_each_socket_has_some(host: str, more: Sequence[str]) -> None:
    found = received(host, [*SOURCES, *more])
    assert set(found) == {*SOURCES, *more}
    assert all(list(counts.values()) == [10] for counts in found.values())
    of_socket = Counter(next(iter(counts)) for counts in found.values())
    assert len(of_socket) == 3
    assert min(of_socket.values()) >= 5


def test_where_the_kernel_knows_no_programs_it_is_told_and_works_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sharing, "_SO_ATTACH_REUSEPORT_CBPF", 9999)
    with caplog.at_level(logging.WARNING):
        found = received("127.0.0.1", SOURCES[:5])
    assert {source: counts.total() for source, counts in found.items()} == dict.fromkeys(SOURCES[:5], 10)
    assert "by address and port" in caplog.text


def test_sets_have_the_same_ports_whatever_the_system_chose() -> None:
    sockets = shared(0, 0)
    ports = [[made.getsockname()[1] for made in some] for some in sockets]
    close_all(sockets)
    assert ports[0] == ports[1]
    assert len(set(ports[0])) == 2


def test_a_port_that_is_taken_fails_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Misconfigured, match="Address already in use; advice"):
            shared(0, taken.getsockname()[1])


def test_a_port_that_is_taken_in_the_last_moment_leaves_none_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []

    def udp_socket(*arguments: Any, **options: Any) -> socket.socket:
        if made:
            raise Misconfigured("taken")
        made.append(udp.udp_socket(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(sharing, "udp_socket", udp_socket)
    with pytest.raises(Misconfigured, match="taken"):
        shared(0, 0)
    assert [one.fileno() for one in made] == [-1]


def sharing_socket(port: int = 0) -> socket.socket:
    """Return a socket that shares its port with those of the same user, as a worker's is."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


@pytest.mark.parametrize("count", [1, 2])
def test_a_port_that_another_program_shares_is_taken(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_LOOKS", 2)
    monkeypatch.setattr(sharing, "_LOOK_AGAIN_S", 0.01)
    with sharing_socket() as taken:
        with pytest.raises(Misconfigured, match="another mtd or .* of one does; advice"):
            shared(taken.getsockname()[1], count=count)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", taken.getsockname())
        assert taken.recv(10) == b"x"


def test_a_port_is_waited_for_while_workers_of_a_killed_daemon_end(caplog: pytest.LogCaptureFixture) -> None:
    left = sharing_socket()
    port = left.getsockname()[1]

    async def main() -> list[list[socket.socket]]:
        taking = asyncio.ensure_future(
            sharing.shared_sockets("syslog", "127.0.0.1", [port], 2, 2**20, "advice")
        )
        async with asyncio.timeout(20):
            while "it is waited for" not in caplog.text:
                await asyncio.sleep(0.01)
        assert not taking.done()
        left.close()
        return await taking

    sockets = run_async(main())
    assert [made.getsockname()[1] for (made,) in sockets] == [port, port]
    close_all(sockets)
