from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mtd.model.metric import Unit
from mtd.plugin import API_VERSION, Collector, Companion, Counter, Labels, columns
from mtd.plugin.checks import problems_of
from tests.unit.plugin.conftest import BYTES, FLAPS, LINK, NOTE, PORTS, PORTS_EGG, SESSIONS, SPEEDS, TABLE

ENDLESS = Companion(name="now", path="/port", command="monitor-traffic", reads=("a",))
NEEDY = Companion(name="ups", path="/system/ups", reads=("a",), requires="ups")
RATE = BYTES.rate
assert RATE is not None


def with_field(field: Any) -> Collector:
    return with_menu(replace(PORTS, fields=(field,)))


def with_menu(*menus: Any) -> Collector:
    return replace(PORTS_EGG, menus=menus)


def test_a_sound_declaration_has_no_problems() -> None:
    assert problems_of(PORTS_EGG) == []
    assert problems_of(with_menu(replace(PORTS, requires="wifi_mode"))) == []


@pytest.mark.parametrize(
    ("collector", "problem"),
    [
        (replace(PORTS_EGG, api=API_VERSION + 1), "plugin API"),
        (replace(PORTS_EGG, name="Ports!"), "isn't lower-case words"),
        (with_menu(), "declares no menu"),
        (with_menu(PORTS, PORTS), "two menus are called 'ports'"),
        (with_menu(replace(PORTS, path="port")), "has to look like"),
        (with_menu(replace(PORTS, fields=())), "reads no field"),
        (with_menu(replace(PORTS, max_rows=0)), "caps"),
        (with_menu(replace(PORTS, transform=lambda rows: rows)), "`reads`"),
        (with_menu(replace(PORTS, fields=(FLAPS, replace(FLAPS, key="port.falls_total")))), "declared twice"),
        (with_menu(replace(PORTS, fields=columns("name"))), "has counters, gauges and states only"),
        (with_menu(replace(TABLE, fields=(FLAPS,))), "has columns only"),
        (with_menu(replace(TABLE, table="")), "table ''"),
        (with_menu(replace(NOTE, labels=Labels())), "labels are taught"),
        (
            with_menu(replace(SESSIONS, fields=(*SESSIONS.fields, replace(SESSIONS.fields[0], field="b")))),
            "one gauge",
        ),
        (with_menu(replace(PORTS, row_key="")), "go together"),
        (with_menu(replace(PORTS, scope="")), "go together"),
        (with_menu(replace(PORTS, sparse=True)), "sparse"),
        (with_menu(SPEEDS), "numbers_of"),
        (with_menu(replace(SPEEDS, numbers_of="speeds")), "numbers_of"),
        (with_menu(replace(TABLE), replace(SPEEDS, arguments=())), "/port/monitor never ends by itself"),
        (
            with_menu(replace(PORTS, reads=("a",), join=lambda rows, _: rows, companions=(ENDLESS,))),
            "/port/monitor-traffic never ends by itself",
        ),
        (with_menu(replace(PORTS, requires="ups")), "requires='ups' has no Probe"),
        (replace(PORTS_EGG, probes=()), "menu sessions: requires='sessions' has no Probe"),
        (
            with_menu(replace(PORTS, reads=("a",), join=lambda rows, _: rows, companions=(NEEDY,))),
            "menu ports: requires='ups' has no Probe",
        ),
        (with_menu(replace(TABLE, scope="")), "labels are those of a scope"),
        (
            with_menu(TABLE, replace(TABLE, name="again", labels=Labels(name="title"))),
            "has other labels in menu table",
        ),
        (with_menu(replace(PORTS, instead_of="others")), "instead_of"),
        (with_menu(replace(PORTS, instead_of="ports")), "instead_of"),
        (with_field(replace(FLAPS, key="Port.Flaps_total")), "isn't a key"),
        (with_field(replace(FLAPS, key="link.flaps_total")), "doesn't start with its scope"),
        (with_field(replace(FLAPS, since="0.1")), "number of a catalogue"),
        (with_field(replace(FLAPS, description=" ")), "no description"),
        (with_field(replace(FLAPS, key="port.flaps")), "_total"),
        (with_field(replace(BYTES, key="port.rx_octets_total")), "has to end in _bytes"),
        (with_field(replace(BYTES, rate=replace(RATE, scale=1.0))), "scale 8"),
        (
            with_field(replace(BYTES, rate=replace(RATE, unit=Unit.PACKETS_PER_SECOND, key="port.pps"))),
            "is bits_per_second",
        ),
        (
            with_field(replace(FLAPS, unit=Unit.COUNT, rate=replace(RATE, bounded_by_link=False))),
            "no rate of",
        ),
        (with_field(replace(LINK, states={})), "no states"),
        (with_field(replace(LINK, states={"up": 1, "down": 1})), "one number"),
        (with_field(replace(LINK, states={"up": 1, "dead": 0})), "isn't a state"),
    ],
)
def test_what_is_wrong_is_told(collector: Collector, problem: str) -> None:
    problems = problems_of(collector)
    assert any(problem in told for told in problems), problems


def test_all_problems_are_told_at_once() -> None:
    broken = Counter(field="x", key="X", unit=Unit.BYTES, description="", since="one")
    assert len(problems_of(with_field(broken))) >= 4
