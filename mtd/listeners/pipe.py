"""What the processes that receive and the daemon tell each other through pipes.

From the daemon, JSON lines: the first says how to work, each other one what is known of senders now. To the daemon,
frames: a byte that says what it is, four for the length (big-endian), and what is to be recorded, or JSON of what
was counted.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator

from mtd.core.errors import Bug

PORTION, COUNTS = b"P", b"C"
_HEAD = struct.Struct(">cI")
_MOST_BYTES = 64 * 2**20


def frame(kind: bytes, body: bytes) -> bytes:
    """Return a frame."""
    return _HEAD.pack(kind, len(body)) + body


async def frames_of(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    """Yield kind and body of frames until the end; one that is cut off by it is left out. Raises Bug for others."""
    while True:
        try:
            kind, length = _HEAD.unpack(await reader.readexactly(_HEAD.size))
            if kind not in (PORTION, COUNTS) or length > _MOST_BYTES:
                raise Bug(f"a worker says what nobody understands: {kind!r}, {length} bytes")
            yield kind, await reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return
