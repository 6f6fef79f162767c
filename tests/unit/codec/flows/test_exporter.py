"""What is remembered of an exporter: templates, what waits for one, sampling."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows import Exporter, Learned, Limits, Template
from tests.unit.codec.flows import kit

OCTETS = ((1, 4),)


def octets(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def read(exporter: Exporter) -> list[int]:
    return [int(one) for flows in exporter.take() for one in flows.columns["octets"]]


def templates(exporter: Exporter) -> list[Template]:
    return [template for learned in exporter.learned() for template in learned.templates]


def test_records_wait_for_their_template() -> None:
    exporter = Exporter()
    exporter.feed(kit.v9(kit.set_of(256, octets(1, 2)), sequence=1), 11)
    exporter.feed(kit.v9(kit.set_of(256, octets(3)), sequence=2, source=7), 12)
    assert exporter.take() == []
    exporter.feed(kit.v9(kit.set_of(0, kit.template(256, *OCTETS)), sequence=3), 13)
    (flows,) = exporter.take()
    assert [int(one) for one in flows.columns["octets"]] == [1, 2]
    assert list(flows.received_us) == [11, 11], "they came when they came"
    assert exporter.counts.held == 2
    exporter.feed(kit.v9(kit.set_of(0, kit.template(256, *OCTETS)), sequence=3, source=7), 14)
    assert read(exporter) == [3], "templates are of one domain"


def test_what_waits_is_bounded_and_counted() -> None:
    exporter = Exporter(Limits(held_bytes=2 * (40 + 256)))
    for number in range(10):
        exporter.feed(kit.v9(kit.set_of(256, octets(*[number] * 10)), sequence=number), 1)
    assert exporter.counts.held_dropped == 8
    exporter.feed(kit.v9(kit.set_of(0, kit.template(256, *OCTETS)), sequence=10), 1)
    assert read(exporter) == [8] * 10 + [9] * 10


def test_sets_without_a_byte_are_bounded_as_well() -> None:
    exporter = Exporter(Limits(held_bytes=256 * 10))
    for number in range(100):
        exporter.feed(kit.v9(*[kit.set_of(300)] * 50, sequence=number), 1)
    assert exporter.counts.held == 5000
    assert exporter.counts.held_dropped == 4990


def test_a_template_that_changes_is_good_for_what_comes_after_it() -> None:
    exporter = Exporter()
    exporter.feed(kit.v9(kit.set_of(0, kit.template(256, (1, 4))), kit.set_of(256, octets(1))), 1)
    exporter.feed(
        kit.v9(kit.set_of(0, kit.template(256, (1, 2))), kit.set_of(256, b"\x00\x02"), sequence=1), 1
    )
    assert sorted(read(exporter)) == [1, 2]
    assert exporter.counts.templates == 2


def test_a_template_that_is_sent_again_is_not_new() -> None:
    exporter = Exporter()
    for number in range(5):
        exporter.feed(
            kit.v9(
                kit.set_of(0, kit.template(256, *OCTETS)), kit.set_of(256, octets(number)), sequence=number
            ),
            1,
        )
    (flows,) = exporter.take()
    assert flows.count == 5, "all are read in one go"
    assert exporter.counts.templates == 1


def test_templates_are_known_after_a_restart() -> None:
    before = Exporter()
    before.feed(kit.ipfix(kit.set_of(2, kit.template(256, (1, 4), (82, 0xFFFF), (5, 1, 14988))), domain=3), 1)
    after = Exporter()
    after.remember(before.learned())
    row = octets(9) + kit.variable(b"ether1") + b"\x00"
    after.feed(kit.ipfix(kit.set_of(256, row), domain=3), 1)
    assert read(after) == [9]
    assert after.learned() == before.learned()


def test_an_exporter_that_begins_anew_has_other_templates() -> None:
    """Numbers of templates that it had before may mean something else."""
    template = kit.set_of(0, kit.template(256, *OCTETS))
    exporter = Exporter()
    exporter.feed(kit.v9(template, uptime_ms=900_000, seconds=1_700_000_900, sequence=70), 1)
    exporter.feed(
        kit.v9(kit.set_of(256, octets(1)), uptime_ms=901_900, seconds=1_700_000_901, sequence=71), 1
    )
    assert read(exporter) == [1]
    exporter.feed(kit.v9(kit.set_of(256, octets(2)), uptime_ms=5_000, seconds=1_700_001_000, sequence=0), 1)
    assert read(exporter) == []
    assert exporter.counts.restarts == 1
    exporter.feed(kit.v9(template, uptime_ms=6_000, seconds=1_700_001_001, sequence=1), 1)
    assert read(exporter) == [2]
    # One that was started while nobody listened.
    after = Exporter()
    after.remember(exporter.learned())
    after.feed(kit.v9(kit.set_of(256, octets(3)), uptime_ms=5_000, seconds=1_700_009_000), 1)
    assert read(after) == []
    # Uptime of 32 bits that begins again is no start.
    wrapping = Exporter()
    wrapping.feed(kit.v9(template, uptime_ms=2**32 - 1000, seconds=1_700_000_000), 1)
    wrapping.feed(kit.v9(kit.set_of(256, octets(4)), uptime_ms=1000, seconds=1_700_000_002, sequence=1), 1)
    # Nor is a clock that was set, which a router does after each start.
    wrapping.feed(kit.v9(kit.set_of(256, octets(5)), uptime_ms=3000, seconds=1_800_000_000, sequence=2), 1)
    assert read(wrapping) == [4, 5]
    assert wrapping.counts.restarts == 0


def test_an_exporter_of_ipfix_that_begins_anew_counts_from_the_beginning() -> None:
    template = kit.set_of(2, kit.template(256, *OCTETS))
    exporter = Exporter()
    exporter.feed(kit.ipfix(template, sequence=5_000), 1)
    exporter.feed(kit.ipfix(kit.set_of(256, octets(1)), sequence=5_002), 1)
    exporter.feed(kit.ipfix(kit.set_of(256, octets(2)), sequence=5_001), 1)  # late
    assert read(exporter) == [1, 2]
    booted_s = 1_700_000_050
    exporter.feed(kit.ipfix(kit.set_of(256, octets(3)), sequence=0, seconds=booted_s), 1)
    assert read(exporter) == []
    exporter.feed(kit.ipfix(template, sequence=1, seconds=booted_s), 1)
    assert read(exporter) == [3]
    assert exporter.counts.restarts == 1


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[int, int, list[int]]:
    """How a stream comes: its first number, messages a second, and the places of messages, each a little late or twice."""
    count = draw(st.integers(2, 120))
    delays = draw(st.lists(st.integers(0, 12), min_size=count, max_size=count))
    again = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, 60)), max_size=30))
    arrivals = [(2 * (place + late), place) for place, late in enumerate(delays)]
    arrivals += [(2 * (place + delays[place] + late) + 1, place) for place, late in again]
    begin = draw(st.sampled_from([0, 1, 5000, 2**32 - 300]))
    return begin, draw(st.integers(1, 50)), [place for _, place in sorted(arrivals)]


@given(st.sampled_from(["ipfix", "netflow9", "netflow5", "messages"]), st.integers(0, 1), deliveries())
def test_what_is_overtaken_or_comes_twice_drops_no_template_and_is_no_loss(
    form: str, port: int, delivery: tuple[int, int, list[int]]
) -> None:
    """``messages``: of IPFIX that numbers these where it should number records."""
    begin, a_second, places = delivery
    exporter = Exporter()
    template = kit.set_of(0 if form == "netflow9" else 2, kit.template(256, *OCTETS))
    number, sent = begin, []
    for place in range(max(places) + 1):
        values, seconds = range(place * 10, place * 10 + 1 + place % 7), 1_700_000_000 + place // a_second
        told, uptime_ms = [kit.set_of(256, octets(*values))], 100_000 + place * 1000 // a_second % 4000
        if place % 20 == 0:
            told.insert(0, template)
        if form == "netflow5":
            rows = [kit.v5_record("10.0.0.1", "10.0.0.2", value) for value in values]
            sent.append(kit.v5(*rows, uptime_ms=uptime_ms, seconds=seconds, sequence=number % 2**32))
        elif form == "netflow9":
            sent.append(kit.v9(*told, uptime_ms=uptime_ms, seconds=seconds, sequence=number % 2**32))
        else:
            sent.append(kit.ipfix(*told, seconds=seconds, sequence=number % 2**32))
        number += len(values) if form in ("ipfix", "netflow5") else 1
    for place in (0, *places):  # the first one, so that it is known what is missing
        exporter.feed(sent[place], 1_700_000_000_000_000 + place, 2055 * port)
    assert exporter.counts.restarts == 0
    assert exporter.counts.held == 0
    assert len(read(exporter)) == sum(1 + place % 7 for place in (0, *places))
    if form != "messages":
        assert exporter.lost() == 0


def test_versions_of_one_address_have_domains_of_their_own() -> None:
    """A router that goes over from v9 to IPFIX sends both for a while; numbers of templates are the same."""
    exporter = Exporter()
    for turn in range(20):
        seconds, uptime_ms = 1_700_000_000 + turn, 900_000 + 1000 * turn
        of_v9 = [kit.set_of(0, kit.template(256, *OCTETS))] * (turn == 0) + [kit.set_of(256, octets(9))]
        of_ipfix = [kit.set_of(2, kit.template(256, (2, 4), (1, 4)))] * (turn == 0) + [
            kit.set_of(256, octets(1, 10))
        ]
        for datagram in (
            kit.v9(*of_v9, seconds=seconds, uptime_ms=uptime_ms, sequence=70_000 + turn),
            kit.ipfix(*of_ipfix, seconds=seconds, sequence=turn),
            kit.v5(
                kit.v5_record("10.0.0.1", "10.0.0.2", 5),
                seconds=seconds,
                uptime_ms=uptime_ms,
                sequence=5_000_000 + turn,
            ),
        ):
            exporter.feed(datagram, seconds * 1_000_000, 2055)
    counts = exporter.counts
    assert (counts.restarts, counts.template_conflicts, counts.held, exporter.lost()) == (0, 0, 0, 0)
    found = {flows.form: flows.columns["octets"].tolist() for flows in exporter.take()}
    assert found == {"netflow9": [9] * 20, "ipfix": [10] * 20, "netflow5": [5] * 20}
    assert [(one.version, one.domain, len(one.templates)) for one in exporter.learned()] == [
        (9, 0, 1),
        (10, 0, 1),
    ]


def test_domains_that_are_remembered_are_bounded_and_those_heard_last_stay() -> None:
    exporter = Exporter(Limits(domains=3))
    exporter.remember([Learned(number, (), heard_us=100 - number) for number in range(5)])
    assert [one.domain for one in exporter.learned()] == [0, 1, 2]
    assert exporter.counts.domains_dropped == 2


def test_a_template_that_is_withdrawn_is_forgotten() -> None:
    exporter = Exporter()
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(256, *OCTETS), kit.template(257, *OCTETS))), 1)
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(256))), 1)
    assert [template.number for template in templates(exporter)] == [257]
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(2))), 1)
    assert templates(exporter) == []
    assert not exporter.counts.malformed


def test_templates_and_domains_are_bounded() -> None:
    exporter = Exporter(Limits(domains=3, templates=4))
    for number in range(10):
        exporter.feed(kit.v9(kit.set_of(0, kit.template(256 + number, *OCTETS)), sequence=number), 1)
        exporter.feed(kit.v9(kit.set_of(0, kit.template(256, *OCTETS)), source=number), 1)
    assert len(templates(exporter)) <= 3 * 4
    assert exporter.counts.templates_dropped
    assert exporter.counts.domains_dropped


def test_sampling_by_options_of_version_9_and_after_a_restart() -> None:
    exporter = Exporter()
    exporter.feed(
        kit.v9(
            kit.set_of(1, kit.v9_options_template(300, [(1, 4)], [(34, 4), (35, 1)])),
            kit.set_of(300, struct.pack(">IIB", 0, 512, 1)),
            kit.set_of(0, kit.template(256, *OCTETS)),
            kit.set_of(256, octets(1, 2)),
        ),
        1,
    )
    (flows,) = exporter.take()
    assert list(flows.sampling) == [512, 512]
    assert flows.form == "netflow9"
    after = Exporter()
    after.remember(exporter.learned())
    after.feed(kit.v9(kit.set_of(256, octets(3))), 1)
    assert after.waiting == 1
    (flows,) = after.take()
    assert list(flows.sampling) == [512]
    assert after.waiting == 0


def test_the_scope_of_options_is_no_element() -> None:
    """Scope 2 is an interface; element 2 counts packets."""
    exporter = Exporter()
    exporter.feed(kit.v9(kit.set_of(1, kit.v9_options_template(300, [(2, 4)], [(34, 4)]))), 1)
    (template,) = templates(exporter)
    assert [(field.element, bool(field.enterprise)) for field in template.fields] == [(2, True), (34, False)]


def test_sampling_by_sampler_and_by_the_record_itself() -> None:
    exporter = Exporter()
    samplers = struct.pack(">IBI", 0, 1, 100) + struct.pack(">IBI", 0, 2, 2_000)
    exporter.feed(
        kit.v9(
            kit.set_of(1, kit.v9_options_template(300, [(1, 4)], [(48, 1), (50, 4)])),
            kit.set_of(300, samplers),
            kit.set_of(0, kit.template(256, (1, 4), (48, 1)), kit.template(257, (1, 4), (34, 4))),
            kit.set_of(256, octets(1) + b"\x02", octets(2) + b"\x01", octets(3) + b"\x09"),
            kit.set_of(257, octets(1, 7), octets(2, 0)),
        ),
        1,
    )
    by_sampler, by_record = exporter.take()
    assert list(by_sampler.sampling) == [2_000, 100, 0], "of a sampler that nobody told of, nothing is known"
    assert list(by_record.sampling) == [7, 0]


def test_sampling_by_ipfix() -> None:
    exporter = Exporter()
    exporter.feed(
        kit.ipfix(
            kit.set_of(3, kit.options_template(300, [(149, 4)], [(305, 4), (306, 4)])),
            kit.set_of(300, struct.pack(">III", 1, 1, 99)),
            kit.set_of(2, kit.template(256, *OCTETS)),
            kit.set_of(256, octets(1)),
        ),
        1,
    )
    (flows,) = exporter.take()
    assert list(flows.sampling) == [100]


def test_who_doesnt_tell_of_sampling_has_none() -> None:
    exporter = Exporter()
    exporter.feed(kit.v9(kit.set_of(0, kit.template(256, *OCTETS)), kit.set_of(256, octets(1))), 1)
    (flows,) = exporter.take()
    assert list(flows.sampling) == [0]


def test_what_never_came_is_known_by_the_exporters_numbers() -> None:
    exporter = Exporter()
    exporter.feed(kit.v9(kit.set_of(0, kit.template(256, *OCTETS)), sequence=10), 1)
    exporter.feed(kit.v9(kit.set_of(256, octets(1)), sequence=14), 1)
    assert exporter.lost() == 3
    ipfix = Exporter()
    ipfix.feed(
        kit.ipfix(kit.set_of(2, kit.template(256, *OCTETS)), kit.set_of(256, octets(1, 2)), sequence=10), 1
    )
    ipfix.feed(kit.ipfix(kit.set_of(256, octets(3)), sequence=12), 1)
    ipfix.feed(kit.ipfix(kit.set_of(256, octets(4)), sequence=20), 1)
    assert ipfix.lost() == 7


def test_fields_of_all_templates_are_bounded_and_the_oldest_give_way() -> None:
    exporter = Exporter(Limits(fields=100))
    for source in range(3):
        for number in range(256, 260):
            wide = kit.template(number, *[(element, 4) for element in range(1, 21)])
            exporter.feed(kit.v9(kit.set_of(0, wide), sequence=number, source=source), 1)
    assert {one.domain: [template.number for template in one.templates] for one in exporter.learned()} == {
        0: [],
        1: [259],
        2: [256, 257, 258, 259],
    }
    assert exporter.counts.templates_dropped == 7
    # What is withdrawn, replaced or forgotten makes room again.
    for _ in range(3):
        exporter.feed(kit.v9(kit.set_of(0, kit.template(259, *OCTETS)), sequence=260, source=2), 1)
        exporter.feed(kit.v9(kit.set_of(0, kit.template(259, (1, 2))), sequence=261, source=2), 1)
    assert exporter.counts.templates_dropped == 7
    exporter.feed(kit.v9(uptime_ms=1, sequence=0, source=2), 1)
    assert sum(len(one.templates) for one in exporter.learned()) == 1


def test_templates_that_nothing_waits_for_release_nothing() -> None:
    exporter = Exporter(Limits(held_bytes=3 * (4 + 256)))
    for number in (300, 301, 300, 302):
        exporter.feed(kit.v9(kit.set_of(number, octets(number)), sequence=number), 1)
    assert exporter.counts.held_dropped == 1
    for number in (303, 301, 300, 302):
        exporter.feed(kit.v9(kit.set_of(0, kit.template(number, *OCTETS)), sequence=number), 1)
    assert sorted(read(exporter)) == [300, 301, 302]
