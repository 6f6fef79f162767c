"""Tools of the simulated routers, as they are on the wire."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.lab.raw import RawClient, row

START = Callable[..., Any]
BOTH = pytest.mark.parametrize("version", ["6.49.10", "7.16.2"])


def rows(found: list[list[bytes]]) -> list[dict[str, bytes]]:
    return [row(sentence) for sentence in found if sentence[0] == b"!re"]


def message(found: list[list[bytes]]) -> bytes:
    return row(next(sentence for sentence in found if sentence[0] == b"!trap"))["message"]


@BOTH
def test_ping_counts_its_answers_and_ends(start_lab: START, version: str) -> None:
    lab = start_lab(router={"version": version})
    ask = ("/ping", "=address=192.0.2.7", "=count=3", "=interval=10ms")
    with RawClient(lab.endpoint("router")) as client:
        found, again = rows(client.ask(*ask)), rows(client.ask(*ask))
        lost = rows(client.ask("/ping", "=address=203.0.113.9", "=count=2", "=interval=10ms"))
    assert [r["seq"] for r in found] == [b"0", b"1", b"2"]
    assert found[-1]["received"] == b"3"
    assert found[-1]["packet-loss"] == b"0"
    assert found == again  # seeded
    assert (b"us" in found[-1]["time"]) == version.startswith("7")
    assert [(r["status"], r["packet-loss"]) for r in lost] == [(b"timeout", b"100")] * 2
    assert "time" not in lost[0]


@BOTH
def test_traceroute_tells_each_round_as_a_section(start_lab: START, version: str) -> None:
    lab = start_lab(router={"version": version})
    with RawClient(lab.endpoint("router")) as client:
        found = rows(client.ask("/tool/traceroute", "=address=192.0.2.7", "=count=2"))
    first = [r for r in found if r[".section"] == b"0"]
    assert len(found) == 2 * len(first)
    assert first[-1]["address"] == b"192.0.2.7"
    assert (first[2]["address"], first[2]["loss"], first[2]["last"]) == (b"", b"100", b"timeout")
    assert found[-1]["sent"] == b"2"


@BOTH
def test_torch_comes_to_the_true_rates(start_lab: START, version: str) -> None:
    lab = start_lab(router={"version": version})
    with RawClient(lab.endpoint("router")) as client:
        name = row(client.ask("/interface/print", "=.proplist=name", "?.id=*1")[0])["name"].decode()
        clock = lab.lab.routers["router"].state.clock
        began = clock.now_tick()
        found = rows(
            client.ask("/tool/torch", f"=interface={name}", "=src-address=0.0.0.0/0", "=duration=20ms")
        )
        wrong = message(client.ask("/tool/torch", "=interface=nowhere"))
    truth = lab.lab.routers["router"].truth
    rates = [
        truth.true_rate("*1", "rx-byte", tick - 1000, tick) * 8 for tick in range(began, clock.now_tick() + 1)
    ]
    total = sum(int(r["rx"]) for r in found)
    assert min(rates) - len(found) - 1 <= total <= max(rates)
    assert all("src-address" in r and "dst-address" not in r for r in found)
    assert wrong == b"input does not match any value of interface"


def test_a_tool_goes_on_until_it_is_cancelled(start_lab: START) -> None:
    lab = start_lab(router={})
    with RawClient(lab.endpoint("router")) as client:
        client.send("/ping", "=address=192.0.2.7", "=interval=10ms", ".tag=p")
        assert row(client.sentence())["seq"] == b"0"
        client.send("/cancel", "=tag=p", ".tag=c")
        assert client.until(b"!trap")[-1][1:] == [b".tag=p", b"=category=2", b"=message=interrupted"]


def test_rights_and_arguments_are_checked(start_lab: START) -> None:
    lab = start_lab(router={"policies": ["read", "api"]}, full={})
    with RawClient(lab.endpoint("router")) as client:
        assert message(client.ask("/ping", "=address=192.0.2.7")) == b"not enough permissions (9)"
        assert message(client.ask("/tool/sniffer/quick")) == b"not enough permissions (9)"
    with RawClient(lab.endpoint("full")) as client:
        assert message(client.ask("/ping", "=whom=192.0.2.7")) == b"unknown parameter whom"
        assert message(client.ask("/print")) == b"no such command"
        found = rows(client.ask("/tool/bandwidth-test", "=address=198.51.100.1"))
        assert [r["status"] for r in found] == [b"can not connect"]
        speeds = rows(
            client.ask(
                "/tool/bandwidth-test", "=address=192.0.2.1", "=direction=both", "=duration=30ms",
                "=local-tx-speed=1000000",
            )
        )  # fmt: skip
        assert speeds[-1]["tx-current"] == b"1000000" or int(speeds[-1]["tx-current"]) < 1_000_000
        assert speeds[-1]["status"] == b"done testing"
