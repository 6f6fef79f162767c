from __future__ import annotations

import logging

import pytest

from mtd.listeners.directory import Directory, Kind
from mtd.model.sighting import FoundBy, Sighting
from mtd.testing.metrics import metric
from tests.unit.ingest.bench import ManualClock
from tests.unit.listeners.kit import device

KIND = Kind(FoundBy.SYSLOG, "lines", "src-address of the action")


class Bench:
    def __init__(self, *, lists_shared: bool = True) -> None:
        self.clock = ManualClock()
        self.seen: list[Sighting] = []
        self.directory = Directory(KIND, self.seen.append, self.clock, lists_shared=lists_shared)

    @property
    def strangers(self) -> list[tuple[str, int, str]]:
        return [(one.address, one.lines, one.name) for one in self.directory.strangers]


def unknown() -> float:
    return metric("mtd_listeners_unknown_senders", listener="syslog")


def test_a_stranger_is_told_at_once_and_again_in_a_minute() -> None:
    bench = Bench()
    for messages, name in ((1, "attic"), (5, "unasked")):
        bench.directory.meet("192.0.2.9", 7, messages, lambda name=name: name)  # type: ignore[misc]
    assert bench.seen == [Sighting(FoundBy.SYSLOG, address="192.0.2.9", identity="attic")]
    assert bench.strangers == [("192.0.2.9", 6, "attic")]
    assert unknown() == 1
    bench.clock.ahead_s += 60.0
    bench.directory.meet("192.0.2.9", 8)  # it doesn't say who it is this time
    assert [one.identity for one in bench.seen] == ["attic", "attic"]


def test_a_stranger_that_is_a_device_by_now_is_none() -> None:
    bench = Bench()
    for address in ("192.0.2.8", "192.0.2.9"):
        bench.directory.meet(address, 7)
    bench.directory.apply([device("a", "192.0.2.9")])
    assert bench.strangers == [("192.0.2.8", 1, "")]
    bench.directory.apply_addresses({"192.0.2.8": ["id-a"]})
    assert bench.strangers == []
    assert unknown() == 0


@pytest.mark.parametrize("lists_shared", [True, False])
def test_an_address_of_several_is_told_once_a_minute(
    lists_shared: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(lists_shared=lists_shared)
    both = [device("a", "192.0.2.1", "t1"), device("b", "192.0.2.1", "t2")]
    bench.directory.apply(both)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            bench.directory.confuse("192.0.2.1", 7, bench.directory.find("192.0.2.1"), 3)
        bench.directory.apply(both)  # changes nothing
        bench.directory.confuse("192.0.2.1", 7, both)
        assert len(caplog.records) == 1
        bench.clock.ahead_s += 60.0
        bench.directory.apply(both)
        bench.directory.confuse("192.0.2.1", 7, both)
    assert [record.getMessage() for record in caplog.records] == [
        "lines from 192.0.2.1 are dropped: that is an address of a (tenant t1), b (tenant t2); have each send from an address "
        "of its own (src-address of the action)"
    ] * 2
    assert bench.strangers == ([("192.0.2.1", 8, "")] if lists_shared else [])
    assert bench.seen == []
    bench.directory.apply(both[:1])
    assert bench.strangers == []
