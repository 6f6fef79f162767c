"""What rows the events of a log must have left in PostgreSQL, and what was found of them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.storage.audit import Block, Row, Span

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@dataclass(slots=True)
class TableComparison:
    """Rows of a table against the events that they come from.

    ``refused``: events that are not stored on purpose, being from the future,
    past the retention, told before, another hub's, or dead letters. ``unexpected``: rows whose event should have made none.
    ``changed``: rows that say something else than their event, as far as that is looked at: of blocks of flows.
    ``compacted``: how many of those found are polls of blocks by now, rows no more.
    """

    expected: int = 0
    found: int = 0
    missing: int = 0
    doubled: int = 0
    unexpected: int = 0
    changed: int = 0
    refused: int = 0
    compacted: int = 0

    @property
    def wrong(self) -> bool:
        """Whether anything isn't as the log says."""
        return bool(self.missing or self.doubled or self.unexpected or self.changed)


@dataclass(slots=True)
class DatabaseComparison:
    """What PostgreSQL holds, against what the log retains up to the projections' positions."""

    ok: bool = True
    log_id: str = ""
    positions: dict[str, int] = field(default_factory=dict)
    events_behind: int = 0
    tables: dict[str, TableComparison] = field(default_factory=dict)
    latest_checked: int = 0
    latest_wrong: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    duration_s: float = 0.0

    def describe(self) -> str:
        """Return it in words."""
        parts = [
            f"{table.found} rows in {name}" + (f" ({table.compacted} compacted)" if table.compacted else "")
            for name, table in sorted(self.tables.items())
        ]
        parts.append(f"{self.latest_checked} newest frames")
        letters = sum(self.dead_letters.values())
        if letters:
            parts.append(f"{letters} dead letters")
        if self.events_behind:
            parts.append(f"{self.events_behind} events still to be projected")
        text = ("as the log says: " if self.ok else "NOT as the log says: ") + ", ".join(parts)
        return "\n    ".join([text, *self.problems])


class Rows:
    """Rows of one table that are asked for together."""

    def __init__(self) -> None:
        self.expected: set[Row] = set()
        self.frames: dict[int, tuple[str, str, int, int]] = {}  # tenant, device, layout, time
        self.blocks: dict[int, Block] = {}
        self.given: dict[int, tuple[str, str]] = {}  # tenant and UUID of events that may be told twice
        self.tenants: set[str] = set()
        self.span: Span | None = None
        self._allowed: set[int] = set()

    def expect(self, seq: int, envelope: Envelope) -> None:
        """Note an event that must have its rows."""
        lines = len(envelope.log_batch.lines) if envelope.HasField("log_batch") else 1
        self.expected.update(Row(seq, part) for part in range(lines))
        self.watch(seq, envelope)
        if envelope.event_id:
            self.given[seq] = envelope.tenant_id, str(uuid.UUID(bytes=envelope.event_id))
        if envelope.HasField("frame"):
            self.frames[seq] = (
                *(envelope.tenant_id, envelope.device_id),
                *(envelope.frame.layout_id, envelope.collected_at_us),
            )
        elif envelope.HasField("flow_batch"):
            self.blocks[seq] = _block_of(envelope)
        elif envelope.HasField("state_changed"):
            self._allowed.add(seq)  # beside its row there may be those of what follows from it

    def allow(self, seq: int, envelope: Envelope) -> None:
        """Note an event that may have rows."""
        self._allowed.add(seq)
        self.watch(seq, envelope)

    def watch(self, seq: int, envelope: Envelope) -> None:
        """Look at the rows of an event; unless they are expected or allowed, there must be none."""
        first_us, last_us = times_of(envelope)
        old = self.span or Span(seq, seq, first_us, last_us)
        self.span = Span(
            min(old.first_seq, seq),
            max(old.last_seq, seq),
            min(old.first_us, first_us),
            max(old.last_us, last_us),
        )
        self.tenants.add(envelope.tenant_id)

    def may_be(self, row: Row) -> bool:
        """Return whether there may be such a row."""
        return row in self.expected or row.seq in self._allowed


def times_of(envelope: Envelope) -> tuple[int, int]:
    """Return the first and the last time that rows of an event have: lines have each its own."""
    if not envelope.HasField("log_batch") or not envelope.log_batch.lines:
        return envelope.collected_at_us, envelope.collected_at_us
    times = [line.received_at_us for line in envelope.log_batch.lines]
    return min(times), max(times)


def _block_of(envelope: Envelope) -> Block:
    batch = envelope.flow_batch
    return Block(
        envelope.device_id.lower(),
        batch.first_ms * 1000,
        batch.last_ms * 1000,
        batch.exporter,
        batch.domain,
        batch.form,
        batch.sampling,
        batch.records,
        batch.octets,
        batch.packets,
        batch.estimated_octets,
        batch.estimated_packets,
        hashlib.sha256(batch.block).hexdigest(),
    )
