"""The process that reads large batches: ``python -m mtd.ingest.push.parser``.

Reads limits and a body from standard input, writes what it read in small parts
to standard output, and so on until standard input ends: it doesn't outlive
the daemon.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, NamedTuple

import orjson

from mtd.ingest.push.payload import read_payload
from mtd.ingest.push.reading import read_part, write_part
from mtd.ingest.push.rows import PushBatch, TooLarge, Unreadable

_VALUES_OF_A_PART = 2000


def main() -> int:
    """Read bodies until there are no more; return the exit code."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            limits = orjson.loads(read_part(source))
            body = read_part(source)
        except EOFError:
            return 0
        _answer(target, body, limits)
        target.flush()


def _answer(target: IO[bytes], body: bytes, limits: dict[str, int]) -> None:
    try:
        batch = read_payload(body, limits["max_values"], limits["max_events"])
    except (Unreadable, TooLarge) as error:
        write_part(target, orjson.dumps({"error": type(error).__name__, "text": str(error)}))
        return
    head = {
        "digest": batch.digest.hex(),
        "batch_id": batch.batch_id,
        "group": batch.group,
        "problems": [tuple(one) for one in batch.problems],
        "warnings": batch.warnings,
    }
    write_part(target, orjson.dumps(head))
    for part in _parts(batch):
        write_part(target, part)
    write_part(target, b"")


def _parts(batch: PushBatch) -> Iterator[bytes]:
    rows: list[NamedTuple] = []
    values = 0
    for sample in batch.samples:
        rows.append(sample)
        values += len(sample.metrics)
        if values >= _VALUES_OF_A_PART:
            yield _part("samples", "events", rows)
            rows, values = [], 0
    if rows:
        yield _part("samples", "events", rows)
    events = iter(batch.events)
    while some := list(islice(events, _VALUES_OF_A_PART // 10)):
        yield _part("events", "samples", some)


def _part(key: str, other: str, rows: Sequence[NamedTuple]) -> bytes:
    return orjson.dumps({key: [tuple(row) for row in rows], other: []})


if __name__ == "__main__":
    sys.exit(main())
