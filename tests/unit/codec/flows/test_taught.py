"""Who sends in the name of an exporter from another port doesn't change how that one's records are read."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows import Exporter, Limits
from mtd.codec.flows.taught import Taught
from mtd.codec.flows.templates import Field, Template
from tests.unit.codec.flows import kit

TRUE, FORGED = ((1, 4), (2, 4)), ((2, 4), (1, 4))
"""Octets and packets, and the other way round."""
REAL, FORGER = 2055, 40_000
SECOND = 1_000_000
MINUTE = 60 * SECOND


class Net:
    """An exporter and whoever sends in its name, in one form of flows."""

    def __init__(self, form: str = "netflow9", limits: Limits | None = None) -> None:
        self.form = form
        self.exporter = Exporter(limits)
        self.now_us = 1_700_000_000_000_000
        self.sent: dict[int, int] = {}

    def send(self, port: int, *sets: bytes, uptime_ms: int = 10_000_000, sequence: int | None = None) -> None:
        number = self.sent.get(port, port) if sequence is None else sequence
        self.now_us += 1000
        if self.form == "netflow9":
            datagram = kit.v9(*sets, uptime_ms=uptime_ms, sequence=number)
            self.sent[port] = number + 1
        else:
            datagram = kit.ipfix(*sets, sequence=number)
            records = sum(len(one) // 8 for one in sets if one[:2] == b"\1\0")
            self.sent[port] = number + records
        self.exporter.feed(datagram, self.now_us, port)

    def teach(self, port: int, layout: tuple[tuple[int, int], ...] = TRUE, number: int = 256) -> None:
        self.send(port, self.template(layout, number))

    def template(self, layout: tuple[tuple[int, int], ...], number: int = 256) -> bytes:
        return kit.set_of(0 if self.form == "netflow9" else 2, kit.template(number, *layout))

    def read(self) -> list[tuple[int, int]]:
        """Return octets and packets of all that was read."""
        return [
            (int(octets), int(packets))
            for flows in self.exporter.take()
            for octets, packets in zip(flows.columns["octets"], flows.columns["packets"], strict=True)
        ]


def records(*pairs: tuple[int, int]) -> bytes:
    return kit.set_of(256, b"".join(struct.pack(">II", *pair) for pair in pairs))


both_forms = pytest.mark.parametrize("form", ["netflow9", "ipfix"])


@both_forms
def test_a_forged_template_does_not_change_how_the_exporter_is_read(form: str) -> None:
    net = Net(form)
    net.teach(REAL)
    net.teach(FORGER, FORGED)
    net.send(REAL, records((900, 7)))
    net.send(FORGER, records((7, 900)))
    net.send(REAL, records((800, 6)))
    assert sorted(net.read()) == [(800, 6), (900, 7), (900, 7)]
    assert net.exporter.counts.template_conflicts == 1
    net.teach(FORGER, FORGED)
    assert net.exporter.counts.template_conflicts == 1, "it says the same"


@both_forms
def test_a_template_that_was_forged_first_holds_until_the_exporter_says_better(form: str) -> None:
    net = Net(form)
    net.teach(FORGER, FORGED)
    net.teach(REAL)
    net.send(REAL, records((900, 7)))
    assert net.read() == [(900, 7)]
    assert net.exporter.counts.template_conflicts == 1


def test_who_says_the_same_first_can_not_change_it_later() -> None:
    net = Net()
    net.teach(FORGER)
    for _ in range(3):
        net.teach(REAL)
        net.teach(FORGER, FORGED)
        net.send(REAL, records((900, 7)))
        net.teach(FORGER)
        net.send(REAL, records((900, 7)))
    assert net.read() == [(900, 7)] * 6


def test_a_forged_start_does_not_take_templates_away() -> None:
    net = Net()
    net.teach(REAL)
    for _ in range(3):
        net.send(FORGER, net.template(FORGED), uptime_ms=1000)
        net.send(REAL, records((900, 7)))
    assert net.read() == [(900, 7)] * 3
    assert net.exporter.counts.held == 0


def test_forged_numbers_do_not_let_an_exporter_begin_anew() -> None:
    net = Net("ipfix")
    net.teach(REAL)
    net.send(REAL, records((900, 7)))
    for _ in range(3):
        net.send(FORGER, sequence=1 << 31)
        net.send(REAL, records((900, 7)))
    assert net.read() == [(900, 7)] * 4
    assert net.exporter.counts.held == 0


@both_forms
def test_an_exporter_that_goes_on_from_another_port_is_read(form: str) -> None:
    net = Net(form)
    net.teach(REAL)
    net.sent[2056] = net.sent[REAL]
    net.send(2056, records((1, 1)))
    net.teach(2056, FORGED)  # with other settings
    net.send(2056, records((7, 900)))
    net.now_us += 2 * MINUTE
    net.teach(2056, FORGED)
    net.send(2057, records((6, 800)))
    assert sorted(net.read()) == [(1, 1), (800, 6), (900, 7)]


def test_an_exporter_that_sends_from_many_ports_is_read_by_its_newest_templates() -> None:
    net = Net()
    for port in range(3000, 3200):
        net.now_us += MINUTE
        net.teach(port, TRUE if port < 3100 else FORGED)
        net.send(port + 1000, records((900, 7) if port < 3100 else (7, 900)))
    assert set(net.read()) == {(900, 7)}
    assert net.exporter.counts.template_conflicts == 1
    assert net.exporter.counts.templates_dropped <= 64, "what silent ports had taught is no loss"


def test_two_routers_behind_one_address_keep_their_layouts() -> None:
    net = Net()
    for _ in range(5):
        for port, layout, pair in ((5000, TRUE, (900, 7)), (5001, FORGED, (7, 900))):
            net.teach(port, layout)
            net.send(port, records(pair))
    assert net.read() == [(900, 7)] * 10
    assert net.exporter.counts.template_conflicts == 1


def test_an_exporter_that_is_started_again_is_not_read_by_what_it_taught_before() -> None:
    for port in (REAL, 2056):  # many have another port then
        net = Net()
        net.teach(REAL)
        net.teach(FORGER, FORGED)
        net.now_us += MINUTE // 2
        net.send(port, records((7, 900)), uptime_ms=1000)
        assert net.read() == []
        net.send(port, net.template(FORGED), uptime_ms=1100)
        assert net.read() == [(900, 7)]
        assert net.exporter.counts.restarts == 1


def test_who_forges_can_not_withdraw_what_others_taught() -> None:
    net = Net("ipfix")
    net.teach(REAL)
    for number in (256, 2):
        net.send(FORGER, kit.set_of(2, struct.pack(">HH", number, 0)))
    net.send(REAL, records((900, 7)))
    assert net.read() == [(900, 7)]
    net.send(REAL, kit.set_of(2, struct.pack(">HH", 256, 0)))
    net.send(REAL, records((900, 7)))
    assert net.read() == []


def test_ports_that_teach_are_bounded_and_who_sends_stays() -> None:
    net = Net(limits=Limits(fields=400))
    net.teach(REAL)
    for port in range(10_000, 12_000):
        net.teach(port, FORGED)
        net.teach(port, ((1, 4), (2, 4), (4, 1)), port)
        net.send(REAL, records((900, 7)))
    assert set(net.read()) == {(900, 7)}
    (domain,) = net.exporter._domains.values()
    assert net.exporter._fields == domain.templates.fields <= 400
    assert len(domain.templates._senders) <= 1024
    assert net.exporter.counts.templates_dropped > 1000
    assert net.exporter.counts.template_conflicts == 2000


def test_what_the_port_taught_that_was_heard_last_is_remembered() -> None:
    net = Net()
    net.teach(FORGER, FORGED)
    net.teach(REAL)
    net.send(REAL, records((900, 7)))
    (learned,) = net.exporter.learned()
    again = Net()
    again.exporter.remember([learned])
    again.send(REAL, records((900, 7)))
    assert again.read() == [(900, 7)]


def restarted(net: Net) -> Net:
    """Return the same exporter and senders with mtd started again."""
    again = Net(net.form)
    again.exporter.remember(net.exporter.learned())
    again.now_us, again.sent = net.now_us, net.sent
    return again


@both_forms
def test_after_a_restart_of_mtd_as_before_nobody_else_changes_how_the_exporter_is_read(form: str) -> None:
    net = Net(form)
    net.teach(REAL)
    net.send(REAL, records((900, 7)))
    net = restarted(net)
    for uptime_ms in (1000, 1 << 31):
        net.send(FORGER, net.template(FORGED), uptime_ms=uptime_ms, sequence=1 << 31)
        net.send(FORGER, records((7, 900)), uptime_ms=uptime_ms + 1)
        net.send(REAL, records((900, 7)))
        net.send(FORGER, kit.set_of(2, struct.pack(">HH", 256, 0)) * (form == "ipfix"), uptime_ms=1000)
        net.send(REAL, records((800, 6)))
    assert net.read().count((900, 7)) >= 2
    assert net.exporter.counts.held == 0


@both_forms
def test_what_another_port_taught_last_is_not_what_the_exporter_is_read_by_after_a_restart(form: str) -> None:
    net = Net(form)
    net.teach(REAL)
    net.teach(FORGER, FORGED)
    net.send(FORGER, records((7, 900)))
    net = restarted(net)
    net.send(REAL, records((900, 7)))
    net.send(FORGER, records((7, 900)))
    assert net.read() == [(900, 7)] * 2


@both_forms
def test_two_routers_behind_one_address_are_read_right_after_a_restart_of_mtd(form: str) -> None:
    net = Net(form)
    for _ in range(3):
        for port, layout, pair in ((5000, TRUE, (900, 7)), (5001, FORGED, (7, 900))):
            net.teach(port, layout)
            net.send(port, records(pair))
    net = restarted(net)
    for port, pair in ((5000, (900, 7)), (5001, (7, 900))):
        net.send(port, records(pair))
    assert net.read() == [(900, 7)] * 2
    assert restarted(net).exporter.learned() == net.exporter.learned()


def test_fields_are_counted_right_whatever_happens() -> None:
    taught = Taught()
    layouts = [Template(256, (Field(1, 4),) * (1 + number)) for number in range(4)]
    for turn in range(400):
        taught.learn(turn * 7 % 90, layouts[turn % 4], turn * SECOND)
        if turn % 50 == 49:
            taught.begin_anew(turn % 90, turn * SECOND)
        if turn % 30 == 29:
            taught.withdraw_all(turn % 90, options=False)
        own = [known for kept in taught._own.values() for known in kept.values()]
        kept = (*taught._common.values(), *own)
        assert taught.fields == sum(len(known.template.fields) for known in kept)
        assert len(own) == taught._owned <= 64
        assert {(one, port) for port, numbers in taught._numbers.items() for one in numbers} == set(
            taught._teachers.items()
        )


moves = st.lists(
    st.tuples(
        st.sampled_from(
            ("teach", "forge", "truth", "records", "forged records", "forged start", "withdraw", "wait")
        ),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(st.sampled_from(("netflow9", "ipfix")), moves)
def test_whatever_others_send_the_exporter_is_not_misread(form: str, moves: list[tuple[str, int]]) -> None:
    net = Net(form)
    net.teach(REAL)
    truly = 0
    for move, number in moves:
        forger = FORGER + number
        match move:
            case "teach":
                net.teach(REAL)
            case "forge":
                net.teach(forger, FORGED)
            case "truth":
                net.teach(forger)
            case "records":
                net.send(REAL, records((1000, 7)))
                truly += 1
            case "forged records":
                net.send(forger, records((3, 2)))
            case "forged start":
                net.send(forger, uptime_ms=1000 + number, sequence=number << 30)
            case "withdraw" if form == "ipfix":
                net.send(forger, kit.set_of(2, struct.pack(">HH", 256, 0)))
            case "wait":
                net.now_us += number * MINUTE
    net.teach(REAL)
    read = net.read()
    assert (7, 1000) not in read, "misread"
    assert read.count((1000, 7)) == truly


def test_all_can_be_withdrawn_again_and_again() -> None:
    net = Net("ipfix")
    for _ in range(3):
        net.teach(REAL)
        net.send(REAL, kit.set_of(2, struct.pack(">HH", 2, 0) * 1000))
        net.send(REAL, records((900, 7)))
    net.teach(REAL)
    assert net.exporter.counts.held == 3
    assert net.read() == [(900, 7)] * 3
