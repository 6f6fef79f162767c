"""Hypothesis strategies: what routers write, and what they never should."""

from __future__ import annotations

from hypothesis import strategies as st

from mtd.model.command import Rows

_TYPICAL = (
    b"",
    b"true",
    b"false",
    b"yes",
    b"no",
    b"0",
    b"1",
    b"-1",
    b"18446744073709551615",
    b"9223372036854775808",
    b"99999999999999999999999999",
    b"1,2",
    b",",
    b"1.5",
    b"1e5",
    b"nan",
    b"inf",
    b"+5",
    b" 5 ",
    b"1_000",
    b"\xd9\xa3",
    b"never",
    b"1w2d3h4m5s",
    b"53m10s720ms",
    b"01:22:53",
    b"1Gbps",
    b"67.5MiB",
    b"ok",
    b"*1",
    b"*FFFFFFFF",
    b"ether1",
    b"temperature",
    b"C",
    b"\xe0\xef\xe0\xf0",
    b"{label}",
    b"{0.__class__}",
)


def raw_values() -> st.SearchStrategy[bytes]:
    """Values of fields: typical ones, numbers, and any bytes."""
    numbers = st.integers(-(2**70), 2**70).map(lambda number: str(number).encode())
    return st.sampled_from(_TYPICAL) | numbers | st.binary(max_size=24)


def rows(*fields: str, max_rows: int = 6) -> st.SearchStrategy[Rows]:
    """Rows with any value, or none, in each of the fields; columns may be missing as a whole."""
    value = st.none() | raw_values()

    def columns(count: int) -> st.SearchStrategy[Rows]:
        column = st.lists(value, min_size=count, max_size=count).map(tuple)
        chosen = st.lists(st.sampled_from(fields), unique=True) if fields else st.just([])
        return chosen.flatmap(
            lambda names: st.fixed_dictionaries({name: column for name in names}).map(
                lambda found: Rows(count, dict(found))
            )
        )

    return st.integers(0, max_rows).flatmap(columns)


def durations() -> st.SearchStrategy[tuple[bytes, float]]:
    """Durations as RouterOS writes them, with their seconds."""
    parts = st.tuples(
        st.integers(0, 500),
        st.integers(0, 6),
        st.integers(0, 23),
        st.integers(0, 59),
        st.integers(0, 59),
        st.integers(0, 999),
    )
    return parts.map(_duration)


def _duration(parts: tuple[int, ...]) -> tuple[bytes, float]:
    units = ((b"w", 604_800.0), (b"d", 86_400.0), (b"h", 3_600.0), (b"m", 60.0), (b"s", 1.0), (b"ms", 0.001))
    written = b"".join(b"%d%b" % (part, unit) for part, (unit, _) in zip(parts, units, strict=True) if part)
    seconds = sum(part * factor for part, (_, factor) in zip(parts, units, strict=True))
    return written or b"0s", seconds
