"""The stream of a log: made, looked at, read, purged. Stores nothing: that is the writer's."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from mtd.core.errors import Misconfigured, NotFound
from mtd.eventlog.config import EventLogConfig
from mtd.eventlog.jetstream.connection import ApiError, Connection
from mtd.eventlog.jetstream.errors import NatsAway, StreamFull
from mtd.eventlog.jetstream.messages import Message

FORMAT = "1"
# Room that the stream has beyond the log's quota: for messages of state, without which nothing can be trimmed.
SPARE_BYTES = 64 * 1024 * 1024

_NOT_FOUND = 10059
_EXISTS = 10058
_NO_MESSAGE = 10037
# Replicas without a cluster, settings that contradict each other, more than the account may have.
_MISTAKES = frozenset({10074, 10052, 10028, 10029, 10030})
_HEADERS_AT_ONCE = 1000
_CONSUMER_LIVES_NS = 60_000_000_000
_SECONDS_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the server says of the stream. ``servers``: the names of those that keep it, and whether each is there."""

    log_id: str
    format: str
    created: str
    first_message: int
    last_message: int
    messages: int
    bytes: int
    max_bytes: int
    replicas: int
    asynchronous: bool
    leader: str
    servers: Mapping[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> StreamInfo:
        """Return what an answer says."""
        config, state, cluster = answer["config"], answer["state"], answer.get("cluster") or {}
        metadata = config.get("metadata") or {}
        leader = cluster.get("leader", "")
        servers = {peer["name"]: not peer.get("offline", False) for peer in cluster.get("replicas") or ()}
        if leader:
            servers[leader] = True
        return cls(
            metadata.get("mtd-log-id", ""),
            metadata.get("mtd-format", ""),
            answer["created"],
            state["first_seq"],
            state["last_seq"],
            state["messages"],
            state["bytes"],
            config["max_bytes"],
            config["num_replicas"],
            config.get("persist_mode", "") == "async",
            leader,
            servers,
        )


def log_name(settings: EventLogConfig, collector_id: str) -> str:
    """Return the name of a hub's log. Raises Misconfigured if one has to be chosen."""
    name = settings.jetstream.name or collector_id
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise Misconfigured(
            f"{name!r} can't be the name of a stream: set event_log.jetstream.name, of letters, digits, _ and -"
        )
    return name


class Stream:
    """The stream of the log of this name."""

    def __init__(self, connection: Connection, settings: EventLogConfig, name: str) -> None:
        self._connection = connection
        self._settings = settings
        prefix = settings.jetstream.stream_prefix
        self.name = f"{prefix}-log-{name}"
        self.subject = f"{prefix}.log.{name}"
        self.call_subject = f"{prefix}.writer.{name}"

    async def info(self) -> StreamInfo:
        """Ask the stream's leader. Raises NotFound if there is no such stream."""
        try:
            return StreamInfo.of(await self._connection.insist(f"STREAM.INFO.{self.name}"))
        except ApiError as error:
            if error.code == _NOT_FOUND:
                raise NotFound(f"there is no stream {self.name}") from error
            raise

    async def open(self) -> StreamInfo:
        """Make the stream if it isn't there, and bring its limits to what the configuration says."""
        try:
            info = await self.info()
        except NotFound:
            info = await self._make()
        if not info.log_id or info.format != FORMAT:
            raise Misconfigured(
                f"the stream {self.name} is no log that this version of mtd can use (format {info.format or 'unknown'});"
                " set another event_log.jetstream.name"
            )
        if info.replicas != self._settings.jetstream.replicas or info.max_bytes != self._max_bytes:
            await self._change(info.log_id)
            info = await self.info()
        return info

    @property
    def _max_bytes(self) -> int:
        return self._settings.max_bytes + SPARE_BYTES

    async def _make(self) -> StreamInfo:
        try:
            await self._connection.api(f"STREAM.CREATE.{self.name}", self._config(str(uuid.uuid4())))
        except ApiError as error:
            if error.code in _MISTAKES:
                raise _unusable(error, self._settings) from error
            if error.code != _EXISTS:  # another process was quicker
                raise
        except StreamFull as error:
            raise _unusable(error, self._settings) from error
        return await self.info()

    async def _change(self, log_id: str) -> None:
        try:
            await self._connection.api(f"STREAM.UPDATE.{self.name}", self._config(log_id))
        except (ApiError, StreamFull) as error:
            if isinstance(error, ApiError) and error.code not in _MISTAKES:
                raise
            raise _unusable(error, self._settings) from error

    def _config(self, log_id: str) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": "event log of mtd",
            "subjects": [f"{self.subject}.*"],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "max_bytes": self._max_bytes,
            "num_replicas": self._settings.jetstream.replicas,
            "allow_direct": True,
            "deny_delete": True,
            "metadata": {"mtd-log-id": log_id, "mtd-format": FORMAT},
        }

    # -- reading -------------------------------------------------------------

    async def headers(self, first: int, last: int) -> AsyncIterator[Message]:
        """Yield the headers of all messages from one number to another, as many as there are."""
        if first > last:
            return
        connection = self._connection
        config = {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": first,
            "ack_policy": "none",
            "max_deliver": 1,
            "headers_only": True,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _CONSUMER_LIVES_NS,
        }
        made = await connection.api(
            f"CONSUMER.CREATE.{self.name}", {"stream_name": self.name, "config": config}
        )
        consumer = made["name"]
        inbox = connection.new_inbox()
        subscription = await connection.subscribe(inbox)
        try:
            async for message in self._pulled(consumer, inbox, subscription.next_msg, last):
                yield message
        finally:
            with contextlib.suppress(Exception):
                await subscription.unsubscribe()
                await connection.api(f"CONSUMER.DELETE.{self.name}.{consumer}")

    async def _pulled(self, consumer: str, inbox: str, take: Any, last: int) -> AsyncIterator[Message]:
        timeout_s = self._settings.jetstream.request_timeout_s
        expires_ns = int(timeout_s / 2 * _SECONDS_NS)
        body = json.dumps({"batch": _HEADERS_AT_ONCE, "expires": expires_ns}).encode()
        number, before = 0, -1
        while number < last:
            if number == before:
                raise NatsAway(f"the stream {self.name} doesn't give its messages behind {number}")
            before = number
            await self._connection.publish(f"$JS.API.CONSUMER.MSG.NEXT.{self.name}.{consumer}", body, inbox)
            for _ in range(_HEADERS_AT_ONCE):
                try:
                    message: Msg = await take(timeout=timeout_s)
                except (TimeoutError, nats.errors.Error) as error:
                    raise NatsAway(f"the stream {self.name} stopped answering while it was read") from error
                headers = message.headers or {}
                if "Status" in headers:
                    break
                # Where it is stands in the subject by which it would be confirmed, fourth from the end.
                number = int(message.reply.split(".")[-4])
                if number <= last:
                    yield Message(number, headers)
                if number >= last:
                    return

    async def read(self, first: int, last: int, limit_bytes: int) -> list[Message]:
        """Return messages with their bodies, from one number on, as far as one answer goes."""
        answer = await self._connection.gather(
            f"DIRECT.GET.{self.name}", {"seq": first, "batch": last + 1 - first, "max_bytes": limit_bytes}
        )
        found = [_message(message) for message in answer]
        return [message for message in found if message.number <= last]

    async def get(self, number: int) -> Message | None:
        """Ask the leader for a message; None if it doesn't have it."""
        try:
            answer = await self._connection.api(f"STREAM.MSG.GET.{self.name}", {"seq": number})
        except ApiError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        found = answer["message"]
        lines = base64.b64decode(found.get("hdrs", "")).decode(errors="replace").split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        return Message(number, headers, base64.b64decode(found.get("data", "")))

    async def purge(self, before: int) -> None:
        """Forget all messages in front of a number."""
        await self._connection.api(f"STREAM.PURGE.{self.name}", {"seq": before})


def _message(message: Msg) -> Message:
    headers: dict[str, str] = message.headers or {}
    return Message(int(headers["Nats-Sequence"]), headers, message.data)


def _unusable(error: Exception, settings: EventLogConfig) -> Misconfigured:
    return Misconfigured(
        f"the stream of the event log can't be made: {error}; event_log.max_bytes ({settings.max_bytes},"
        f" and {SPARE_BYTES} to spare) has to fit into the servers' max_file_store, and"
        f" event_log.jetstream.replicas ({settings.jetstream.replicas}) needs as many servers"
    )
