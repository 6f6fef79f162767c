"""Batches that wait to be stored, and what else waits for its turn."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.eventlog.encoding import encode_batch
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.interfaces import AppendResult, Source

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

Encoded = tuple[bytes, int]
"""A batch as bytes, and their checksum."""


@dataclass(slots=True, eq=False)
class Pending:
    """A batch on its way to the stream, and who waits for it. ``encoded`` is made by a thread."""

    envelopes: Sequence[Envelope]
    batch_id: bytes | None
    source: Source | None
    done: asyncio.Future[AppendResult]
    since: float
    encoded: asyncio.Future[Encoded]
    uid: str

    def settle(self, result: AppendResult | Exception) -> None:
        """Tell who waits, if they still do."""
        if not self.encoded.done():
            self.encoded.cancel()
        if self.done.done():
            return
        if isinstance(result, Exception):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


@dataclass(slots=True, eq=False)
class Job:
    """Something to be done between two batches; trouble with the servers has it done again."""

    work: Callable[[], Awaitable[int]]
    done: asyncio.Future[int]

    async def run(self) -> None:
        """Do it, and tell of it."""
        try:
            result = await self.work()
        except LogUnavailable:
            raise  # it is done again, or given up with all that waits
        except Exception as error:
            self.fail(error)
            return
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: Exception) -> None:
        """Give it up."""
        if not self.done.done():
            self.done.set_exception(error)


def encode(envelopes: Sequence[Envelope]) -> Encoded:
    """Return a batch as bytes, and their checksum. For a thread: large ones take a while."""
    body = encode_batch(envelopes)
    return body, zlib.crc32(body)
