"""What projections make of the events of one transaction."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtd.core import log_fields
from mtd.core.clock import Clock
from mtd.core.errors import Misconfigured, Retryable
from mtd.model.events import payload_kind
from mtd.projections import metrics
from mtd.projections.errors import CantProject, OutOfBounds, Poisoned
from mtd.projections.frames import FrameEncoder
from mtd.storage.errors import Duplicate, StatementRejected
from mtd.storage.stores.positions import DeadLetter
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

NumberedEvent = tuple[int, "Envelope"]
_UUID_BYTES = 16
_NO_TENANT = str(uuid.UUID(int=0))
_EVENTS_PER_LOOK = 8  # frames between two looks at the clock: about half a millisecond
_LARGE_KINDS = frozenset({"table_delta", "snapshot", "log_batch", "flow_batch"})  # one alone may take a slice


@dataclass(slots=True)
class Batch:
    """Events of one transaction, as each projection writes them.

    ``unfit``: projection, tenant and why, for each event of a collector that wasn't taken in. ``refused`` and ``dropped``:
    of all, by projection, and why they were dropped; counted once they are committed, however often they are built.
    """

    events: Sequence[NumberedEvent]
    writers: list[tuple[str, Any]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    unfit: list[tuple[str, str, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)

    def committed(self) -> None:
        """Count what was left out."""
        for name, events in self.refused.items():
            metrics.DEAD_LETTERS.labels(projection=name).inc(events)
        for (name, reason), events in self.dropped.items():
            metrics.EVENTS_DROPPED.labels(projection=name, reason=reason).inc(events)

    async def prepare(self) -> None:
        """Do what must be done before the transaction."""
        for name, writer in self.writers:
            try:
                await writer.prepare()
            except (StatementRejected, Duplicate) as error:
                raise CantProject(f"{name}: {error}") from error

    async def write(self, tx: Transaction) -> None:
        """Write all rows. Raises Poisoned if that is the events' fault, CantProject if not, and Retryable."""
        for name, writer in self.writers:
            try:
                await writer.write(tx)
            except (Retryable, Misconfigured):
                raise
            except StatementRejected as error:
                if not error.by_data:
                    raise CantProject(f"{name}: {error}") from error
                raise Poisoned(name, error) from error
            except Exception as error:
                raise Poisoned(name, error) from error


async def build(
    log_id: str,
    events: Sequence[NumberedEvent],
    projections: Sequence[Any],
    *,
    slice_s: float,
    clock: Clock,
    excluded: Collection[str] = (),
    suspected: Mapping[tuple[str, str], str] | None = None,
) -> Batch:
    """Give the events to the projections, in slices: other work of the loop runs in between.

    An event that a projection can't take in becomes a dead letter of it; the
    other projections keep it. ``excluded`` projections get nothing; of ``suspected``
    projections and tenants, what collectors sent becomes dead letters untried.
    """
    batch = Batch(events)
    frames = FrameEncoder()
    takers: dict[str, list[tuple[str, Callable[[int, Envelope], None]]]] = {}
    for projection in projections:
        if projection.name in excluded:
            continue
        writer = projection.begin(log_id, frames)
        batch.writers.append((projection.name, writer))
        for kind in projection.kinds:
            takers.setdefault(kind, []).append((projection.name, writer.add))
    began = clock.monotonic()
    for number, (seq, envelope) in enumerate(events, start=1):
        kind = payload_kind(envelope)
        for name, add in takers.get(kind, ()):
            if suspected and envelope.source_seq and (name, envelope.tenant_id) in suspected:
                batch.refused[name] += 1
                reason = suspected[name, envelope.tenant_id]
                batch.dead.append(dead_letter(name, seq, envelope, reason))
                continue
            _offer(batch, name, add, seq, envelope)
        if number % _EVENTS_PER_LOOK == 0 or kind in _LARGE_KINDS:
            now = clock.monotonic()
            if now - began > slice_s:
                metrics.BUILD_SECONDS.inc(now - began)
                await asyncio.sleep(0)
                began = clock.monotonic()
    metrics.BUILD_SECONDS.inc(clock.monotonic() - began)
    await asyncio.sleep(0)  # what follows joins and sends megabytes: another slice
    return batch


def _offer(
    batch: Batch, name: str, add: Callable[[int, Envelope], None], seq: int, envelope: Envelope
) -> None:
    try:
        add(seq, envelope)
    except OutOfBounds as error:
        batch.dropped[name, str(error)] += 1
    except Exception as error:
        batch.refused[name] += 1
        with log_fields.bound(**origin_of(seq, envelope)):
            logger.exception("event %d can't be projected by %s", seq, name)
        batch.dead.append(dead_letter(name, seq, envelope, f"{type(error).__name__}: {error}"))
        if envelope.source_seq:
            batch.unfit.append((name, envelope.tenant_id, type(error).__name__))


def origin_of(seq: int, envelope: Envelope) -> dict[str, object]:
    """Return what a line about an event carries: which it is, and whose. The log's id is the lane's."""
    origin: dict[str, object] = {"seq": seq, "tenant": envelope.tenant_id, "device_id": envelope.device_id}
    if envelope.source_seq:
        origin |= {"source_log_id": _uuid_text(envelope.source_log_id), "source_seq": envelope.source_seq}
    return origin


def _uuid_text(data: bytes) -> str:
    return str(uuid.UUID(bytes=data)) if len(data) == _UUID_BYTES else data.hex()


def dead_letter(projection: str, seq: int, envelope: Envelope, reason: str) -> DeadLetter:
    """Return the dead letter of an event, which may be wrong in any of its fields."""
    try:
        tenant_id = str(uuid.UUID(envelope.tenant_id))
    except ValueError:
        tenant_id = _NO_TENANT
    return DeadLetter(tenant_id, seq, projection, reason, envelope.SerializeToString())
