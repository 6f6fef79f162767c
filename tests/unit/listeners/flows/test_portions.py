"""From decoded records to what is kept: nothing invented, nothing lost without being counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtd.codec.flows import ADDRESS, Flows
from mtd.codec.flows.block import decode_block
from mtd.listeners.flows import metrics
from mtd.listeners.flows.ledger import DROPPED
from mtd.listeners.flows.portions import Faults, portions_of
from mtd.model.flows import MINUTE_US, FlowPortion

NOW_US = 1_700_000_040_000_000
NOW_MS = NOW_US // 1000
HERE = "192.0.2.1"


def flows(
    columns: dict[str, Any],
    *,
    received_us: int | Sequence[int] = NOW_US,
    exported_ms: int = NOW_MS,
    sampling: int | Sequence[int] = 0,
) -> Flows:
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    count = len(next(iter(arrays.values())))
    made = Flows(
        count,
        arrays,
        np.full(count, exported_ms, np.int64),
        np.broadcast_to(np.asarray(received_us, np.int64), count),
    )
    made.sampling = np.broadcast_to(np.asarray(sampling, np.uint32), count).copy()
    made.form = "netflow9"
    return made


def portions(given: Flows, faults: Faults | None = None, sampling: int | None = None) -> list[FlowPortion]:
    return list(portions_of(given, HERE, sampling, faults or Faults()))


def u32(*values: int) -> NDArray[np.uint32]:
    return np.array(values, np.uint32)


def test_a_portion_says_what_its_records_add_up_to() -> None:
    columns = {
        "octets": u32(100, 2000),
        "packets": u32(1, 20),
        "start_ms": np.array([NOW_MS - 5000, NOW_MS - 900], np.int64),
        "end_ms": np.array([NOW_MS - 10, NOW_MS - 20], np.int64),
    }
    faults = Faults()
    (one,) = portions(flows(columns, sampling=[10, 100]), faults)
    assert (one.exporter, one.form, one.records, one.sampling) == (HERE, "netflow9", 2, "told")
    assert (one.octets, one.packets) == (2100, 21)
    assert (one.estimated_octets, one.estimated_packets) == (100 * 10 + 2000 * 100, 10 + 2000)
    assert (one.first_ms, one.last_ms) == (NOW_MS - 5000, NOW_MS - 10)
    count, kept = decode_block(one.block)
    assert count == 2
    assert list(kept["start_ms"]) == [NOW_MS - 5000, NOW_MS - 900]
    assert list(kept["sampling"]) == [10, 100]
    assert not faults.counts


@pytest.mark.parametrize(
    ("sampling", "configured", "told", "estimated"),
    [(0, None, "assumed", 100), ([0, 5], None, "assumed", 300), (5, None, "told", 500), (5, 2, "configured", 200), (0, 1, "configured", 100)],
)  # fmt: skip
def test_where_sampling_comes_from(sampling: Any, configured: int | None, told: str, estimated: int) -> None:
    (one,) = portions(flows({"octets": u32(50, 50)}, sampling=sampling), sampling=configured)
    assert (one.sampling, one.estimated_octets, one.octets) == (told, estimated, 100)


def test_what_is_not_told_is_absent() -> None:
    (one,) = portions(flows({"octets": u32(7)}))
    assert set(decode_block(one.block)[1]) == {"octets"}
    assert (one.packets, one.estimated_packets) == (0, 0)
    # Nobody tells when these flows were: they are looked for in the minute in which they came.
    minute_ms = NOW_MS - NOW_MS % 60_000
    assert (one.first_ms, one.last_ms) == (minute_ms, minute_ms + 60_000)


def test_what_goes_out_is_what_an_exporter_of_that_counts() -> None:
    (one,) = portions(flows({"out_octets": u32(7), "out_packets": u32(1)}))
    assert (one.octets, one.packets) == (7, 1)
    assert set(decode_block(one.block)[1]) == {"octets", "packets"}


def test_portions_end_with_the_minute() -> None:
    times = [NOW_US, NOW_US + 59_999_999, NOW_US + 60_000_000]
    found = portions(flows({"octets": u32(1, 2, 4)}, received_us=times))
    assert [(one.octets, one.received_us) for one in found] == [(3, times[0]), (4, times[2])]
    assert all(one.received_us // MINUTE_US != found[0].received_us // MINUTE_US for one in found[1:])


def test_records_that_no_link_carries_are_left_out_and_counted() -> None:
    faults = Faults()
    given = flows(
        {"octets": np.array([5, 1 << 50, 1 << 40], np.uint64), "packets": u32(1, 1, 1 << 30)},
        sampling=[1, 1, 128],
    )
    (one,) = portions(given, faults)
    assert (one.records, one.octets) == (1, 5)
    assert faults.counts["insane"] == 2
    assert portions(flows({"octets": np.array([1 << 63], np.uint64)}), faults) == []
    assert faults.counts["insane"] == 3


def test_records_without_a_known_field_are_counted() -> None:
    faults = Faults()
    made = flows({"sampling_interval": u32(1, 2)})
    assert portions(made, faults) == []
    assert faults.counts == {"empty": 2}


def test_a_clock_that_is_wrong_is_corrected_by_ours() -> None:
    faults = Faults()
    wrong_ms = NOW_MS - 3_600_000
    columns = {
        "octets": u32(1),
        "start_ms": np.array([wrong_ms - 2000], np.int64),
        "end_ms": np.array([wrong_ms - 1000], np.int64),
    }
    (one,) = portions(flows(columns, exported_ms=wrong_ms), faults)
    assert (one.first_ms, one.last_ms) == (NOW_MS - 2000, NOW_MS - 1000)
    assert faults.counts == {"clock_corrected": 1}


def test_times_that_cannot_be_are_not_told() -> None:
    faults = Faults()
    good = (NOW_MS - 9, NOW_MS - 8)
    pairs = [good, (NOW_MS, NOW_MS - 1), (NOW_MS - 1, NOW_MS + 3_600_000), (-5, NOW_MS)]
    columns = {
        "octets": u32(1, 1, 1, 1),
        "start_ms": np.array([start for start, _ in pairs], np.int64),
        "end_ms": np.array([end for _, end in pairs], np.int64),
    }
    (one,) = portions(flows(columns), faults)
    kept = decode_block(one.block)[1]
    assert list(zip(kept["start_ms"].tolist(), kept["end_ms"].tolist(), strict=True)) == [
        good,
        (0, 0),
        (0, 0),
        (0, 0),
    ]
    assert faults.counts == {"bad_times": 3}
    minute_ms = NOW_MS - NOW_MS % 60_000
    assert one.first_ms <= minute_ms
    assert one.last_ms >= minute_ms + 60_000


def test_bytes_the_wrong_way_round_are_noticed() -> None:
    faults = Faults()
    portions(flows({"octets": u32(1500, 64).byteswap(), "packets": u32(1, 1).byteswap()}), faults)
    assert faults.counts == {"byte_order": 2}
    portions(flows({"octets": u32(65_536, 0), "packets": u32(50, 0)}), other := Faults())
    assert not other.counts


def test_packets_that_cannot_be_are_noticed() -> None:
    faults = Faults()
    portions(flows({"octets": u32(3, 70_000, 40), "packets": u32(1, 1, 1)}), faults)
    assert faults.counts == {"odd_sizes": 2}


@given(
    octets=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=80),
    data=st.data(),
)
def test_octets_and_records_add_up_over_portions(octets: list[int], data: st.DataObject) -> None:
    offsets = data.draw(st.lists(st.integers(0, 200_000_000), min_size=len(octets), max_size=len(octets)))
    columns = {"octets": np.array(octets, np.uint32), "src_address": np.zeros(len(octets), ADDRESS)}
    found = portions(flows(columns, received_us=[NOW_US + one for one in offsets], sampling=3))
    assert sum(one.records for one in found) == len(octets)
    assert sum(one.octets for one in found) == sum(octets)
    assert sum(one.estimated_octets for one in found) == 3 * sum(octets)
    assert sum(int(decode_block(one.block)[1]["octets"].sum()) for one in found) == sum(octets)


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 1500, 1 << 40, 1 << 63]), st.sampled_from([0, 1, 1 << 43])), min_size=1
    ),
    st.sampled_from([0, 1, 1_000_000]),
    st.booleans(),
)
def test_each_record_is_kept_or_dropped_by_a_reason_that_the_ledger_knows(
    sums: list[tuple[int, int]], sampling: int, known: bool
) -> None:
    """A reason that it didn't know would be taken as records that died with their worker."""
    octets, packets = zip(*sums, strict=True)
    columns = {"octets": np.array(octets, np.uint64), "packets": np.array(packets, np.uint64)}
    given_ = flows(columns if known else {"sampler": u32(*[1] * len(sums))}, sampling=sampling)
    kept = portions(given_, faults := Faults())
    dropped = sum(faults.counts[reason] for reason in DROPPED)
    assert sum(one.records for one in kept) + dropped == len(sums)
    assert faults.counts.keys() <= metrics._PLAIN.keys(), "and each is counted"
