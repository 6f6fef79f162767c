"""The largest, and how they went over time. Runs in a thread, on one snapshot of the database."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtd.codec.flows.tally import Keyed, Sums, words_of
from mtd.core.errors import Refused
from mtd.model.flows import Dimension
from mtd.queries.flows.keys import SUMMED, keyed, pack_key, sums_of
from mtd.queries.flows.matching import chosen_by, columns_of
from mtd.queries.flows.naming import names_of
from mtd.queries.flows.reading import (
    Scope,
    Totals,
    read_blocks,
    read_due_blocks,
    read_sums,
    read_totals,
)
from mtd.queries.flows.records import (
    Amounts,
    FlowSeries,
    SeriesAnswer,
    SeriesQuestion,
    TopAnswer,
    TopQuestion,
    TopRow,
)
from mtd.queries.flows.spans import Kept
from mtd.queries.flows.tally import Tally, Timeline
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.partitioned import HOUR_US

MOST_FILTERED_US = 6 * HOUR_US
"""Records, which a filter needs, are looked through for so long a range at most."""
_INTERFACES = frozenset({"in_interface", "out_interface"})


def read_top(conn: ColdConnection, asked: TopQuestion, scope: Scope, most_keys: int) -> TopAnswer:
    """Return the largest by a dimension, from the sums. Raises TooManyFlows."""
    totals = read_totals(conn, scope)
    best = _largest(conn, asked, scope, totals, most_keys)
    return _top(conn, asked, scope, best, totals)


def read_filtered_top(conn: ColdConnection, asked: TopQuestion, scope: Scope, kept: Kept) -> TopAnswer:
    """Return the largest among the records that a filter means. Raises Refused for a range that is too long."""
    spans = scope.spans
    if spans.end_us - spans.start_us > MOST_FILTERED_US:
        raise Refused(
            "with a filter the records themselves are looked through, of at most six hours:"
            " ask for a shorter range, or without the filter"
        )
    if spans.start_us < kept.records_us:
        raise Refused(
            "with a filter the records themselves are looked through, and they aren't kept for so long:"
            " ask for a later start, or without the filter"
        )
    tally, total, devices = Tally(words_of(asked.dimension.width)), Amounts(), set()
    wanted = {*SUMMED, *asked.dimension.columns, *columns_of(asked.where)}
    for block in read_blocks(conn, scope, wanted):
        which = np.flatnonzero(chosen_by(asked.where, block.columns, block.records))
        if not len(which):
            continue
        columns = {name: column[which] for name, column in block.columns.items()}
        devices.add(block.device_id)
        total += _amounts(sums_of(columns, len(which)))
        found = keyed(columns, len(which), asked.dimension)
        if found is not None:
            tally.add(found)
    return _top(conn, asked, scope, tally.largest(asked.limit, asked.order), Totals({0: total}, devices))


def read_series(conn: ColdConnection, asked: SeriesQuestion, scope: Scope, most_keys: int) -> SeriesAnswer:
    """Return the largest over time. Sums are read twice: to see which these are, and what they have when."""
    step_us = asked.step_s * 1_000_000
    start_us, steps = scope.spans.start_us, (scope.spans.end_us - scope.spans.start_us) // step_us
    totals = read_totals(conn, scope, asked.step_s)
    total = np.zeros((steps, 3), np.int64)
    for us, amounts in totals.by_step.items():
        total[(us - start_us) // step_us] = amounts.octets, amounts.packets, amounts.flows
    best = _largest(conn, asked, scope, totals, most_keys)
    timeline = Timeline(best.words, steps)
    for part in read_sums(conn, scope, asked.dimension, most_keys):
        timeline.add((part.bucket_us - start_us) // step_us, part.keyed)
    for block in read_due_blocks(conn, scope, {*SUMMED, *asked.dimension.columns}):
        step = (block.received_us - start_us) // step_us
        total[step] += sums_of(block.columns, block.records).sum(axis=0)
        found = keyed(block.columns, block.records, asked.dimension)
        if found is not None:
            timeline.add(step, found)
    there = np.flatnonzero(total[:, 2])
    sums, total = timeline.sums()[there], total[there]
    keys = [pack_key(key, asked.dimension.width) for key in best.words]
    labels = _labels(conn, scope, asked.dimension, keys, totals.devices)
    return SeriesAnswer(
        [start_us + int(step) * step_us for step in there],
        asked.step_s,
        [
            _series(asked.dimension.text(key), labels.get(key, ""), sums[:, place])
            for place, key in enumerate(keys)
        ],
        _series("", "", total - sums.sum(axis=1)),
    )


def _largest(
    conn: ColdConnection, asked: TopQuestion | SeriesQuestion, scope: Scope, totals: Totals, most_keys: int
) -> Keyed:
    """Return the largest; of a ranking what isn't summed up yet is added to the totals."""
    tally = Tally(words_of(asked.dimension.width))
    for part in read_sums(conn, scope, asked.dimension, most_keys):
        tally.add(part.keyed)
    ranked = isinstance(asked, TopQuestion)
    for block in read_due_blocks(conn, scope, {*SUMMED, *asked.dimension.columns}):
        totals.devices.add(block.device_id)
        if ranked:
            added = _amounts(sums_of(block.columns, block.records))
            totals.by_step[0] = totals.by_step.get(0, Amounts()) + added
        found = keyed(block.columns, block.records, asked.dimension)
        if found is not None:
            tally.add(found)
    return tally.largest(asked.limit, asked.order)


def _top(conn: ColdConnection, asked: TopQuestion, scope: Scope, best: Keyed, totals: Totals) -> TopAnswer:
    keys = [pack_key(key, asked.dimension.width) for key in best.words]
    labels = _labels(conn, scope, asked.dimension, keys, totals.devices)
    rows = [
        TopRow(asked.dimension.text(key), labels.get(key, ""), Amounts(*map(int, sums)))
        for key, sums in zip(keys, best.sums, strict=True)
    ]
    total = totals.by_step.get(0, Amounts())
    others = total - _amounts(best.sums)
    return TopAnswer(rows, others, total, scope.spans.start_us, scope.spans.end_us)


def _amounts(sums: Sums) -> Amounts:
    return Amounts(*map(int, sums.sum(axis=0)))


def _series(key: str, label: str, sums: Sums) -> FlowSeries:
    return FlowSeries(key, label, *(sums[:, place].tolist() for place in range(3)))


def _labels(
    conn: ColdConnection, scope: Scope, dimension: Dimension, keys: Sequence[bytes], devices: set[str]
) -> dict[bytes, str]:
    """Return the names of interfaces, if all are one device's: numbers of several devices are one key."""
    if dimension.name not in _INTERFACES or len(devices) != 1:
        return {}
    (device_id,) = devices
    names = names_of(conn, scope.tenant_id, [device_id])
    found = {key: names.get((device_id, int.from_bytes(key, "big"))) for key in keys}
    return {key: name.label for key, name in found.items() if name is not None}
