"""What a row of `telemetry_block` says of the values, without its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONSTANT: Final = "c"
OFFSETS: Final = "o"
DELTAS: Final = "d"
FLOATS: Final = "f"
DENSE: Final = "z"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The values of one series over one hour, a place for each poll.

    ``form``: c, each value is ``base / divisor``, and none is absent; o, ``base +
    values[n]``; d, ``base + values[0] + ... + values[n]``, over what is there; both
    divided by ``divisor``; f, ``values[n]``; z, ``packed``, which only this package
    reads. ``points`` counts the values that are there. ``absent`` is None if all
    are; where it is True the array of the database has NULL, and ``values`` 0.
    ``withheld`` are the polls, ascending from 0, up to which no rate of a counter is
    told though its values would give one; None: there are none.
    """

    form: str
    base: int
    divisor: int
    points: int
    values: NDArray[np.signedinteger] | NDArray[np.float64] | None
    absent: NDArray[np.bool_] | None
    packed: bytes = b""
    withheld: NDArray[np.int32] | None = None
