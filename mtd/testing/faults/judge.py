"""The verdict: of what was acknowledged nothing is missing in PostgreSQL, and nothing is there twice."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from mtd.storage.audit import Audit, Poll
from mtd.testing.faults.ledger import EVENT, FRAME, HEALTH, Entry, Key, device_bytes, mark_of, read_ledger

_NAMED = 10
_KINDS = {FRAME: "frame", EVENT: "event", HEALTH: "outcome"}
_NIL = str(uuid.UUID(int=0))
_ROWS = (
    (FRAME, "SELECT device_id::text, mtd.to_us(ts_collected), layout_id::text FROM mtd.telemetry_frame"),
    (
        EVENT,
        "SELECT device_id::text, mtd.to_us(ts_collected), event_type, entity_id, field, new_value FROM mtd.event"
        " WHERE part = 0",
    ),
    (HEALTH, "SELECT device_id::text, mtd.to_us(ts_collected), poll_group FROM mtd.device_health"),
)


@dataclass(slots=True)
class Verdict:
    """What the ledgers say was acknowledged, against what PostgreSQL holds. ``examples`` name what is wrong."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is lost and nothing doubled."""
        return not (self.lost or self.doubled)


def judge(dsn: str, ledgers: Mapping[Path, int]) -> Verdict:
    """Look for every event of the ledgers, up to so many bytes of each, in PostgreSQL: all that has to be projected by now."""
    acknowledged = expected(read_ledger(ledgers))
    stored = stored_rows(dsn)
    verdict = Verdict(sum(acknowledged.values()))
    missing = {key: count - stored[key] for key, count in acknowledged.items() if stored[key] < count}
    for key in _compacted(dsn, [key for key in missing if key.kind == FRAME]):
        del missing[key]
    verdict.lost = sum(missing.values())
    # Committed, but its writer was killed before it heard so: in PostgreSQL once, and in no ledger.
    doubled = {key: count for key, count in stored.items() if count > max(1, acknowledged[key])}
    verdict.doubled = sum(count - max(1, acknowledged[key]) for key, count in doubled.items())
    verdict.examples += [f"lost: {_named(key)}" for key in sorted(missing, key=_time)[:_NAMED]]
    verdict.examples += [f"doubled: {_named(key)}" for key in sorted(doubled, key=_time)[:_NAMED]]
    return verdict


def expected(entries: Iterable[Entry]) -> Counter[Key]:
    """Return how many rows each key must have: an event that was acknowledged twice is one event."""
    named = {(entry.log, entry.seq, entry.key.kind): entry.key for entry in entries}
    return Counter(named.values())


def stored_rows(dsn: str) -> Counter[Key]:
    """Return the rows of PostgreSQL that events left."""
    found: Counter[Key] = Counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        for kind, statement in _ROWS:
            found.update(_key_of(kind, row) for row in connection.execute(statement))
    return found


def _key_of(kind: int, row: tuple[Any, ...]) -> Key:
    device, at_us, *rest = row
    mark = int(rest[0]) % 2**64 if kind == FRAME else mark_of(*rest)
    return Key(kind, device_bytes(device), at_us, mark)


def _compacted(dsn: str, keys: Sequence[Key]) -> Iterator[Key]:
    """Yield those frames that are rows no more, because their hour was closed: blocks hold them."""
    if not keys:
        return
    with Audit(dsn, _NIL) as audit:
        groups = {layout % 2**64: group for (_, layout), group in audit.poll_groups().items()}
        polls = {
            number: Poll(str(uuid.UUID(bytes=key.device)), groups[key.mark], key.collected_us)
            for number, key in enumerate(keys)
            if key.mark in groups
        }
        for number in audit.compacted(polls):
            yield keys[number]


def _time(key: Key) -> int:
    return key.collected_us


def _named(key: Key) -> str:
    return f"{_KINDS[key.kind]} of {uuid.UUID(bytes=key.device)} at {key.collected_us}"
