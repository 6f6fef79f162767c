"""Rollups: what a series was over buckets of equal length, and the bytes that keep it.

Takes values and their moments, gives count, smallest, largest, mean, 95th
percentile, and for counters their growth; always computed from the values, so
that a percentile is one. Never reads or writes a table.
"""

from mtd.codec.rollups.buckets import (
    Buckets,
    concatenate,
    counter_buckets,
    cut,
    fill_in,
    gauge_buckets,
    grown_buckets,
    joined,
    replace_slice,
)
from mtd.codec.rollups.packing import Damaged, decode, decode_means, encode
from mtd.codec.rollups.rates import Before, Growth, derive_rates, following, growth

__all__ = [
    "Before",
    "Buckets",
    "Damaged",
    "Growth",
    "concatenate",
    "counter_buckets",
    "cut",
    "decode",
    "decode_means",
    "derive_rates",
    "encode",
    "fill_in",
    "following",
    "gauge_buckets",
    "grown_buckets",
    "growth",
    "joined",
    "replace_slice",
]
