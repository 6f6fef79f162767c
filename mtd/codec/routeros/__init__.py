"""The RouterOS API protocol: sentences of length-prefixed words.

Takes commands and gives the bytes to send; takes the bytes received and gives
rows, column by column, as raw bytes. Never raises anything but
`ProtocolDamaged`, never holds more than its limits allow, and never
interprets a value: that is for those who know the menu.
"""

from mtd.codec.routeros.decoder import Answer, Decoder, Event, Fatal, Limits, Overflow, Stamp
from mtd.codec.routeros.errors import ProtocolDamaged
from mtd.codec.routeros.shapes import PatternCache
from mtd.codec.routeros.words import encode_command, encode_sentence

__all__ = [
    "Answer",
    "Decoder",
    "Event",
    "Fatal",
    "Limits",
    "Overflow",
    "PatternCache",
    "ProtocolDamaged",
    "Stamp",
    "encode_command",
    "encode_sentence",
]
