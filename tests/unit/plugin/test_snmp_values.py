"""Values of SNMP, written as the API would have: read back by the parsers of the API's values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model import values
from mtd.plugin.snmp_values import (
    INTERNAL_ID,
    decimal,
    dynamic_name,
    index_of,
    internal_id,
    link_rate,
    mac_address,
    mean,
    number,
    positive,
    product,
    remainder,
    text,
    ticks,
    undivided,
    words,
)

WHOLE = st.integers(-(2**63), 2**64 - 1)
UNSIGNED = st.integers(0, 2**32 - 1)
TOLD = st.none() | WHOLE | st.binary(max_size=12)


@pytest.mark.parametrize(
    ("index", "written"), [(1, b"*1"), (10, b"*A"), (15_728_641, b"*F00001"), (2**32 - 2, b"*FFFFFFFE")]
)
def test_an_index_is_written_as_the_internal_id(index: int, written: bytes) -> None:
    assert internal_id(index) == written
    assert index_of(written) == index
    assert index_of(written.lower()) == index


@given(UNSIGNED)
def test_ids_and_indices_are_each_others_inverse(index: int) -> None:
    assert INTERNAL_ID.index_of is not None
    assert INTERNAL_ID.index_of(INTERNAL_ID.text_of(index)) == index


@pytest.mark.parametrize(
    "written", [b"", b"*", b"1", b"ether1", b"*G", b"*-1", b"*1F ", b"*123456789", b"* 1"]
)
def test_what_is_no_id_has_no_index(written: bytes) -> None:
    assert index_of(written) is None


@given(UNSIGNED)
def test_time_ticks_are_a_duration_in_whole_seconds(hundredths: int) -> None:
    assert values.duration(ticks(hundredths)) == hundredths // 100


@pytest.mark.parametrize(
    ("hundredths", "written"),
    [(0, b"0s"), (99, b"0s"), (100, b"1s"), (2_020_400, b"5h36m44s"), (2**32 - 1, b"71w2h27m52s")],
)
def test_durations_as_routeros_writes_them(hundredths: int, written: bytes) -> None:
    assert ticks(hundredths) == written


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 6))
def test_decimal_fractions(value: int, places: int) -> None:
    written = decimal(places)(value)
    assert written is not None
    assert values.decimal(written) == pytest.approx(value / 10**places, abs=1e-9)
    assert not written.endswith(b".")


@pytest.mark.parametrize(
    ("places", "value", "written"),
    [
        (1, 243, b"24.3"),
        (1, 240, b"24"),
        (3, -4879, b"-4.879"),
        (3, -5, b"-0.005"),
        (1, 0, b"0"),
        (0, 7, b"7"),
    ],
)
def test_decimals_as_routeros_writes_them(places: int, value: int, written: bytes) -> None:
    assert decimal(places)(value) == written


@given(st.lists(st.integers(0, 100), min_size=1, max_size=128))
def test_a_mean_is_told_to_the_hundredth(loads: list[int]) -> None:
    assert values.decimal(mean(loads)) == pytest.approx(sum(loads) / len(loads), abs=0.0051)


def test_a_mean_of_what_isn_t_all_there_is_absent() -> None:
    assert mean([]) is None
    assert mean([5, None]) is None


@given(st.integers(0, 2**31), st.integers(0, 2**31), st.integers(1, 65_536))
def test_what_is_used_and_what_is_free_is_the_whole(total: int, used: int, unit: int) -> None:
    free = remainder(total, used, unit)
    whole = product(total, unit)
    assert whole is not None
    if used > total:
        assert free is None
    else:
        assert free is not None
        assert int(free) + used * unit == int(whole)


@pytest.mark.parametrize(
    ("megabits", "written", "bits"),
    [
        (10, b"10Mbps", 10e6),
        (100, b"100Mbps", 100e6),
        (1_000, b"1Gbps", 1e9),
        (2_500, b"2.5Gbps", 2.5e9),
        (400_000, b"400Gbps", 400e9),
    ],
)
def test_speeds_of_links(megabits: int, written: bytes, bits: float) -> None:
    assert link_rate(megabits) == written
    assert values.rate(written) == bits


def test_no_link_has_no_speed() -> None:
    assert link_rate(0) is None
    assert link_rate(None) is None


def test_packets_are_told_if_they_are_one_number() -> None:
    assert undivided(57, 0, 0) == b"57"
    assert undivided(57, None, None) == b"57"
    assert undivided(2**64 - 1, 0, 0) == b"18446744073709551615"
    assert undivided(1615478, 0, 580) is None
    assert undivided(1023926, 21472, 0) is None
    assert undivided(None, 0, 0) is None


def test_addresses_names_and_words() -> None:
    assert mac_address(bytes.fromhex("64D1549A513C")) == b"64:D1:54:9A:51:3C"
    assert mac_address(b"") is None
    assert dynamic_name(b"<pppoe-joe>") == b"true"
    assert dynamic_name(b"ether1") is None
    assert dynamic_name(b"<odd") is None
    assert words({1: b"true", 2: b"false"})(2) == b"false"
    assert words({1: b"true"})(7) is None
    assert text(b"") is None
    assert positive(0) is None
    assert positive(3) == b"3"


@given(TOLD, TOLD, TOLD)
def test_whatever_an_agent_tells_is_written_or_absent(one: object, two: object, three: object) -> None:
    for convert in (
        text,
        number,
        positive,
        decimal(3),
        words({1: b"x"}),
        ticks,
        mac_address,
        link_rate,
        dynamic_name,
    ):
        assert isinstance(convert(one), bytes | None)  # type: ignore[operator]
    assert isinstance(product(one, two), bytes | None)  # type: ignore[arg-type]
    assert isinstance(remainder(one, two, three), bytes | None)  # type: ignore[arg-type]
    assert isinstance(undivided(one, two, three), bytes | None)  # type: ignore[arg-type]
    assert isinstance(mean([one, two, three]), bytes | None)  # type: ignore[list-item]
