"""Sending to mtd, and the keys for that: give what a function here returns to a client's ``ask``.

client.ask(ingest.send([ingest.Sample("core-1", dt.datetime.now(dt.UTC), {"system.cpu.load_pct": 7.5})]))
made = client.ask(ingest.create_key("billing"))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.errors import MtdClientError
from mtd.client.identity import Page
from mtd.client.requests import Call
from mtd.client.values import moment, number_of
from mtd.pb.admin.v1 import ingest_key_service_pb2 as key_pb
from mtd.pb.common.v1 import device_pb2
from mtd.pb.ingest.v1 import ingest_service_pb2 as pb

INGEST = "ingest"
INGEST_KEYS = "ingest_keys"


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of a device at one time: whole numbers for counters, names for states."""

    device: str
    time: dt.datetime
    metrics: Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a device. ``event_id`` is a UUID: sent again, it is stored once."""

    event_id: str
    device: str
    time: dt.datetime
    event_type: str
    severity: str = "info"
    entity_type: str = ""
    entity_id: str = ""
    entity_label: str = ""
    field: str = ""
    old_value: str = ""
    new_value: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was not taken, and why."""

    row: str
    reason: str
    error: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch. ``duplicate``: all of it was stored before."""

    batch_id: str
    accepted: int
    refused: int
    duplicates: int
    rows: Sequence[Row]
    duplicate: bool


@dataclass(frozen=True, slots=True)
class IngestKey:
    """A key without its secret. Times are None for what never was."""

    key_id: str
    name: str
    created_at: dt.datetime | None
    rotated_at: dt.datetime | None
    old_secret_until: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its secret, which can't be read again."""

    key: IngestKey
    secret: str = field(repr=False)


def send(
    samples: Sequence[Sample] = (), events: Sequence[Event] = (), *, batch_id: str = "", group: str = ""
) -> Call[Sent]:
    """Build Ingest. The rows are durable when it is answered; sent again, they are stored once."""
    request = pb.IngestRequest(batch_id=batch_id, group=group)
    for sample in samples:
        row = request.samples.add(device=sample.device, time=_stamp(sample.time))
        for key, value in sample.metrics.items():
            _set(row.metrics[key], key, value)
    for event in events:
        texts = {name: getattr(event, name) for name in _EVENT_TEXTS}
        request.events.add(
            time=_stamp(event.time),
            severity=_severity(event.severity),
            **texts,
        )
    return Call(INGEST, "Ingest", request, _sent)


_EVENT_TEXTS = (
    *("event_id", "device", "event_type", "entity_type", "entity_id", "entity_label"),
    *("field", "old_value", "new_value", "message"),
)


def create_key(name: str, *, request_id: str = "") -> Call[NewKey]:
    """Build CreateIngestKey."""
    request = key_pb.CreateIngestKeyRequest(name=name, request_id=request_id)
    return Call(INGEST_KEYS, "CreateIngestKey", request, _new_key)


def get_key(key: str) -> Call[IngestKey]:
    """Build GetIngestKey, by name or id."""
    request = key_pb.GetIngestKeyRequest(key=key)
    return Call(INGEST_KEYS, "GetIngestKey", request, lambda answer: _key(answer.key))


def keys(page_token: str = "", page_size: int = 0) -> Call[Page[IngestKey]]:
    """Build ListIngestKeys."""
    request = key_pb.ListIngestKeysRequest(page_size=page_size, page_token=page_token)
    return Call(
        INGEST_KEYS,
        "ListIngestKeys",
        request,
        lambda answer: Page(tuple(map(_key, answer.keys)), answer.next_page_token),
    )


def rotate_key(key: str, overlap_s: int = 0) -> Call[NewKey]:
    """Build RotateIngestKey: the old secret stays good for so long."""
    request = key_pb.RotateIngestKeyRequest(key=key, overlap_s=overlap_s)
    return Call(INGEST_KEYS, "RotateIngestKey", request, _new_key)


def revoke_key(key: str) -> Call[IngestKey]:
    """Build RevokeIngestKey."""
    request = key_pb.RevokeIngestKeyRequest(key=key)
    return Call(INGEST_KEYS, "RevokeIngestKey", request, lambda answer: _key(answer.key))


def _set(target: pb.Value, key: str, value: float | str) -> None:
    name = "state" if isinstance(value, str) else "whole" if isinstance(value, int) else "number"
    try:
        setattr(target, name, value)
    except (ValueError, TypeError) as error:
        raise _unsendable(f"{key}: {error}") from None


def _severity(text: str) -> Any:
    return number_of(device_pb2.Severity, text, "SEVERITY_")


def _stamp(time: dt.datetime) -> Timestamp:
    if time.tzinfo is None:
        raise _unsendable(f"the time {time} has no zone")
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _unsendable(why: str) -> MtdClientError:
    return MtdClientError(f"what can't be sent: {why}", code="INVALID_ARGUMENT", reason="SETTINGS")


def _sent(answer: pb.IngestResponse) -> Sent:
    return Sent(
        answer.batch_id,
        answer.accepted,
        answer.refused,
        answer.duplicates,
        tuple(Row(one.row, one.reason, one.error) for one in answer.results),
        answer.duplicate,
    )


def _new_key(answer: key_pb.CreateIngestKeyResponse | key_pb.RotateIngestKeyResponse) -> NewKey:
    return NewKey(_key(answer.key), answer.secret)


def _key(message: key_pb.IngestKey) -> IngestKey:
    def at(name: str) -> dt.datetime | None:
        if not message.HasField(name):
            return None
        stamp = getattr(message, name)
        return moment(stamp.seconds * 1_000_000 + stamp.nanos // 1000)

    return IngestKey(
        message.key_id,
        message.name,
        at("create_time"),
        at("rotate_time"),
        at("old_secret_expire_time"),
        at("revoke_time"),
        at("last_used_time"),
    )
