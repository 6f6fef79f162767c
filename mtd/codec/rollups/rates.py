"""Rates of kept counters: the rule of `mtd.model.rates` for whole arrays.

A rate needs two counters, the later no smaller, and no more time between them
than a gap is. What else the live rule knew (a link's speed, a reboot) isn't in
the counters: where it told no rate, the rate is ``withheld``. Growth never is.

What a fall was is told by the poll after it. If the counter is back at least
where it was, the fall was a dip: a poll that a clock put in the wrong place, or
a counter that isn't steady. Nothing grew up to it, and what grew since is
measured from the poll before it. Else the counter was reset, and grew by what it
showed after the fall; that counts as growth up to the poll which tells so.
What a poll adds depends on no more than the two polls before it, so it is the
same however points are cut into hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MS_PER_S = 1000.0

Before = Sequence[tuple[int, int]]
"""The last points before others, two of them if there are as many, oldest first: (ms, value)."""


@dataclass(frozen=True, eq=False)
class Growth:
    """What a counter did up to each of its points.

    ``increase`` counts across resets, modulo 2^64. ``elapsed_ms`` is 0 where no
    rate can be told, ``risen`` 0 as well.
    """

    increase: NDArray[np.int64]
    risen: NDArray[np.uint64]
    elapsed_ms: NDArray[np.int64]

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """The rate up to each point, per second; NaN where none can be told."""
        return per_second(self.risen, self.elapsed_ms)

    def without_rates(self, withheld: NDArray[np.bool_]) -> Growth:
        """Return the same growth, with no rate told where one is withheld."""
        return Growth(
            self.increase,
            np.where(withheld, np.uint64(0), self.risen),
            np.where(withheld, 0, self.elapsed_ms),
        )


def growth(
    ms: NDArray[np.int64],
    values: NDArray[np.int64],
    before: Before,
    max_gap_ms: int,
    withheld: NDArray[np.bool_] | None = None,
) -> Growth:
    """Return how a counter grew; ``before`` are the points before these. No rate is told where one is ``withheld``."""
    first = min(len(before), 2)
    if first:
        earlier = np.array(before[-2:], dtype=np.int64)
        ms, values = np.append(earlier[:, 0], ms), np.append(earlier[:, 1], values)
    increase = np.zeros(len(values), dtype=np.int64)
    elapsed = np.zeros(len(values), dtype=np.int64)
    np.subtract(values[1:], values[:-1], out=increase[1:])
    np.subtract(ms[1:], ms[:-1], out=elapsed[1:])
    fallen = np.flatnonzero(values[1:] < values[:-1]) + 1
    reset = fallen[:0]
    if len(fallen):
        increase[fallen] = elapsed[fallen] = 0
        after = fallen[fallen + 1 < len(values)] + 1
        is_back = values[after] >= values[after - 2]
        back, reset = after[is_back], after[~is_back]
        increase[back] = values[back] - values[back - 2]
        elapsed[back] = ms[back] - ms[back - 2]
    elapsed[(elapsed < 0) | (elapsed > max_gap_ms)] = 0
    if withheld is not None:
        elapsed[first:][withheld] = 0
    risen = np.where(elapsed > 0, increase, 0).view(np.uint64)
    increase[reset] += values[reset - 1]
    return Growth(increase[first:], risen[first:], elapsed[first:])


def following(before: Before, ms: NDArray[np.int64], values: NDArray[np.int64]) -> Before:
    """Return what is before those that come after these points, if something was before them."""
    return [*before, *zip(ms[-2:].tolist(), values[-2:].tolist(), strict=True)][-2:]


def derive_rates(
    ms: NDArray[np.int64],
    values: NDArray[np.int64],
    scale: float,
    before: Before,
    max_gap_ms: int,
    withheld: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return the rate up to each point, per second and times a scale (8: bits of bytes); NaN: none is told."""
    grown = growth(ms, values, before, max_gap_ms, withheld)
    return per_second(grown.risen, grown.elapsed_ms, scale)


def per_second(
    risen: NDArray[np.uint64] | NDArray[np.float64], elapsed_ms: NDArray[np.int64], scale: float = 1.0
) -> NDArray[np.float64]:
    """Return growth per second; NaN where no time elapsed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rates: NDArray[np.float64] = risen * (scale * MS_PER_S) / elapsed_ms
    rates[elapsed_ms == 0] = np.nan
    return rates
