"""A batch, or a message of state, as messages of the stream; and back.

What must be known without reading a body stands in the headers:

==================  =========================================================
``Mtd-Kind``        ``batch`` or ``state``
``Mtd-Uid``         names one attempt to append, of one process: ``<writer>.<number>``
``Mtd-Part``        ``<this>/<all>``: more than one where a message would be too large
``Mtd-Seqs``        first and last position of the batch, as ``1-20``
``Mtd-At``          microseconds since the epoch
``Mtd-Crc``         of all parts together, and of place and time
``Mtd-Size``        bytes of all parts together
``Mtd-Batch-Id``    in hexadecimal, if the batch has one
``Mtd-Source``      ``<log id>:<first>-<last>``, if it comes from another log
==================  =========================================================
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import Source

BATCH = "batch"
STATE = "state"
# What a message takes besides its body: headers, subject, and JetStream's own record.
OVERHEAD_BYTES = 400


@dataclass(frozen=True, slots=True)
class Head:
    """What the headers of a batch, or of a message of state, say. ``first_seq`` to ``last_seq`` is empty for a state."""

    kind: str
    uid: str
    first_seq: int
    last_seq: int
    at_us: int
    crc: int
    size: int
    batch_id: bytes | None = None
    source: Source | None = None
    parts: int = 1

    @property
    def writer(self) -> str:
        """Which process stored it."""
        return self.uid.partition(".")[0]

    @property
    def stored_bytes(self) -> int:
        """What it takes of the quota."""
        return self.size + OVERHEAD_BYTES * self.parts

    def headers(self, part: int) -> dict[str, str]:
        """Return the headers of one of its messages; parts are counted from 1."""
        found = {
            "Mtd-Kind": self.kind,
            "Mtd-Uid": self.uid,
            "Mtd-Part": f"{part}/{self.parts}",
            "Mtd-Seqs": f"{self.first_seq}-{self.last_seq}",
            "Mtd-At": str(self.at_us),
            "Mtd-Crc": str(self.crc),
            "Mtd-Size": str(self.size),
        }
        if self.batch_id is not None:
            found["Mtd-Batch-Id"] = self.batch_id.hex()
        if self.source is not None:
            # A log's id is whatever an edge calls it; headers are lines.
            log_id = quote(self.source.log_id, safe="")
            found["Mtd-Source"] = f"{log_id}:{self.source.first_seq}-{self.source.last_seq}"
        return found


@dataclass(frozen=True, slots=True)
class Placed:
    """A whole batch or state, and where its messages are in the stream; ``body`` if it was read."""

    head: Head
    first_message: int
    last_message: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was read; ``body`` is empty where only headers were asked for."""

    number: int
    headers: Mapping[str, str]
    body: bytes = b""


def place_crc(first_seq: int, last_seq: int, at_us: int, body_crc: int) -> int:
    """Return the checksum of a batch at its place, from that of its body."""
    return zlib.crc32(b"%d,%d,%d,%d" % (first_seq, last_seq, at_us, body_crc))


def cut(body: bytes, chunk_bytes: int) -> Iterator[bytes]:
    """Yield a body in parts of at most so many bytes; one if it is empty."""
    for start in range(0, len(body) or 1, chunk_bytes):
        yield body[start : start + chunk_bytes]


def parse(headers: Mapping[str, str]) -> tuple[Head, int]:
    """Return what headers say, and which part it is. Raises ValueError if they are none of ours."""
    try:
        part, parts = map(int, headers["Mtd-Part"].split("/"))
        first_seq, last_seq = map(int, headers["Mtd-Seqs"].split("-"))
        batch_id = headers.get("Mtd-Batch-Id")
        head = Head(
            headers["Mtd-Kind"],
            headers["Mtd-Uid"],
            first_seq,
            last_seq,
            int(headers["Mtd-At"]),
            int(headers["Mtd-Crc"]),
            int(headers["Mtd-Size"]),
            None if batch_id is None else bytes.fromhex(batch_id),
            _source(headers.get("Mtd-Source")),
            parts,
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"headers that mtd didn't write: {error}") from error
    if not 1 <= part <= parts or head.kind not in (BATCH, STATE):
        raise ValueError("headers that mtd didn't write")
    return head, part


def _source(text: str | None) -> Source | None:
    if text is None:
        return None
    log_id, _, seqs = text.rpartition(":")
    first, last = map(int, seqs.split("-"))
    return Source(unquote(log_id), first, last)


class Assembler:
    """Puts parts together as they come. What a broken attempt left is passed over, and counted."""

    def __init__(self) -> None:
        self._head: Head | None = None
        self._first_message = 0
        self._bodies: list[bytes] = []
        self.strangers = 0
        self.orphans = 0

    def add(self, message: Message) -> Placed | None:
        """Take the next message of the stream; return what it completes."""
        try:
            head, part = parse(message.headers)
        except ValueError:
            self.strangers += 1
            self._forget()
            return None
        if part == 1:
            self._forget()
            self._head, self._first_message = head, message.number
        elif not self._goes_on(head, part, message.number):
            self._forget()
            self.orphans += 1
            return None
        self._bodies.append(message.body)
        if part < head.parts:
            return None
        placed = Placed(head, self._first_message, message.number, b"".join(self._bodies))
        self._head, self._bodies = None, []
        return placed

    def _goes_on(self, head: Head, part: int, number: int) -> bool:
        known = self._head
        return (
            known is not None
            and head == known
            and part == len(self._bodies) + 1
            and number == self._first_message + part - 1
        )

    def _forget(self) -> None:
        self.orphans += len(self._bodies)
        self._head, self._bodies = None, []


def assemble(messages: Iterable[Message]) -> Iterator[Placed]:
    """Yield what whole batches and states there are in messages, in order."""
    assembler = Assembler()
    for message in messages:
        placed = assembler.add(message)
        if placed is not None:
            yield placed


def check(placed: Placed) -> None:
    """Raise LogDamaged unless the body is what was stored."""
    head = placed.head
    found = place_crc(head.first_seq, head.last_seq, head.at_us, zlib.crc32(placed.body))
    if found != head.crc or len(placed.body) != head.size:
        raise LogDamaged(head.first_seq, head.last_seq, "checksum differs")
