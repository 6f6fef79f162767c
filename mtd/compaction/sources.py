"""Where polls come from: frames of one layout, or blocks that are stored already."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks import Block, decode_counters, decode_gauges
from mtd.compaction.polls import Bits
from mtd.model.layout import Series
from mtd.model.metric import Lane

T = TypeVar("T", bound=np.generic)

LANES = (Lane.COUNTER, Lane.GAUGE)
"""What is stored when cold: rates are derived from their counters."""


class FrameSource:
    """Frames of one layout.

    ``us``, ``seq`` and the matrices are of one length; ``us`` counts from the
    epoch. NaN in ``gauges`` is absence. ``unrated``: of counters whose rates weren't
    all told, at which polls they weren't. ``without``: series that are left out.
    """

    def __init__(
        self,
        hour_us: int,
        series: Sequence[Series],
        us: NDArray[np.int64],
        seq: NDArray[np.int64],
        counters: NDArray[np.int64],
        absent: NDArray[np.bool_] | None,
        gauges: NDArray[np.float64],
        *,
        unrated: Mapping[Series, NDArray[np.bool_]] | None = None,
        without: Collection[Series] = (),
    ) -> None:
        self.ms = (us - hour_us) // 1000
        self.order = us, seq
        self._series = {lane: [one for one in series if one.lane is lane] for lane in LANES}
        self._columns = {lane: {one: n for n, one in enumerate(self._series[lane])} for lane in LANES}
        for one in without:
            self._series[one.lane].remove(one)
            del self._columns[one.lane][one]
        self._counters, self._absent = counters, absent
        self._gauges = gauges.view(np.int64)
        self._unrated = unrated or {}

    def series(self, lane: Lane) -> Sequence[Series]:
        """Return the series of a lane that the layout has."""
        return self._series[lane]

    def take(self, lane: Lane, wanted: Sequence[Series]) -> tuple[Bits, NDArray[np.bool_]]:
        """Return values and absences of these series, each (series, polls)."""
        columns = self._columns[lane]
        known = np.array([columns.get(one, -1) for one in wanted], dtype=np.int64)
        matrix = self._counters if lane is Lane.COUNTER else self._gauges
        found = known >= 0
        if found.all():
            bits = _columns_of(matrix, known)
            return bits, self._absences(lane, known, bits)
        bits = np.zeros((len(wanted), len(self.ms)), dtype=np.int64)
        absent = np.ones((len(wanted), len(self.ms)), dtype=np.bool_)
        there = _columns_of(matrix, known[found])
        bits[found] = there
        absent[found] = self._absences(lane, known[found], there)
        return bits, absent

    def unrated(self, one: Series) -> NDArray[np.bool_] | None:
        """Return the polls at which no rate of a counter was told."""
        return self._unrated.get(one)

    def withheld(self, _one: Series) -> NDArray[np.int32] | None:
        """Return None: what is withheld is found when an hour is stored."""
        return None

    def _absences(self, lane: Lane, columns: NDArray[np.int64], bits: Bits) -> NDArray[np.bool_]:
        if lane is Lane.GAUGE:
            return np.isnan(bits.view(np.float64))
        if self._absent is None:
            return np.zeros(bits.shape, dtype=np.bool_)
        return _columns_of(self._absent, columns)


class StoredSource:
    """Polls of an hour that was compacted before."""

    def __init__(self, ms: NDArray[np.int64], blocks: Mapping[Series, Block]) -> None:
        self.ms = ms
        # Before all frames of the same millisecond, in the order in which they are stored.
        self.order = np.full(len(ms), -1, dtype=np.int64), np.arange(len(ms))
        self.blocks = blocks

    def series(self, lane: Lane) -> Sequence[Series]:
        """Return the series of a lane that have a block."""
        return [one for one in self.blocks if one.lane is lane]

    def take(self, lane: Lane, wanted: Sequence[Series]) -> tuple[Bits, NDArray[np.bool_]]:
        """Return values and absences of these series, each (series, polls)."""
        polls = len(self.ms)
        bits = np.zeros((len(wanted), polls), dtype=np.int64)
        absent = np.ones((len(wanted), polls), dtype=np.bool_)
        for row, one in enumerate(wanted):
            block = self.blocks.get(one)
            if block is not None:
                bits[row], absent[row] = decoded(lane, block, polls)
        return bits, absent

    def unrated(self, _one: Series) -> NDArray[np.bool_] | None:
        """Return None: of what was told only that which is withheld is stored."""
        return None

    def withheld(self, one: Series) -> NDArray[np.int32] | None:
        """Return the polls whose rates of a counter are withheld."""
        block = self.blocks.get(one)
        return None if block is None else block.withheld


def decoded(lane: Lane, block: Block, polls: int) -> tuple[Bits, NDArray[np.bool_]]:
    """Return what a block holds as bits, and what is absent."""
    if lane is Lane.COUNTER:
        values, absent = decode_counters(block, polls)
        return values, np.zeros(polls, dtype=np.bool_) if absent is None else absent
    gauges = decode_gauges(block, polls)
    return gauges.view(np.int64), np.isnan(gauges)


def _columns_of(matrix: NDArray[T], columns: NDArray[np.int64]) -> NDArray[T]:
    """Return columns as rows, one after the other in memory."""
    if len(columns) and columns[-1] - columns[0] == len(columns) - 1 and (np.diff(columns) == 1).all():
        return np.ascontiguousarray(matrix[:, columns[0] : columns[-1] + 1].T)
    return np.ascontiguousarray(matrix[:, columns].T)


def withheld_at(block: Block, polls: int, there: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return at which of the points that are there a rate is withheld; None: at none."""
    if block.withheld is None:
        return None
    withheld = np.zeros(polls, dtype=np.bool_)
    withheld[block.withheld] = True
    return withheld[there]
