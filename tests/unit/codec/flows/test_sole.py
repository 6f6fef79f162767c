"""Datagrams that go on where the last one ended are taken at a glance: it makes no difference to reading them in full."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.codec.flows import Exporter, Flows, Limits
from mtd.codec.flows.sole import sole_set
from mtd.testing.flows.prepared import FORMS, prepare
from tests.unit.codec.flows import kit

SECONDS, UPTIME_MS = 1_700_000_000, 100_000
# By number: with a gap, a field of odd length at either end, such as are skipped, and a sampler.
LAYOUTS: dict[int, tuple[tuple[int, ...], ...]] = {
    256: ((1, 4), (2, 4), (22, 4), (21, 4)),
    257: ((56, 6), (8, 4), (12, 4), (80, 6)),
    258: ((10, 3), (1, 5)),
    259: ((1, 4), (48, 1), (34, 2)),
}
VARIABLE = ((1, 4), (82, 0xFFFF))
TEMPLATES = {
    version: kit.set_of(number, *(kit.template(one, *layout) for one, layout in LAYOUTS.items()))
    for version, number in ((9, 0), (10, 2))
}
OPTIONS = kit.set_of(3, kit.options_template(300, [(149, 4)], [(34, 4)]))


class InFull(Exporter):
    """Takes nothing at a glance."""

    def _goes_on(self, *_: Any) -> bool:
        return False


class Counting(Exporter):
    """Counts what it takes at a glance."""

    went_on = 0

    def _goes_on(self, *arguments: Any) -> bool:
        found = super()._goes_on(*arguments)
        self.went_on += found
        return found


def told(flows: list[Flows]) -> list[Any]:
    return [
        (
            one.form,
            one.domain,
            one.count,
            list(one.exported_ms),
            list(one.received_us),
            list(one.sampling),
            {name: (column.dtype, column.tolist()) for name, column in one.columns.items()},
        )
        for one in flows
    ]


def state(exporter: Exporter) -> Any:
    return exporter.counts, exporter.waiting, exporter.lost(), exporter.learned(), exporter.held_sets


numbers = st.integers(0, 2**32 - 1)
few = st.sampled_from([0] * 12 + [1, 2, 7, -1, -3, 1 << 21])


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[bytes, int] | None]:
    """Messages of a few domains with their ports, that mostly follow each other; None: what waits is taken."""
    mostly = draw(st.sampled_from([5, 9, 10]))
    following: dict[int, int] = {}
    uptime_ms, seconds = UPTIME_MS, SECONDS
    found: list[tuple[bytes, int] | None] = [(kit.v9(TEMPLATES[9]), 0), (kit.ipfix(TEMPLATES[10]), 0)]
    if draw(st.booleans()):
        found.append((kit.ipfix(OPTIONS), 0))
    for _ in range(draw(st.integers(1, 30))):
        if draw(st.integers(0, 11)) == 0:
            found.append(None)
        version, domain = (
            draw(st.sampled_from([mostly] * 7 + [5, 9, 10])),
            draw(st.sampled_from([0] * 7 + [258])),
        )
        port = draw(st.sampled_from([0] * 7 + [2055]))
        uptime_ms = max(0, uptime_ms + draw(st.sampled_from([0, 20, 20, 1000, 1000, -100, -20_000])))
        seconds += draw(st.sampled_from([0, 0, 0, 1, 60]))
        sequence = (following.get(domain, 0) + draw(few)) % 2**32
        datagram, units = draw(messages(version, sequence, domain, uptime_ms, seconds))
        following[domain] = sequence + units
        cut = draw(st.sampled_from([None] * 19 + [-1]))
        found.append((datagram[:cut] + bytes(draw(st.sampled_from([0] * 19 + [3]))), port))
    return found


@st.composite
def messages(
    draw: st.DrawFn, version: int, sequence: int, domain: int, uptime_ms: int, seconds: int
) -> tuple[bytes, int]:
    """Return a message, and by how much numbers of the next one are higher."""
    if version == 5:
        rows = [kit.v5_record("10.0.0.1", "10.0.0.2", draw(numbers)) for _ in range(draw(st.integers(0, 4)))]
        made = kit.v5(*rows, uptime_ms=uptime_ms, seconds=seconds, sequence=sequence, sampling=draw(few) & 7)
        return made[:20] + struct.pack(">H", domain) + made[22:], len(rows)
    sets, records = [], 0
    for _ in range(draw(st.sampled_from([1] * 7 + [2]))):
        number = draw(st.sampled_from([256, 256, 257, 258, 259, 300]))
        kind = draw(st.sampled_from(["data"] * 12 + ["template", "variable", "options"]))
        if kind == "data":
            size = sum(length for _, length in LAYOUTS.get(number, ((1, 4),)))
            count = draw(st.integers(0, 4))
            records += count
            body = draw(st.binary(min_size=count * size, max_size=count * size))
            sets.append(kit.set_of(number, body, pad=draw(st.sampled_from([0, 0, 0, 1, 3]))))
        elif kind == "options":
            tell = kit.v9_options_template if version == 9 else kit.options_template
            sets.append(kit.set_of(1 if version == 9 else 3, tell(300, [(1, 4)], [(34, 4)])))
        else:
            layout = VARIABLE if kind == "variable" and version == 10 else LAYOUTS.get(number, ((1, 4),))
            sets.append(kit.set_of(0 if version == 9 else 2, kit.template(number, *layout)))
    if version == 9:
        return kit.v9(*sets, uptime_ms=uptime_ms, seconds=seconds, sequence=sequence, source=domain), 1
    return kit.ipfix(*sets, seconds=seconds, sequence=sequence, domain=domain), records


@settings(max_examples=100)
@given(streams())
def test_a_stream_is_read_alike_at_a_glance_and_in_full(stream: list[tuple[bytes, int] | None]) -> None:
    one, other = Exporter(Limits(held_bytes=2000)), InFull(Limits(held_bytes=2000))
    for number, sent in enumerate([*stream, None]):
        if sent is None:
            assert told(one.take()) == told(other.take())
        else:
            for exporter in (one, other):
                exporter.feed(sent[0], 1_000_000 * number, sent[1])
            assert (one.waiting, one.lost()) == (other.waiting, other.lost())
    assert state(one) == state(other)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_nearly_all_that_a_router_sends_is_taken_at_a_glance(form: str) -> None:
    prepared = prepare(form, 2, 500, key=1)
    one, other = Counting(), InFull()
    for number, datagram in enumerate(prepared.datagrams):
        for exporter in (one, other):
            exporter.feed(datagram, number, 40_000)
    assert told(one.take()) == told(other.take())
    assert state(one) == state(other)
    templates = sum(sole_set(datagram) is None for datagram in prepared.datagrams)
    assert one.went_on >= len(prepared.datagrams) - 2 * templates - 1, "one behind each that isn't, at most"
    assert one.counts.restarts == one.lost() == 0


def test_what_is_missing_is_seen_though_all_others_are_taken_at_a_glance() -> None:
    rows = [kit.v5_record("10.0.0.1", "10.0.0.2", number) for number in range(30)]
    datagrams = [kit.v5(*rows, sequence=30 * number) for number in range(200)]
    exporter = Counting()
    for number, datagram in enumerate(datagrams):
        if number not in (50, 51, 120):
            exporter.feed(datagram, number)
    assert exporter.lost() == 90
    assert exporter.went_on == 200 - 3 - 3
    exporter.feed(datagrams[120], 200)
    assert exporter.lost() == 60, "it was only late"
    (flows,) = exporter.take()
    assert flows.count == 198 * 30
    assert list(flows.received_us[-60:]) == [199] * 30 + [200] * 30


@given(st.binary(max_size=60) | st.builds(lambda head, rest: b"\0" + head + rest, st.sampled_from([b"\5", b"\t", b"\n"]), st.binary(max_size=60)))  # fmt: skip
def test_whatever_is_sent_is_seen_through_or_left(datagram: bytes) -> None:
    one, other = Exporter(), InFull()
    for exporter in (one, other):
        exporter.feed(datagram, 1)
        exporter.feed(datagram, 2)
    assert told(one.take()) == told(other.take())
    assert state(one) == state(other)
