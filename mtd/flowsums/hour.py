"""The sums of the minutes of an hour, summed up. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mtd.codec.flows.tally import unpack_keys
from mtd.flowsums.minute import total_of
from mtd.flowsums.tally import KEPT, NOTHING, Sums, Tally
from mtd.model.flows import Dimension


def hour_of(dimension: Dimension, minutes: Iterable[Sums], kept: int = KEPT) -> Sums | None:
    """Return what minutes add up to by one dimension; None without any.

    A key that is among the largest of some minutes only is counted with the others in the rest: of an hour the largest
    keys are nearly those, and their sums at least so large. Raises TooMuch beyond what is kept, Damaged for
    keys that are none.
    """
    tally, whole, any_there = Tally(dimension), NOTHING, False
    for sums in minutes:
        any_there = True
        whole += sums.volume
        whole.check()
        if dimension.columns:
            keys = unpack_keys(sums.keys, dimension.width, len(sums.amounts))
            tally.add(sums.amounts.of(keys))
            tally.add_others(sums.others, len(keys) + sums.other_keys)
    if not any_there:
        return None
    return tally.largest(kept) if dimension.columns else total_of(whole)
