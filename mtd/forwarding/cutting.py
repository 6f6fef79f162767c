"""From events of the log to messages for the hub: of bounded size, and built away from the loop if that takes long."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.client.copying import batch_request
from mtd.model.events import emptied, payload_kind

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import LoggedBatch
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_EVENTS_AT_ONCE = 200  # building a message of more frames than these takes milliseconds
_LARGE_KINDS = frozenset({"table_delta", "snapshot", "flow_batch"})
# What a message has beside its events: positions and lengths.
_MESSAGE_BYTES, _EVENT_BYTES = 64, 6


@dataclass(frozen=True, slots=True)
class Limits:
    """What the hub takes. ``tenants``: whose events; None: of all. ``home``: the tenant of the collector itself."""

    batch_bytes: int
    event_bytes: int
    tenants: Collection[str] | None
    home: str


@dataclass(frozen=True, slots=True)
class Message:
    """A batch as it is sent."""

    first: int
    last: int
    request: bytes
    left_out: Counter[str] = field(default_factory=Counter)
    """How many of its events are sent empty, for they would never be taken, by why."""

    @property
    def events(self) -> int:
        """How many there are."""
        return self.last + 1 - self.first


async def messages_of(
    batches: Sequence[LoggedBatch], first: int, last: int, limits: Limits
) -> deque[Message]:
    """Return the messages that carry these positions, as far as the batches have them."""
    events = [(seq, event) for batch in batches for seq, event in batch.numbered() if first <= seq <= last]
    if len(events) <= _EVENTS_AT_ONCE and not any(payload_kind(event) in _LARGE_KINDS for _, event in events):
        return deque(cut(events, limits))
    return await asyncio.to_thread(lambda: deque(cut(events, limits)))


def cut(events: Sequence[tuple[int, Envelope]], limits: Limits) -> Iterator[Message]:
    """Yield messages of consecutive events, none larger than allowed unless a single event is."""
    held: list[bytes] = []
    left_out: Counter[str] = Counter()
    first, size = 0, _MESSAGE_BYTES
    for seq, event in events:
        body, why = _body(event, limits)
        length = len(body) + _EVENT_BYTES
        gap = bool(held) and seq != first + len(held)
        if held and (gap or size + length > limits.batch_bytes):
            yield _message(first, held, left_out)
            held, left_out, size = [], Counter(), _MESSAGE_BYTES
        if not held:
            first = seq
        held.append(body)
        size += length
        if why:
            left_out[why] += 1
    if held:
        yield _message(first, held, left_out)


def _message(first: int, held: Sequence[bytes], left_out: Counter[str]) -> Message:
    last = first + len(held) - 1
    return Message(first, last, batch_request(first, last, held), left_out)


def _body(event: Envelope, limits: Limits) -> tuple[bytes, str]:
    """Return an event serialized, and why it was emptied before; positions have no holes."""
    if limits.tenants is not None and event.tenant_id not in limits.tenants:
        return emptied(event, limits.home).SerializeToString(), "not_ours"
    body = event.SerializeToString()
    if len(body) + _MESSAGE_BYTES + _EVENT_BYTES > limits.event_bytes:
        return emptied(event, event.tenant_id).SerializeToString(), "too_large"
    return body, ""
