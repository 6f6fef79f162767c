"""The ledger of what the log acknowledged, which the log itself has no part in.

Written by the process that appends, at the moment it is told that events are durable: a record for each
event that leaves a row of its own in PostgreSQL. What a process has written to a file outlives it,
however it ends; so what stands here was acknowledged, and has to be found.
"""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import AppendResult
    from mtd.pb.events.v1.envelope_pb2 import Envelope

FRAME, EVENT, HEALTH = 1, 2, 3

# Kind, log and position that name the event, device, time, and what tells it from others of that time.
_RECORD = struct.Struct("<B16sQ16sqQ")
_NOBODY = bytes(16)


@dataclass(frozen=True, slots=True)
class Key:
    """What a row of PostgreSQL has in common with its event, whatever log it came through."""

    kind: int
    device: bytes
    collected_us: int
    mark: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that was acknowledged: the log and position that it was given first, and its row."""

    log: bytes
    seq: int
    key: Key


class LedgerWriter:
    """Adds to a ledger. One write for each batch, into the memory of the kernel: no waiting for a disk."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def acknowledged(self, log_id: str, result: AppendResult, envelopes: Sequence[Envelope]) -> None:
        """Note a batch that is durable."""
        own = uuid.UUID(log_id).bytes
        records = bytearray()
        for seq, envelope in enumerate(envelopes, result.first_seq):
            key = key_of(envelope)
            if key is None:
                continue
            # What a collector's log had first keeps that name.
            copied = bool(envelope.source_log_id)
            log = envelope.source_log_id if copied else own
            first = envelope.source_seq if copied else seq
            records += _RECORD.pack(key.kind, log, first, key.device, key.collected_us, key.mark)
        if records:
            os.write(self._file, records)


def read_ledger(ends: Mapping[Path, int]) -> Iterator[Entry]:
    """Yield what stands in ledgers, up to so many bytes. A record that a kill cut off was never finished: it is left out."""
    for path, end in ends.items():
        if not path.exists():
            continue
        data = path.read_bytes()[:end]
        whole = len(data) - len(data) % _RECORD.size
        for kind, log, seq, device, collected_us, mark in _RECORD.iter_unpack(data[:whole]):
            yield Entry(log, seq, Key(kind, device, collected_us, mark))


def ends_of(paths: Iterable[Path]) -> dict[Path, int]:
    """Return how long ledgers are now: what is judged later has to be projected by then."""
    return {path: path.stat().st_size for path in paths if path.exists()}


def entries_in(path: Path) -> int:
    """Return how many events a ledger has, without reading it."""
    return path.stat().st_size // _RECORD.size if path.exists() else 0


def key_of(envelope: Envelope) -> Key | None:
    """Return what will be found in PostgreSQL of an event; None if it leaves no row of its own."""
    device, at_us = device_bytes(envelope.device_id), envelope.collected_at_us
    if envelope.HasField("frame"):
        return Key(FRAME, device, at_us, envelope.frame.layout_id % 2**64)
    if envelope.HasField("state_changed"):
        changed = envelope.state_changed
        return Key(
            EVENT,
            device,
            at_us,
            mark_of(changed.event_type, changed.entity_id, changed.field, changed.new_value),
        )
    if envelope.HasField("poll_outcome"):
        return Key(HEALTH, device, at_us, mark_of(envelope.poll_outcome.poll_group))
    return None


def device_bytes(device_id: str | None) -> bytes:
    """Return the id of a device as 16 bytes; zeros for none."""
    return uuid.UUID(device_id).bytes if device_id else _NOBODY


def mark_of(*parts: str) -> int:
    """Return a number for what tells events of one device and moment apart."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
