from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model import values
from mtd.testing.strategies import durations, raw_values

PARSERS = (
    values.integer,
    values.decimal,
    values.boolean,
    values.duration,
    values.date,
    values.rate,
    values.size,
)


@given(parse=st.sampled_from(PARSERS), raw=raw_values() | st.none())
def test_no_value_raises_and_nothing_is_made_of_nothing(
    parse: Callable[[bytes | None], object], raw: bytes | None
) -> None:
    result = parse(raw)
    if values.is_blank(raw):
        assert result is None


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (b"1w2d3h4m5s", 788_645.0),
        (b"53m10s720ms", 3_190.72),
        (b"453us", 0.000453),
        (b"4s70ms", 4.07),
        (b"0s", 0.0),
        (b"1w47m25s", 607_645.0),
        (b"41w6d18h4m22s", 25_380_262.0),
        (b"01:22:53", 4_973.0),
        (b"1d01:22:53", 91_373.0),
        (b"1w2d01:22:53.5", 782_573.5),
        (b"-3ms", -0.003),
        (b"5ms", 0.005),
    ],
)
def test_durations_as_routers_write_them(raw: bytes, seconds: float) -> None:
    assert values.duration(raw) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "raw", [b"", b"never", b"5", b"5x", b"s", b"-", b"1:2:3", b"00:99:00", b"1h1w", b" 1s"]
)
def test_what_is_no_duration(raw: bytes) -> None:
    assert values.duration(raw) is None


@given(duration=durations())
def test_durations_add_up(duration: tuple[bytes, float]) -> None:
    raw, seconds = duration
    assert values.duration(raw) == pytest.approx(seconds, abs=1e-6)


@given(number=st.integers(-(2**70), 2**70))
def test_integers_are_exact_or_absent(number: int) -> None:
    expected = number if -(2**63) <= number < 2**63 else None
    assert values.integer(str(number).encode()) == expected


@pytest.mark.parametrize("raw", [b"", b" 5", b"5 ", b"1_000", b"+5", b"0x10", b"5.0", "٣".encode()])
def test_what_is_no_integer(raw: bytes) -> None:
    assert values.integer(raw) is None


@pytest.mark.parametrize(
    ("raw", "suffix", "number"),
    [
        (b"24.3", b"", 24.3),
        (b"-0.296", b"", -0.296),
        (b"-0.296dBm", b"dBm", -0.296),
        (b"56C", b"C", 56.0),
        (b"5%", b"%", 5.0),
        (b"56C", b"V", None),
        (b"nan", b"", None),
        (b"1e5", b"", None),
        (b"1.", b"", None),
    ],
)
def test_decimals_with_and_without_their_unit(raw: bytes, suffix: bytes, number: float | None) -> None:
    assert values.decimal(raw, suffix) == number


@pytest.mark.parametrize(
    ("raw", "bits"),
    [
        (b"10Mbps", 10e6),
        (b"1Gbps", 1e9),
        (b"2.5Gbps", 2.5e9),
        (b"100Gbps", 100e9),
        (b"72.2Mbps-20MHz/1S/SGI", 72.2e6),
        (b"1G-baseT-full", 1e9),
        (b"2.5G-baseT", 2.5e9),
        (b"100M-baseT-half", 100e6),
        (b"54000000", 54e6),
        (b"1Gbit", None),
        (b"fast", None),
        (b"-62", None),
    ],
)
def test_rates_of_links(raw: bytes, bits: float | None) -> None:
    assert values.rate(raw) == pytest.approx(bits)


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (b"67.5MiB", 70_778_880.0),
        (b"1424.0KiB", 1_458_176.0),
        (b"4227858432", 4_227_858_432.0),
        (b"5MB", None),
    ],
)
def test_sizes(raw: bytes, size: float | None) -> None:
    assert values.size(raw) == size


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        (b"apr/22/2022 07:54:55", datetime.datetime(2022, 4, 22, 7, 54, 55)),
        (b"Jun/02/2020 07:38:00", datetime.datetime(2020, 6, 2, 7, 38)),
        (b"2024-11-26 12:09:40", datetime.datetime(2024, 11, 26, 12, 9, 40)),
        (b"jan/02/1970", datetime.datetime(1970, 1, 2)),
        (b"feb/30/2024 00:00:00", None),
        (b"foo/01/2024", None),
        (b"2024-13-01", None),
        (b"2024-01-01 25:00:00", None),
    ],
)
def test_dates_of_both_versions(raw: bytes, moment: datetime.datetime | None) -> None:
    assert values.date(raw) == moment


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (b"2024-11-26 12:09:40+02:00", 1_732_615_780.0),
        (b"nov/26/2024 12:09:40-05:30", 1_732_642_780.0),
        (b"2024-11-26 12:09:40", 1_732_622_980.0),
        (b"2024-11-26", 1_732_579_200.0),
        (b"jan/02/1970 00:00:00", 86_400.0),
        (b"2024-11-26 12:09:40+2:00", None),
        (b"2024-13-26 12:09:40+02:00", None),
        (b"soon", None),
        (b"", None),
        (None, None),
    ],
)
def test_moments_with_a_zone_behind_them_and_without(raw: bytes | None, seconds: float | None) -> None:
    assert values.moment(raw) == seconds


@pytest.mark.parametrize(
    ("raw", "value"), [(b"true", True), (b"yes", True), (b"false", False), (b"no", False), (b"TRUE", None)]
)
def test_booleans(raw: bytes, value: bool | None) -> None:
    assert values.boolean(raw) is value


def test_text_is_utf_8_or_else_the_code_page_of_the_device() -> None:
    assert values.text("апартамент".encode(), "latin-1") == "апартамент"
    assert values.text("апартамент".encode("cp1251"), "cp1251") == "апартамент"
    assert values.text(b"\x98", "cp1251") == "\ufffd"


def one_by_one(raw: bytes | None) -> int | None:
    number = values.integer(raw)
    return number if number is not None and number >= 0 else None


@given(column=st.lists(raw_values() | st.none(), max_size=8))
def test_counters_are_read_together_as_they_are_one_by_one(column: list[bytes | None]) -> None:
    found = values.counters(column)
    expected = [one_by_one(raw) for raw in column]
    assert found.exact() == expected
    unreadable = [raw for raw, number in zip(column, expected, strict=True) if number is None]
    assert found.unreadable == sum(not values.is_blank(raw) for raw in unreadable)


@given(numbers=st.lists(st.integers(0, 2**63 - 1), max_size=40))
def test_clean_counters_are_exact(numbers: list[int]) -> None:
    found = values.counters([str(number).encode() for number in numbers])
    assert found.exact() == numbers
    assert found.unreadable == 0


@pytest.mark.parametrize(
    "column", [[b"1,2", b""], [b"", b"1,2"], [b",", b"1"], [b"1", b"2,"], [b""], [b"00", b"1"]]
)
def test_separators_inside_a_value_move_no_other_value(column: list[bytes]) -> None:
    assert values.counters(column).exact() == [one_by_one(raw) for raw in column]
