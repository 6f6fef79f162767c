"""Copying a log into a hub's: the collector's end of ``IngestService.Append``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.client.errors import MtdClientError, closed_error, error_of
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb

if TYPE_CHECKING:
    from mtd.client.aio import AsyncMtdClient

METHOD = "/mtd.pb.ingest.v1.IngestService/Append"
LIVE, BACKFILL = "live", "backfill"
_LANES = {LIVE: pb.LANE_LIVE, BACKFILL: pb.LANE_BACKFILL}

# AppendRequest.batch, and the fields of AppendBatch: written by hand, for filling a message copies all events first.
_BATCH, _FIRST, _LAST, _EVENT = b"\x12", b"\x08", b"\x10", b"\x1a"

Span = tuple[int, int]
"""First and last position; both belong to it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What the hub has of a log, and how much it takes at a time. ``tenant_ids``: whose events it takes; none: it didn't say."""

    stored: Sequence[Span]
    projected: Sequence[Span]
    window_batches: int
    window_bytes: int
    max_batch_bytes: int
    version: str
    tenant_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ack:
    """A batch is durable. ``dropped``: so many of its events never will be."""

    first_seq: int
    last_seq: int
    duplicates: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Resend:
    """Something is missing: go on here."""

    next_seq: int


@dataclass(frozen=True, slots=True)
class Projected:
    """What the hub's database has by now."""

    projected: Sequence[Span]


Answer = Opened | Ack | Resend | Projected


def batch_request(first_seq: int, last_seq: int, events: Sequence[bytes]) -> bytes:
    """Return the message that carries consecutive events, each serialized. For a thread, if they are many."""
    parts = [_FIRST, _varint(first_seq), _LAST, _varint(last_seq)]
    for event in events:
        parts += (_EVENT, _varint(len(event)), event)
    body = b"".join(parts)
    return b"".join((_BATCH, _varint(len(body)), body))


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a call ended, as ``error_of`` reads it."""

    status: Any
    metadata: Any
    text: str

    def code(self) -> Any:
        return self.status

    def trailing_metadata(self) -> Any:
        return self.metadata

    def details(self) -> str:
        return self.text


class CopyCall:
    """A stream that copies one lane of a log. All methods raise MtdClientError."""

    def __init__(self, client: AsyncMtdClient, *, compressed: bool = False) -> None:
        self._client = client
        self._call = client.raw_stream(METHOD, pb.AppendResponse.FromString, compressed=compressed)

    async def open(self, log_id: str, lane: str, next_seq: int, version: str = "") -> None:
        """Say what will come; the hub answers with Opened."""
        wanted = pb.AppendOpen(log_id=log_id, lane=_LANES[lane], next_seq=next_seq, version=version)
        await self.send(pb.AppendRequest(open=wanted).SerializeToString())

    async def send(self, request: bytes) -> None:
        """Send what ``batch_request`` returned. Waits while the network takes no more."""
        await self._ask(self._call.write(request))

    async def read(self) -> Answer | None:
        """Return the next answer of a kind that is known here; None if the hub has ended the stream."""
        from grpc import StatusCode
        from grpc.aio import EOF  # type: ignore[attr-defined]

        while True:
            message = await self._ask(self._call.read())
            if message is EOF:
                if await self._call.code() is not StatusCode.OK:
                    raise await self._failure()
                return None
            answer = _answer_of(message)
            if answer is not None:  # a newer hub may say more
                return answer

    async def _ask(self, work: Awaitable[Any]) -> Any:
        import grpc

        try:
            return await work
        except grpc.RpcError as failed:
            raise error_of(failed, self._client.target) from None
        except asyncio.InvalidStateError:  # it ended before
            raise await self._failure() from None
        except asyncio.CancelledError:
            # Closing the client cancels its calls; so does the task that waits.
            if self._client.closed:
                raise closed_error() from None
            raise

    async def _failure(self) -> MtdClientError:
        call = self._call
        ended = _Ended(await call.code(), await call.trailing_metadata(), await call.details())
        return error_of(ended, self._client.target)

    def cancel(self) -> None:
        """End it."""
        self._call.cancel()


def _answer_of(message: pb.AppendResponse) -> Answer | None:
    kind = message.WhichOneof("message")
    if kind == "ack":
        ack = message.ack
        return Ack(ack.first_seq, ack.last_seq, ack.duplicates, ack.dropped)
    if kind == "projected":
        return Projected(_spans(message.projected.projected))
    if kind == "resend":
        return Resend(message.resend.next_seq)
    if kind != "opened":
        return None
    opened = message.opened
    return Opened(
        _spans(opened.stored),
        _spans(opened.projected),
        opened.window_batches,
        opened.window_bytes,
        opened.max_batch_bytes,
        opened.version,
        tuple(opened.tenant_ids),
    )


def _spans(ranges: Any) -> list[Span]:
    return [(one.first_seq, one.last_seq) for one in ranges]


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
