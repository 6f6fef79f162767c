"""Who fails too often has to wait, and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.errors import QuotaExceeded
from mtd.security import attempts as module
from mtd.security.attempts import Attempts, peer_host
from mtd.testing.contract import FakeClock


def test_after_so_many_failures_one_has_to_wait() -> None:
    clock = FakeClock()
    attempts = Attempts("tokens", 3, 60, clock)
    for _ in range(3):
        attempts.check("a")
        attempts.failed("a")
    with pytest.raises(QuotaExceeded, match="wait 20 s") as refused:
        attempts.check("a")
    assert refused.value.retry_after_s == 20
    attempts.check("b")
    clock.at += 20
    attempts.check("a")
    attempts.failed("a")
    with pytest.raises(QuotaExceeded):
        attempts.check("a")
    clock.at += 60
    assert attempts.retry_after_s("a") == 0


def test_success_forgives() -> None:
    attempts = Attempts("passwords", 1, 60, FakeClock())
    attempts.failed("a")
    attempts.succeeded("a")
    attempts.check("a")


@given(st.lists(st.floats(0, 100), max_size=50))
def test_nobody_waits_longer_than_a_window(steps: list[float]) -> None:
    clock = FakeClock()
    attempts = Attempts("tokens", 3, 60, clock)
    for step in steps:
        attempts.failed("a")
        assert 0 <= attempts.retry_after_s("a") <= 60
        clock.at += step


def test_it_remembers_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEYS", 2)
    attempts = Attempts("tokens", 1, 60, FakeClock())
    for key in "abc":
        attempts.failed(key)
    assert attempts.retry_after_s("a") == 0
    assert attempts.retry_after_s("b") > 0
    assert attempts.retry_after_s("c") > 0


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.1:4711", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("ipv6:[2001:db8::1]:4711", "2001:db8::/64"),
        ("ipv6:[2001:db8::ffff]:1", "2001:db8::/64"),
        ("ipv6:[::ffff:192.0.2.1]:1", "192.0.2.1"),
        ("ipv6:[fe80::1%eth0]:1", "fe80::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("unix:/run/mtd", "unix:/run/mtd"),
        ("", ""),
    ],
)
def test_ports_dont_count(peer: str, host: str) -> None:
    assert peer_host(peer) == host
