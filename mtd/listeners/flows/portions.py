"""From decoded records to portions as they are kept: times by our clock, nonsense counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows import Flows
from mtd.codec.flows.block import MOST_RECORDS, encode_block
from mtd.codec.flows.elements import (
    END,
    SAMPLED_PACKETS,
    SAMPLER,
    SAMPLING_INTERVAL,
    SKIPPED_PACKETS,
    START,
    SYSTEM_START,
)
from mtd.codec.flows.templates import DURATION
from mtd.listeners.flows.enrichment import Enrichment
from mtd.model.flows import MINUTE_US, FlowPortion

# A message says its time in whole seconds, and takes some time on its way.
_SAME_CLOCK_MS = 10_000
_LONGEST_MS = 7 * 24 * 3600 * 1000
_AHEAD_MS = 60_000
# What no link carries within the time of a flow: half an hour at 300 Gbit/s. The sum of a block stays below 2**63.
_MOST_OCTETS = 1 << 46
_MOST_PACKETS = 1 << 42
_SHORTEST_PACKET, _LONGEST_PACKET = 20, 1 << 16
_TOLD_OTHERWISE = frozenset(
    {SAMPLING_INTERVAL, SAMPLER, SAMPLED_PACKETS, SKIPPED_PACKETS, SYSTEM_START, DURATION}
)
_SUMS = (("octets", "out_octets"), ("packets", "out_packets"))
_TIMES = (START, END)

Columns = dict[str, NDArray[Any]]


@dataclass(slots=True)
class Faults:
    """Totals of one exporter.

    ``insane``: records that say more than any link carries; they aren't kept. ``empty``: records of a template
    of which no field is known; nor are they. ``bad_times``: records whose times can't be; they are kept without. ``clock_corrected``: records of an exporter whose clock is wrong by more than
    ten seconds. ``odd_sizes``: records whose packets would be smaller than a header, or larger than a packet can
    be. ``byte_order``: records whose octets and packets both look like small numbers with their bytes the wrong way round.
    """

    counts: Counter[str] = field(default_factory=Counter)


def portions_of(
    flows: Flows, exporter: str, sampling: int | None, faults: Faults, enrichment: Enrichment | None = None
) -> Iterator[FlowPortion]:
    """Yield records by the minute in which they came. ``sampling``: what is configured, if it is."""
    if not flows.columns.keys() - _TOLD_OTHERWISE:
        faults.counts["empty"] += flows.count
        return
    columns, kept, told = _normal(flows, sampling, faults)
    if not kept.any():
        return
    if enrichment is not None:
        columns |= enrichment.added(columns)
    received_us = flows.received_us[kept]
    minutes = received_us // MINUTE_US
    for minute in np.unique(minutes):
        which = np.flatnonzero(minutes == minute)
        for first in range(0, len(which), MOST_RECORDS):
            some = which[first : first + MOST_RECORDS]
            yield _portion(
                {name: column[some] for name, column in columns.items()},
                exporter,
                flows,
                told,
                int(received_us[some].min()),
            )


def _normal(flows: Flows, sampling: int | None, faults: Faults) -> tuple[Columns, NDArray[np.bool_], str]:
    """Return columns of the records that are kept, which those are, and where their sampling comes from."""
    columns = {name: _plain(column) for name, column in flows.columns.items() if name not in _TOLD_OTHERWISE}
    for name, other in _SUMS:
        if name not in columns and other in columns:  # of an exporter that counts what goes out
            columns[name] = columns.pop(other)
    rates = flows.sampling if sampling is None else np.full(flows.count, sampling, np.uint32)
    if rates.any():
        columns["sampling"] = rates
    told = "configured" if sampling is not None else "told" if rates.all() else "assumed"
    kept = _sane(columns, flows.count, faults)
    if not kept.all():
        columns = {name: column[kept] for name, column in columns.items()}
    _correct_times(columns, flows.exported_ms[kept], flows.received_us[kept] // 1000, faults)
    _look_at_sizes(columns, faults)
    return columns, kept, told


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column in this machine's order of bytes."""
    return column if column.dtype.isnative else column.astype(column.dtype.newbyteorder("="))


def _sane(columns: Columns, count: int, faults: Faults) -> NDArray[np.bool_]:
    kept = np.ones(count, np.bool_)
    rates = np.maximum(columns["sampling"], 1) if "sampling" in columns else None
    for name, most in (("octets", _MOST_OCTETS), ("packets", _MOST_PACKETS)):
        column = columns.get(name)
        if column is not None:
            limit = np.uint64(most) if rates is None else np.uint64(most) // rates.astype(np.uint64)
            kept &= column.astype(np.uint64) <= limit
    if not kept.all():
        faults.counts["insane"] += int(count - kept.sum())
    return kept


def _correct_times(
    columns: Columns, exported_ms: NDArray[np.int64], received_ms: NDArray[np.int64], faults: Faults
) -> None:
    """Bring times to our clock, and make 0 of those that can't be: not told."""
    names = [name for name in _TIMES if name in columns]
    if not names:
        return
    behind_ms = received_ms - exported_ms
    wrong = np.abs(behind_ms) > _SAME_CLOCK_MS
    if wrong.any():
        faults.counts["clock_corrected"] += int(wrong.sum())
    shift = np.where(wrong, behind_ms, 0)
    good = np.ones(len(received_ms), np.bool_)
    for name in names:
        columns[name] = columns[name] + shift
        good &= (columns[name] <= received_ms + _AHEAD_MS) & (columns[name] > received_ms - _LONGEST_MS)
    if len(names) == 2:
        good &= columns[START] <= columns[END]
    if not good.all():
        faults.counts["bad_times"] += int(len(good) - good.sum())
        for name in names:
            columns[name] = np.where(good, columns[name], 0)


def _look_at_sizes(columns: Columns, faults: Faults) -> None:
    """Count records whose octets and packets can't be."""
    octets, packets = columns.get("octets"), columns.get("packets")
    if octets is None or packets is None:
        return
    swapped = _looks_swapped(octets) & _looks_swapped(packets)
    if swapped.any():
        faults.counts["byte_order"] += int(swapped.sum())
    odd = ~_fit(octets.astype(np.uint64), packets.astype(np.uint64))
    if odd.any():
        faults.counts["odd_sizes"] += int(odd.sum())


def _looks_swapped(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where the lower half of a number is empty and the upper isn't: of small ones, sent the wrong way round."""
    lower = column.dtype.type((1 << column.dtype.itemsize * 4) - 1)
    found: NDArray[np.bool_] = (column > 0) & (column & lower == 0)
    return found


def _fit(octets: NDArray[np.uint64], packets: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return where so many packets can have so many octets; a flow of none and none can be."""
    least, most = packets * np.uint64(_SHORTEST_PACKET), packets * np.uint64(_LONGEST_PACKET)
    return (octets >= least) & (octets <= most)


def _portion(columns: Columns, exporter: str, flows: Flows, sampling: str, received_us: int) -> FlowPortion:
    count = len(next(iter(columns.values())))
    rates = np.maximum(columns["sampling"], 1).astype(np.uint64) if "sampling" in columns else np.uint64(1)
    sums = [
        columns[name].astype(np.uint64) if name in columns else np.zeros(count, np.uint64)
        for name, _ in _SUMS
    ]
    first_ms, last_ms = _span(columns, count, received_us)
    return FlowPortion(
        exporter=exporter,
        domain=flows.domain,
        form=flows.form,
        records=count,
        octets=_sum(sums[0]),
        packets=_sum(sums[1]),
        estimated_octets=_sum(sums[0] * rates),
        estimated_packets=_sum(sums[1] * rates),
        received_us=received_us,
        first_ms=first_ms,
        last_ms=last_ms,
        sampling=sampling,
        block=encode_block(columns),
    )


def _span(columns: Columns, count: int, received_us: int) -> tuple[int, int]:
    """Return when the first of the flows began and the last ended; what doesn't tell is looked for when it came."""
    minute_ms = (received_us - received_us % MINUTE_US) // 1000
    told = [columns[name][columns[name] > 0] for name in _TIMES if name in columns]
    known = np.concatenate(told) if told else np.zeros(0, np.int64)
    if len(known) == len(_TIMES) * count:
        return int(known.min()), int(known.max())
    span = (minute_ms, minute_ms + MINUTE_US // 1000)
    return (min(span[0], int(known.min())), max(span[1], int(known.max()))) if len(known) else span


def _sum(values: NDArray[np.uint64]) -> int:
    return int(values.sum(dtype=np.uint64))
