"""Minutes and hours, against sums made with plain Python."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.codec.blocks.planes import Damaged
from mtd.flowsums.hour import hour_of
from mtd.flowsums.minute import MinuteTally
from mtd.flowsums.tally import MOST, Sums, TooMuch, Volume
from mtd.model.flows import DIMENSIONS, address_key
from tests.unit.flowsums.plain import ADDRESSES, TYPES, Record, block_of, plain_of, sums_of, told

V4 = int.from_bytes(address_key("192.0.2.0"), "big")
V6 = int.from_bytes(address_key("2001:db8::"), "big")
ADDRESS = st.integers(0, 3).map(lambda n: V4 + n) | st.integers(0, 2).map(lambda n: V6 + (n << 63))


def values_of(name: str) -> st.SearchStrategy[int]:
    if name in ADDRESSES:
        return ADDRESS
    if name == "octets":
        return st.integers(0, 2000) | st.integers(0, 2**40)
    most = 2 ** (8 * int(TYPES[name][1])) - 1
    return st.integers(0, 3) | (st.integers(0, 1000) if name == "sampling" else st.integers(0, most))


@st.composite
def templates(draw: st.DrawFn) -> list[Record]:
    """Records of one template."""
    names = draw(st.lists(st.sampled_from([*ADDRESSES, *TYPES]), min_size=1, unique=True))
    return draw(
        st.lists(st.fixed_dictionaries({name: values_of(name) for name in names}), min_size=1, max_size=40)
    )


def minute_of(blocks: list[list[Record]], kept: int) -> dict[str, Sums]:
    tally = MinuteTally()
    for records in blocks:
        assert tally.add(told(records), block_of(records))
    return dict(tally.sums(kept))


@settings(max_examples=50)
@given(st.lists(templates(), min_size=1, max_size=4), st.integers(1, 6))
def test_a_minute_adds_up_as_plain_integers_do(blocks: list[list[Record]], kept: int) -> None:
    minute = minute_of(blocks, kept)
    records = [record for block in blocks for record in block]
    for name, dimension in DIMENSIONS.items():
        largest, others = sums_of(records, name, kept)
        if not largest:
            assert name not in minute
            continue
        assert plain_of(minute[name], dimension.width) == (largest, others)
    # The rest and the largest are all: of what has the columns, and of the total of everything.
    assert minute["total"].volume == told(records)
    assert all(sums.volume.flows <= len(records) for sums in minute.values())


@settings(max_examples=40)
@given(st.lists(st.lists(templates(), min_size=1, max_size=2), min_size=1, max_size=3), st.integers(1, 6))
def test_an_hour_adds_up_to_what_its_minutes_do(minutes: list[list[list[Record]]], kept: int) -> None:
    whole = [minute_of(blocks, 2 * kept) for blocks in minutes]
    records = [record for blocks in minutes for block in blocks for record in block]
    for name, dimension in DIMENSIONS.items():
        parts = [minute[name] for minute in whole if name in minute]
        hour = hour_of(dimension, iter(parts), kept)
        largest, others = sums_of(records, name, kept)
        if hour is None:
            assert not largest
            continue
        found, rest = plain_of(hour, dimension.width)
        assert hour.volume.octets == sum(one[1] for one in largest) + others[1]
        assert hour.volume.packets == sum(one[2] for one in largest) + others[2]
        assert hour.volume.flows == sum(one[3] for one in largest) + others[3]
        assert rest[0] <= others[0]
        if not any(part.other_keys for part in parts):
            assert (found, rest) == (largest, others)


def test_other_keys_of_an_hour_are_at_least_those_of_its_largest_minute() -> None:
    few = [{"octets": 10 - n, "src_port": n} for n in range(3)]
    many = [{"octets": 10 - n, "src_port": n} for n in range(10)]
    parts = [minute_of([records], 2)["src_port"] for records in (few, many)]
    hour = hour_of(DIMENSIONS["src_port"], parts, 2)
    assert hour is not None
    assert plain_of(hour, 2) == ([(b"\0\0", 20, 0, 2), (b"\0\1", 18, 0, 2)], (8, 8 + sum(range(1, 9)), 0, 9))


def test_no_minutes_are_no_hour() -> None:
    assert hour_of(DIMENSIONS["total"], ()) is None
    assert dict(MinuteTally().sums()) == {}


def test_octets_beyond_a_double_are_exact() -> None:
    records = [
        {"octets": 2**61 + 1, "src_port": 1},
        {"octets": 1, "src_port": 1},
        {"octets": 2, "src_port": 2},
    ]
    minute = minute_of([records], 10)
    assert minute["src_port"].amounts.octets.tolist() == [2**61 + 2, 2]


def test_sums_beyond_63_bits_are_refused() -> None:
    half = [{"octets": 2**62}]
    tally = MinuteTally()
    tally.add(told(half), block_of(half))
    with pytest.raises(TooMuch):
        tally.add(told(half), block_of(half))
    # Likewise where only the records say so, and not what was told of them.
    tally = MinuteTally()
    assert not tally.add(Volume(1, 1, 1), block_of(half))
    with pytest.raises(TooMuch):
        tally.add(Volume(1, 1, 1), block_of(half))
    parts = [minute_of([half], 10)["total"]] * 2
    with pytest.raises(TooMuch):
        hour_of(DIMENSIONS["total"], parts)


@pytest.mark.parametrize(
    ("records", "types"),
    [
        ([{"octets": MOST, "sampling": 2, "src_port": 1}], TYPES),
        ([{"octets": 2**63, "src_port": 1}], TYPES),
        ([{"octets": 2**63, "sampling": 2**32 - 1}] * 3, TYPES),
        ([{"octets": 1, "sampling": 2**32, "src_port": 1}], {**TYPES, "sampling": "u8"}),
    ],
)
def test_a_block_of_more_than_can_be_is_in_the_total_only(
    records: list[Record], types: dict[str, str]
) -> None:
    tally = MinuteTally()
    with pytest.raises(Damaged):
        tally.add(Volume(7, 1, 1), block_of(records, types))
    assert [(name, sums.volume) for name, sums in tally.sums()] == [("total", Volume(7, 1, 1))]


def hostile() -> Iterator[bytes]:
    good = block_of([{"octets": 1, "src_port": 1, "src_address": V4}] * 2)
    yield b""
    yield good[:-1]
    yield b"\2" + good[1:]
    # Columns of the wrong kind: an address that is a number, and numbers that are addresses.
    address = block_of([{"src_address": V4}])
    yield address.replace(b"\x0bsrc_address", b"\x06octets", 1)
    yield address.replace(b"\x0bsrc_address", b"\x08src_port", 1)
    yield block_of([{"src_port": 1}]).replace(b"\x08src_port", b"\x0bsrc_address", 1)


@pytest.mark.parametrize("block", [*hostile()])
def test_a_block_that_makes_no_sense_is_in_the_total_only(block: bytes) -> None:
    tally = MinuteTally()
    with pytest.raises(Damaged):
        tally.add(Volume(7, 1, 1), block)
    assert [(name, sums.volume) for name, sums in tally.sums()] == [("total", Volume(7, 1, 1))]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_block_or_damaged(block: bytes) -> None:
    tally = MinuteTally()
    with contextlib.suppress(Damaged, TooMuch):
        tally.add(Volume(1, 1, 1), b"\1" + block)
    assert dict(tally.sums())["total"].volume == Volume(1, 1, 1)


def test_what_is_wider_than_a_key_is_among_the_others() -> None:
    records = [
        {"octets": 5, "src_port": 70_000},
        {"octets": 3, "src_port": 7},
        {"octets": 1, "src_port": 70_001},
    ]
    tally = MinuteTally()
    assert tally.add(told(records), block_of(records, {**TYPES, "src_port": "u4"}))
    sums = dict(tally.sums())["src_port"]
    assert plain_of(sums, 2) == ([(b"\0\7", 3, 0, 1)], (2, 6, 0, 2))
    # Nothing but such.
    tally = MinuteTally()
    tally.add(told(records[:1]), block_of(records[:1], {**TYPES, "src_port": "u4"}))
    assert plain_of(dict(tally.sums())["src_port"], 2) == ([], (1, 5, 0, 1))


def test_an_hour_of_damaged_sums_is_noticed() -> None:
    part = minute_of([[{"octets": 1, "src_port": 1}]], 10)["src_port"]
    for keys in (b"\0", b"\0\1\0\2"):
        with pytest.raises(Damaged):
            hour_of(DIMENSIONS["src_port"], [Sums(keys, part.amounts, 0, part.others)])


def test_records_without_octets_are_flows() -> None:
    """Such as those of addresses behind NAT."""
    minute = minute_of([[{"src_port": 5}]], 10)
    assert plain_of(minute["src_port"], 2) == ([(b"\0\5", 0, 0, 1)], (0, 0, 0, 0))
