"""IngestService: what collectors and programs of others send."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import principal
from mtd.api.access.interfaces import Auditor
from mtd.api.grpc.types import Context
from mtd.api.ingest.heartbeats import Heartbeat, Heartbeats
from mtd.api.ingest.senders import MOST_RESULTS, Served, sender_of, speaker_of
from mtd.core.errors import Forbidden
from mtd.ingest.config import PushConfig
from mtd.ingest.copying.door import CopyDoor
from mtd.ingest.copying.stream import CopyStream
from mtd.ingest.push.door import PushDoor
from mtd.ingest.push.payload import event_id_of
from mtd.ingest.push.rows import (
    EVENT_TEXTS,
    EventRow,
    Malformed,
    Problem,
    PushBatch,
    SampleRow,
    TooLarge,
    Unreadable,
    Value,
    check_names,
    check_size,
    check_texts,
    seconds_to_us,
)
from mtd.model.audit import entry_of
from mtd.model.device import Severity
from mtd.model.pb_enums import SEVERITY
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb
from mtd.pb.ingest.v1.ingest_service_pb2_grpc import IngestServiceServicer

_APPEND = "ingest.v1.IngestService/Append"


class IngestServicer(IngestServiceServicer):
    """Reads messages, and gives them to the doors of ingest."""

    def __init__(
        self,
        push: PushDoor,
        copies: CopyDoor,
        heartbeats: Heartbeats,
        served: Served,
        config: PushConfig,
        auditor: Auditor,
        sole: str = "",
    ) -> None:
        self._sole = sole
        self._push = push
        self._copies = copies
        self._heartbeats = heartbeats
        self._served = served
        self._config = config
        self._auditor = auditor

    async def Ingest(self, request: pb.IngestRequest, context: Context) -> pb.IngestResponse:
        """Take a batch."""
        sender = sender_of(principal())
        self._push.rates.take_request(sender.tenant_id, sender.caller_id)
        with self._push.holding(sender, request.ByteSize()):
            with self._push.reading(sender):
                batch = await asyncio.to_thread(batch_of, request, self._config)
            result = await self._push.push(sender, batch)
        return pb.IngestResponse(
            batch_id=result.batch_id,
            accepted=result.accepted,
            refused=result.refused,
            duplicates=result.duplicates,
            results=[
                pb.RowResult(row=problem.row, reason=problem.reason, error=problem.text)
                for problem in result.problems[:MOST_RESULTS]
            ],
            duplicate=result.duplicate,
        )

    @property
    def message_bytes(self) -> int:
        """The largest message of a collector."""
        return self._copies.message_bytes

    def drain(self) -> None:
        """Send collectors that copy their logs away."""
        self._copies.drain()

    async def Append(
        self, request: AsyncIterator[pb.AppendRequest], context: Context
    ) -> AsyncGenerator[pb.AppendResponse, None]:
        """Copy the log of a collector."""
        caller = principal()
        stream = CopyStream(self._copies, await speaker_of(caller, self._served, self._sole))
        responses = stream.responses(request)
        try:
            async for response in responses:
                yield response
        except Forbidden as error:
            # What the stream's own entry doesn't say.
            detail = {"reason": str(error)}
            self._auditor.record(entry_of(caller, _APPEND, "PERMISSION_DENIED", stream.target, detail))
            raise
        finally:
            await responses.aclose()

    async def Heartbeat(self, request: pb.HeartbeatRequest, context: Context) -> pb.HeartbeatResponse:
        """Note that the caller is alive."""
        told = request.sent_at
        beat = Heartbeat(
            request.agent,
            request.version,
            told.seconds * 1_000_000 + told.nanos // 1000 if request.HasField("sent_at") else 0,
            request.buffer_depth,
            request.jobs_running,
            request.poll_errors,
            list(request.capabilities),
        )
        answer = await self._heartbeats.take(sender_of(principal()), beat)
        server_time = Timestamp()
        server_time.FromMicroseconds(answer.server_us)
        return pb.HeartbeatResponse(
            server_time=server_time, clock_ahead_s=answer.clock_ahead_s, interval_s=answer.interval_s
        )


def batch_of(request: pb.IngestRequest, config: PushConfig) -> PushBatch:
    """Return a batch as it is read from a message. Raises Unreadable and TooLarge."""
    for rows, most, what in (
        (len(request.samples), config.max_values, "samples"),
        (len(request.events), config.max_events, "events"),
    ):
        if rows > most:
            raise TooLarge(f"a batch has at most {most:,} {what}, not {rows:,}: send it in parts")
    digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    batch = PushBatch(digest, request.batch_id, request.group)
    check_names(batch.batch_id, batch.group)
    for number, sample in enumerate(request.samples):
        try:
            batch.samples.append(_sample(number, sample))
        except Malformed as error:
            batch.problems.append(Problem(f"samples/{number}", error.reason, str(error)))
    for number, event in enumerate(request.events):
        try:
            batch.events.append(_event(number, event))
        except Malformed as error:
            batch.problems.append(Problem(f"events/{number}", error.reason, str(error)))
    if not batch.rows:
        raise Unreadable("the batch has no rows: give samples or events")
    check_size(batch, config.max_values, config.max_events)
    return batch


def _sample(number: int, sample: pb.Sample) -> SampleRow:
    if not sample.metrics:
        raise Malformed("no_metrics", "metrics has no values")
    metrics: dict[str, Value] = {}
    for key, value in sample.metrics.items():
        kind = value.WhichOneof("kind")
        if kind is None:
            raise Malformed("bad_value", f"{key[:60]!r} has no value")
        metrics[key] = getattr(value, kind)
    return SampleRow(number, _device(sample.device), _time(sample), metrics)


def _event(number: int, event: pb.PushedEvent) -> EventRow:
    if not event.event_type:
        raise Malformed("no_event_type", "event_type isn't a text such as interface.oper.changed")
    texts = [getattr(event, name) for name in EVENT_TEXTS]
    check_texts([event.event_type, *texts])
    severity = SEVERITY.from_pb(event.severity, Severity.INFO).value
    return EventRow(
        number,
        event_id_of(event.event_id),
        _device(event.device),
        _time(event),
        severity,
        event.event_type,
        *texts,
    )


def _device(device: str) -> str:
    if not device:
        raise Malformed("no_device", "device isn't the name or id of a device")
    return device


def _time(row: pb.Sample | pb.PushedEvent) -> int:
    if not row.HasField("time"):
        raise Malformed("bad_time", "time isn't given")
    return seconds_to_us(row.time.seconds) + row.time.nanos // 1000
