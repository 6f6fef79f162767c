"""Blocks: the values of one series over one hour, and the times that the series of a poll group share.

Takes arrays of the values of closed hours, gives what a row of `telemetry_block`
or `telemetry_axis` holds, and back: every integer and every bit of a float,
absence included. Never reads or writes a table.
"""

from mtd.codec.blocks.axis import Axis, decode_axis, encode_axis
from mtd.codec.blocks.block import Block
from mtd.codec.blocks.integers import Damaged
from mtd.codec.blocks.series import decode_counters, decode_gauges, encode_counters, encode_gauges

__all__ = [
    "Axis",
    "Block",
    "Damaged",
    "decode_axis",
    "decode_counters",
    "decode_gauges",
    "encode_axis",
    "encode_counters",
    "encode_gauges",
]
