from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mtd.model.catalogue import Catalogue, Conflicts, compare, lock_of
from mtd.model.metric import Kind, Metric, Tier, Unit

RX = Metric("iface.rx_bytes_total", Unit.BYTES, Kind.COUNTER, Tier.T0, "Bytes.", "1", scope="iface")
LOAD = Metric("system.cpu.load_pct", Unit.PERCENT, Kind.GAUGE, Tier.T0, "Load.", "2")
STATE = Metric(
    "iface.oper_state", Unit.STATE, Kind.STATE, Tier.T0, "State.", "1", "iface", states={"down": 0, "up": 1}
)


def catalogue(*metrics: Metric) -> Catalogue:
    return Catalogue.assemble([("egg", metrics)])


def test_it_knows_its_metrics_and_who_brings_them() -> None:
    made = Catalogue.assemble([("interfaces", [RX]), ("system", [LOAD])])
    assert list(made.metrics) == ["iface.rx_bytes_total", "system.cpu.load_pct"]
    assert made.metric("system.cpu.load_pct") is LOAD
    assert made.collector_of("iface.rx_bytes_total") == "interfaces"
    assert "iface.rx_bytes_total" in made
    assert list(made) == [RX, LOAD]
    assert len(made) == made.number == 2
    with pytest.raises(KeyError):
        made.metric("iface.nothing")


def test_two_collectors_can_not_share_a_key() -> None:
    with pytest.raises(Conflicts) as raised:
        Catalogue.assemble([("a", [RX, LOAD]), ("b", [RX]), ("a", [replace(LOAD, unit=Unit.COUNT)])])
    assert raised.value.problems == (
        "metric iface.rx_bytes_total of b is declared by a already",
        "metric system.cpu.load_pct of a is declared by a already, differently",
    )


def test_its_version_depends_on_what_it_means_and_not_on_the_order() -> None:
    assert catalogue(RX, LOAD).version == catalogue(LOAD, RX).version
    assert catalogue(RX, replace(LOAD, unit=Unit.COUNT)).version != catalogue(RX, LOAD).version
    assert catalogue(RX).version.startswith("1+")


@pytest.mark.parametrize(
    "change",
    [{"unit": Unit.BITS_PER_SECOND}, {"kind": Kind.GAUGE}, {"scope": ""}, {"since": "2"}],
)
def test_a_released_key_keeps_its_meaning(change: dict[str, Any]) -> None:
    released = lock_of(catalogue(RX))
    problems = compare(catalogue(replace(RX, **change)), released)
    assert len(problems) == 1
    assert problems[0].startswith("iface.rx_bytes_total: ")


def test_states_may_be_added_but_not_renumbered() -> None:
    released = lock_of(catalogue(STATE))
    assert compare(catalogue(replace(STATE, states={"down": 0, "up": 1, "testing": 2})), released) == []
    assert len(compare(catalogue(replace(STATE, states={"down": 1, "up": 0})), released)) == 1
    assert len(compare(catalogue(replace(STATE, states={"up": 1})), released)) == 1


def test_a_retired_key_can_not_come_back_as_another() -> None:
    released = lock_of(catalogue(LOAD), lock_of(catalogue(RX, LOAD)))
    assert list(released["retired"]) == ["iface.rx_bytes_total"]
    assert compare(catalogue(LOAD), released) == []
    assert compare(catalogue(LOAD, RX), released) == []
    assert len(compare(catalogue(LOAD, replace(RX, unit=Unit.PACKETS)), released)) == 1
    assert lock_of(catalogue(LOAD, RX), released)["retired"] == {}


def test_a_new_key_says_the_version_it_came_with() -> None:
    released = lock_of(catalogue(LOAD))
    assert compare(catalogue(LOAD, replace(RX, since="2")), released) == []
    assert compare(catalogue(LOAD, RX), released) == [
        "iface.rx_bytes_total is new, but says since=1: say 2 or later"
    ]
