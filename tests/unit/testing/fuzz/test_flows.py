"""Malformed datagrams of flows raise nothing, are accounted for, and leave no more than the limits allow."""

from __future__ import annotations

import pytest

from mtd.codec.flows import Limits
from mtd.testing.fuzz import flows
from mtd.testing.fuzz.values import Values
from mtd.testing.harness import HarnessFailed

DATAGRAMS = 20_000
SMALL = Limits(domains=4, templates=2, held_bytes=20_000, samplers=4)


def silent(_text: str) -> None:
    pass


@pytest.mark.slow
def test_malformed_datagrams_are_accounted_for_and_bounded() -> None:
    figures = flows.fuzz_flows(DATAGRAMS, 4, silent, limits=SMALL)
    assert figures["datagrams"] == DATAGRAMS
    assert figures["records"] > DATAGRAMS
    assert figures["stored_records"] > 0
    assert min(figures["dropped"].values()) > 0, figures["dropped"]
    assert len(figures["malformed"]) > 10, figures["malformed"]


def test_a_seed_makes_the_same_datagrams() -> None:
    good = flows.good_datagrams()
    first, second = ([flows.malformed(values, good) for _ in range(50)] for values in (Values(3), Values(3)))
    assert first == second
    assert any(one not in good for one in first)


def test_a_finding_names_the_datagram_and_how_to_send_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_reader: flows.Reader, datagram: bytes, _at_us: int, _port: int) -> None:
        raise ZeroDivisionError(len(datagram))

    monkeypatch.setattr(flows.Reader, "feed", broken)
    with pytest.raises(HarnessFailed, match=r"datagram 1 of --seed 9: ZeroDivisionError\(\d+\)\n[0-9a-f]+"):
        flows.fuzz_flows(10, 9, silent)


def test_what_is_not_accounted_for_is_a_finding() -> None:
    reader = flows.Reader()
    for datagram in flows.good_datagrams()[:20]:
        reader.feed(datagram, flows.START_US)
    reader.flush()
    assert list(reader.problems()) == []
    reader.stored -= 1
    reader.fed += 1
    reader.unlike = 1
    assert len(list(reader.problems())) == 3


def test_limits_that_do_not_hold_are_a_finding() -> None:
    reader = flows.Reader()
    for datagram in flows.good_datagrams():
        reader.feed(datagram, flows.START_US)
    reader._limits = Limits(domains=0, templates=1, fields=10)
    reader.flush()
    assert [problem.split()[-1] for problem in reader.problems()] == ["known"] * 3
