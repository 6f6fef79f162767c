"""Setting aside what is damaged, so that readers go on behind it. In the writing thread, with its connection."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Sequence

from mtd.eventlog.encoding import decode_batch
from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import Damage, Source
from mtd.eventlog.sqlite.schema import Header

# The id of a batch from another log: this, its span there, the log, and a sum of all that.
_MAGIC = b"from"
_SPAN = struct.Struct(">qq")
_CRC_BYTES = 4


def damaged_batch(connection: sqlite3.Connection, first_seq: int) -> LogDamaged | None:
    """Return what is wrong with a batch; None if it is sound, or isn't there."""
    row = connection.execute(
        "SELECT first_seq, last_seq, appended_us, crc, payload, stored_bytes FROM batch WHERE first_seq = ?",
        (first_seq,),
    ).fetchone()
    if row is None:
        return None
    if not isinstance(row[5], int):
        return LogDamaged(first_seq, first_seq, "can't be read")
    try:
        decode_batch(*row[:5])
    except LogDamaged as damaged:
        return damaged
    return None


def end_of(connection: sqlite3.Connection, damaged: LogDamaged) -> int:
    """Return the last position of a damaged batch: what it says itself may be damaged, what follows says it too."""
    (following,) = connection.execute(
        "SELECT min(first_seq) FROM (SELECT first_seq FROM batch UNION ALL SELECT first_seq FROM damage)"
        " WHERE first_seq > ?",
        (damaged.first_seq,),
    ).fetchone()
    return max(damaged.first_seq, damaged.last_seq) if following is None else int(following) - 1


def set_batch_aside(connection: sqlite3.Connection, header: Header, damage: Damage) -> tuple[int, int]:
    """Move a batch to what is damaged, within a transaction; return how many batches and bytes are left."""
    first_seq = damage.first_seq
    stored_bytes, batch_id, payload = connection.execute(
        "SELECT stored_bytes, batch_id, CAST(payload AS BLOB) FROM batch WHERE first_seq = ?", (first_seq,)
    ).fetchone()
    note(connection, damage, batch_id, payload)
    connection.execute("DELETE FROM batch WHERE first_seq = ?", (first_seq,))
    source = _source_of(batch_id)
    if source is not None:
        _forget_source(connection, source)
    size = stored_bytes if isinstance(stored_bytes, int) else len(payload or b"")
    left = header.batches - 1, max(0, header.stored_bytes - size)
    connection.execute("UPDATE log SET stored_batches = ?, stored_bytes = ?", left)
    return left


def name_of_source(source: Source) -> bytes:
    """Return the id of a batch from another log, from which is known what is lost with it."""
    name = _MAGIC + _SPAN.pack(source.first_seq, source.last_seq) + source.log_id.encode()
    return name + _crc(name)


def _source_of(batch_id: object) -> Source | None:
    """Return which events of another log a batch held; None if it says no such thing, or is damaged there, too."""
    start = len(_MAGIC) + _SPAN.size
    if not isinstance(batch_id, bytes) or len(batch_id) < start + _CRC_BYTES:
        return None
    name = batch_id[:-_CRC_BYTES]
    if not name.startswith(_MAGIC) or _crc(name) != batch_id[-_CRC_BYTES:]:
        return None
    return Source(name[start:].decode(), *_SPAN.unpack(name[len(_MAGIC) : start]))


def _crc(name: bytes) -> bytes:
    return zlib.crc32(name).to_bytes(_CRC_BYTES, "big")


def _forget_source(connection: sqlite3.Connection, source: Source) -> None:
    """Forget that events of another log are stored: who has them may send them again."""
    span = (source.first_seq, source.last_seq)
    near = connection.execute(
        "SELECT first_seq, last_seq FROM source_range WHERE log_id = ? AND first_seq <= ? AND last_seq >= ?",
        (source.log_id, source.last_seq, source.first_seq),
    ).fetchall()
    for known in near:
        connection.execute(
            "DELETE FROM source_range WHERE log_id = ? AND first_seq = ?", (source.log_id, known[0])
        )
        connection.executemany(
            "INSERT INTO source_range VALUES (?, ?, ?)",
            [(source.log_id, *part) for part in without(known, span)],
        )


def note(
    connection: sqlite3.Connection,
    damage: Damage,
    batch_id: bytes | None = None,
    payload: bytes | None = None,
) -> None:
    """Write down that positions are damaged, with what is left of them."""
    connection.execute(
        "INSERT OR REPLACE INTO damage VALUES (?, ?, ?, ?, 0, ?, ?)",
        (damage.first_seq, damage.last_seq, damage.found_us, damage.detail, batch_id, payload),
    )


def mark_told(connection: sqlite3.Connection, damage: Sequence[Damage]) -> None:
    """Write down that somebody was told of these."""
    connection.executemany(
        "UPDATE damage SET told = 1 WHERE first_seq = ?", [(one.first_seq,) for one in damage]
    )


def forget_before(connection: sqlite3.Connection, trimmed_through: int) -> None:
    """Forget what lies in front of what is retained, and was told."""
    connection.execute("DELETE FROM damage WHERE last_seq <= ? AND told", (trimmed_through,))


def without(span: tuple[int, int], known: tuple[int, int]) -> list[tuple[int, int]]:
    """Return what of a span of positions lies outside of another."""
    (first, last), (low, high) = span, known
    if high < first or low > last:
        return [span]
    parts = [(first, low - 1), (high + 1, last)]
    return [part for part in parts if part[0] <= part[1]]
