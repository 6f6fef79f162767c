"""Batches as bytes: one serialized ``EventBatch``, and the checksum over it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from mtd.eventlog.errors import LogDamaged
from mtd.pb.events.v1.envelope_pb2 import Envelope, EventBatch

# EventBatch.events: field 1, length-delimited.
_EVENT_TAG = b"\x0a"


def encode_batch(envelopes: Sequence[Envelope]) -> bytes:
    """Return the envelopes as one serialized ``EventBatch``.

    Framed here, because filling an ``EventBatch`` copies every envelope first.
    """
    parts: list[bytes] = []
    for envelope in envelopes:
        body = envelope.SerializeToString()
        parts += (_EVENT_TAG, _varint(len(body)), body)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def checksum(first_seq: int, last_seq: int, appended_us: int, payload: bytes) -> int:
    """Return the CRC-32 of a stored batch, its place in the log included."""
    return zlib.crc32(payload, zlib.crc32(b"%d,%d,%d" % (first_seq, last_seq, appended_us)))


def decode_batch(first_seq: int, last_seq: int, appended_us: int, crc: int, payload: bytes) -> list[Envelope]:
    """Return the events of a stored batch. Raises LogDamaged if it isn't what was stored."""
    kinds = (last_seq, int), (appended_us, int), (crc, int), (payload, bytes)
    if not all(isinstance(value, kind) for value, kind in kinds):
        # What a stored row begins with says of which kind its values are: that can be damaged, too.
        raise LogDamaged(first_seq, last_seq if isinstance(last_seq, int) else first_seq, "can't be read")
    if checksum(first_seq, last_seq, appended_us, payload) != crc:
        raise LogDamaged(first_seq, last_seq, "checksum differs")
    try:
        events = list(EventBatch.FromString(payload).events)
    except DecodeError as error:
        raise LogDamaged(first_seq, last_seq, f"can't be decoded: {error}") from error
    if len(events) != last_seq + 1 - first_seq:
        raise LogDamaged(first_seq, last_seq, f"holds {len(events)} events")
    return events
