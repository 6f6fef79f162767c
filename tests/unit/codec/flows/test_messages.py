"""Messages as they are on the wire: what is in them, and what isn't."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows import Exporter, text_of
from tests.unit.codec.flows import kit

PLAIN = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4))


def plain(src: str, dst: str, octets: int) -> bytes:
    return kit.ip(src) + kit.ip(dst) + struct.pack(">HHBII", 1000, 53, 17, octets, 1)


def test_version_5_is_read_without_templates() -> None:
    exporter = Exporter()
    exporter.feed(kit.v5(kit.v5_record("10.0.0.1", "192.0.2.9", 4_000_000_000), sampling=0x4000 | 100), 77)
    (flows,) = exporter.take()
    found = flows.columns
    assert flows.count == 1
    assert (text_of(found["src_address"][0]), text_of(found["dst_address"][0])) == ("10.0.0.1", "192.0.2.9")
    assert (int(found["octets"][0]), int(found["src_port"][0]), int(found["dst_port"][0])) == (
        4_000_000_000,
        1234,
        443,
    )
    assert (int(found["in_interface"][0]), int(found["out_interface"][0])) == (3, 4)
    assert int(found["start_ms"][0]) == 1_700_000_000_500 - 10_000
    assert int(found["duration_ms"][0]) == 5_000
    assert list(flows.sampling) == [100]
    assert list(flows.received_us) == [77]


def test_templates_of_both_versions_are_read() -> None:
    for make, number in ((kit.v9, 0), (kit.ipfix, 2)):
        exporter = Exporter()
        rows = [plain("10.0.0.1", "10.0.0.2", 100), plain("10.0.0.3", "10.0.0.4", 200)]
        exporter.feed(make(kit.set_of(number, kit.template(256, *PLAIN)), kit.set_of(256, *rows, pad=3)), 1)
        (flows,) = exporter.take()
        assert [text_of(one) for one in flows.columns["src_address"]] == ["10.0.0.1", "10.0.0.3"]
        assert list(flows.columns["octets"]) == [100, 200]
        assert "tos" not in flows.columns, "what isn't told has no column"
        assert exporter.counts.records == 2
        assert not exporter.counts.malformed


def test_records_of_many_datagrams_are_read_together_each_with_its_own_times() -> None:
    exporter = Exporter()
    fields = ((8, 4), (22, 4), (21, 4))
    exporter.feed(kit.v9(kit.set_of(0, kit.template(300, *fields)), uptime_ms=5_000, seconds=1_000), 1)
    for number in range(3):
        row = kit.ip("10.0.0.1") + struct.pack(">II", 1_000, 3_500)
        exporter.feed(
            kit.v9(kit.set_of(300, row, row), uptime_ms=5_000, seconds=1_000 + number, sequence=number + 1),
            number,
        )
    (flows,) = exporter.take()
    assert list(flows.columns["end_ms"]) == [998_500, 998_500, 999_500, 999_500, 1_000_500, 1_000_500]
    assert list(flows.columns["duration_ms"]) == [2_500] * 6
    assert list(flows.received_us) == [0, 0, 1, 1, 2, 2]
    assert exporter.take() == []


def test_a_clock_of_the_exporter_that_wrapped_costs_nothing() -> None:
    exporter = Exporter()
    row = struct.pack(">II", 2**32 - 400, 100)
    exporter.feed(
        kit.v9(
            kit.set_of(0, kit.template(300, (22, 4), (21, 4))),
            kit.set_of(300, row),
            uptime_ms=600,
            seconds=50,
        ),
        1,
    )
    (flows,) = exporter.take()
    assert (int(flows.columns["start_ms"][0]), int(flows.columns["end_ms"][0])) == (49_000, 49_500)


def test_times_since_a_start_that_nobody_tells_are_no_times() -> None:
    """IPFIX of RouterOS: its messages have no uptime. How long a flow took is known, when is not."""
    exporter = Exporter()
    row = struct.pack(">II", 10_000, 12_000)
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(258, (22, 4), (21, 4))), kit.set_of(258, row)), 1)
    (flows,) = exporter.take()
    assert set(flows.columns) == {"duration_ms"}
    assert int(flows.columns["duration_ms"][0]) == 2_000


@pytest.mark.parametrize(
    ("elements", "values", "start_ms"),
    [
        (((150, 4), (151, 4)), (1_000, 1_003), 1_000_000),
        (((152, 8), (153, 8)), (1_000_250, 1_003_250), 1_000_250),
        (
            ((154, 8), (155, 8)),
            ((2_208_988_800 + 7) << 32 | 1 << 31, (2_208_988_800 + 10) << 32 | 1 << 31),
            7_500,
        ),
        (((158, 4), (159, 4)), (5_000_000, 2_000_000), 1_700_000_000_000 - 5_000),
    ],
)
def test_times_of_all_kinds(
    elements: tuple[tuple[int, int], ...], values: tuple[int, int], start_ms: int
) -> None:
    exporter = Exporter()
    row = b"".join(value.to_bytes(length, "big") for value, (_, length) in zip(values, elements, strict=True))
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(400, *elements)), kit.set_of(400, row)), 1)
    (flows,) = exporter.take()
    assert int(flows.columns["start_ms"][0]) == start_ms
    assert int(flows.columns["duration_ms"][0]) == 3_000


@given(st.integers(1, 8), st.integers(0, 2**64 - 1))
def test_numbers_of_any_length_are_what_was_sent(length: int, value: int) -> None:
    value %= 1 << (8 * length)
    exporter = Exporter()
    row = b"\xaa" + value.to_bytes(length, "big")
    exporter.feed(
        kit.ipfix(kit.set_of(2, kit.template(300, (5, 1), (1, length))), kit.set_of(300, row, row)), 1
    )
    (flows,) = exporter.take()
    assert [int(one) for one in flows.columns["octets"]] == [value, value]


def test_addresses_of_version_6_and_macs() -> None:
    exporter = Exporter()
    fields = ((27, 16), (62, 16), (56, 6))
    row = kit.ip("2001:db8::1") + kit.ip("ff02::1") + bytes.fromhex("d401c3000102")
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(259, *fields)), kit.set_of(259, row)), 1)
    (flows,) = exporter.take()
    assert text_of(flows.columns["src_address"][0]) == "2001:db8::1"
    assert text_of(flows.columns["next_hop"][0]) == "ff02::1"
    assert int(flows.columns["src_mac"][0]) == 0xD401C3000102


def test_what_is_unknown_is_skipped_by_its_length() -> None:
    exporter = Exporter()
    fields = ((9999, 3), (1, 4), (5, 300), (8, 4), (1, 4, 14988))
    row = b"abc" + struct.pack(">I", 7) + bytes(300) + kit.ip("10.0.0.1") + struct.pack(">I", 9)
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(300, *fields)), kit.set_of(300, row)), 1)
    (flows,) = exporter.take()
    assert set(flows.columns) == {"octets", "src_address"}
    assert int(flows.columns["octets"][0]) == 7


def test_fields_of_variable_length() -> None:
    exporter = Exporter()
    fields = ((1, 4), (82, 0xFFFF), (8, 4), (96, 0xFFFF))
    rows = [
        struct.pack(">I", number)
        + kit.variable(b"ether" * number, long)
        + kit.ip(f"10.0.0.{number}")
        + kit.variable(b"")
        for number, long in ((1, False), (60, False), (2, True))
    ]
    exporter.feed(kit.ipfix(kit.set_of(2, kit.template(300, *fields)), kit.set_of(300, *rows, pad=2)), 1)
    (flows,) = exporter.take()
    assert [int(one) for one in flows.columns["octets"]] == [1, 60, 2]
    assert [text_of(one) for one in flows.columns["src_address"]] == ["10.0.0.1", "10.0.0.60", "10.0.0.2"]
    assert not exporter.counts.malformed


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"\x00", "too short"),
        (kit.v9(kit.set_of(300, bytes(9300))), "too long"),
        (struct.pack(">HH", 8, 0), "unknown version"),
        (struct.pack(">HH", 9, 1), "header cut off"),
        (kit.v5(kit.v5_record("10.0.0.1", "10.0.0.2", 1))[:60], "record cut off"),
        (struct.pack(">HHIIIIBBH", 5, 31, 0, 0, 0, 0, 0, 0, 0), "impossible number of records"),
        (kit.ipfix(kit.set_of(256, b"12345678"))[:20], "message cut off"),
        (kit.v9(struct.pack(">HH", 256, 400) + b"12"), "set cut off"),
        (kit.v9(struct.pack(">HH", 256, 2) + b"12"), "set without length"),
        (kit.v9(kit.set_of(0, struct.pack(">HHHH", 300, 2, 1, 4))), "template cut off"),
        (kit.v9(kit.set_of(0, kit.template(12, (1, 4)))), "impossible template number"),
        (kit.v9(kit.set_of(0, kit.template(300))), "template without fields"),
        (kit.ipfix(kit.set_of(2, kit.template(300, (1, 0), (2, 0)))), "template without length"),
        (kit.v9(kit.set_of(0, struct.pack(">HH", 300, 5000))), "template with too many fields"),
        (kit.ipfix(kit.set_of(3, kit.options_template(300, [], [(1, 4)]))), "options template without scope"),
    ],
)
def test_what_cant_be_read_is_counted_by_its_reason(datagram: bytes, reason: str) -> None:
    exporter = Exporter()
    exporter.feed(datagram, 1)
    assert dict(exporter.counts.malformed) == {reason: 1}


def test_what_came_before_the_fault_is_good() -> None:
    exporter = Exporter()
    message = kit.v9(
        kit.set_of(0, kit.template(256, *PLAIN)),
        kit.set_of(256, plain("10.0.0.1", "10.0.0.2", 5)),
        struct.pack(">HH", 256, 4000),
    )
    exporter.feed(message, 1)
    (flows,) = exporter.take()
    assert list(flows.columns["octets"]) == [5]
    assert exporter.counts.malformed["set cut off"] == 1


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x00\x05", b"\x00\x09", b"\x00\x0a"]))
def test_nothing_that_is_sent_raises(rest: bytes, version: bytes) -> None:
    exporter = Exporter()
    exporter.feed(version + rest, 1)
    exporter.take()


VALID = [
    kit.v9(kit.set_of(0, kit.template(256, *PLAIN)), kit.set_of(256, plain("10.0.0.1", "10.0.0.2", 5))),
    kit.ipfix(
        kit.set_of(3, kit.options_template(300, [(149, 4)], [(305, 4), (306, 4)])),
        kit.set_of(300, struct.pack(">III", 1, 1, 99)),
        kit.set_of(2, kit.template(301, (1, 4), (82, 0xFFFF))),
        kit.set_of(301, struct.pack(">I", 7) + kit.variable(b"ether1")),
    ),
    kit.v5(kit.v5_record("10.0.0.1", "10.0.0.2", 9)),
]


@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
)
def test_nothing_that_is_spoiled_on_the_way_raises(
    message: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    spoiled = bytearray(message)
    for place, value in changes:
        spoiled[place % len(spoiled)] = value
    exporter = Exporter()
    exporter.feed(bytes(spoiled[: end or None]), 1)
    for flows in exporter.take():
        assert all(len(column) == flows.count for column in flows.columns.values())


def test_ipfix_tells_uptime_by_the_exporters_start_and_wraps_after_49_days() -> None:
    exporter = Exporter()
    began_ms, now_s = 1_690_000_000_000, 1_700_000_000  # 115 days
    uptime_ms = now_s * 1000 - began_ms
    row = struct.pack(">IIQ", (uptime_ms - 3_000) % 2**32, (uptime_ms - 1_000) % 2**32, began_ms)
    template = kit.set_of(2, kit.template(300, (22, 4), (21, 4), (160, 8)))
    exporter.feed(kit.ipfix(template, kit.set_of(300, row), seconds=now_s), 1)
    (flows,) = exporter.take()
    assert list(flows.columns["start_ms"]) == [now_s * 1000 - 3_000]
    assert list(flows.columns["end_ms"]) == [now_s * 1000 - 1_000]
