"""The write-ahead file, where a bit that flips would cost all that was committed behind it.

SQLite ends its recovery at the first frame that fails its checksum, without a word: right for a write that a power
cut tore, wrong for a spoiled disk. A torn write is the last thing in the file. Where a whole commit and more follow, frames
were durable and were spoiled later; then the checksums are made anew, the frames behind count again, and what was
spoiled itself is found by the checksums of the log's batches.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt

# What each of our files begins with: big pages, checksums of little-endian words.
_MAGIC = 0x377F0682
_FORMAT = 3_007_000
_MOST_BYTES = 512 * 1024 * 1024
_HEADER = struct.Struct(">8I")  # magic, format, page size, checkpoint number, two salts, two checksums
_FRAME = struct.Struct(">6I")  # page number, pages after a commit or 0, two salts, two checksums

Words = npt.NDArray[np.uint32]


class WalFile:
    """The frames of a write-ahead file, and their checksums."""

    def __init__(self, content: bytes, page_bytes: int) -> None:
        self.content = bytearray(content)
        self._page_bytes = page_bytes
        self._frame_bytes = _FRAME.size + page_bytes
        self._weights = _weights(2 + page_bytes // 4)
        frames = max(0, len(content) - _HEADER.size) // self._frame_bytes
        self._heads = [_FRAME.unpack_from(content, self._at(number)) for number in range(frames)]
        self._salts = self._salts_of_most()
        # What was written since the last reset; what lies behind is of former times.
        own = [number for number, head in enumerate(self._heads) if head[2:4] == self._salts]
        self._end = own[-1] + 1 if own else 0

    def mend(self) -> str:
        """Make checksums anew if durable frames were spoiled; return what was wrong, empty if nothing was."""
        spoiled = self._first_spoiled()
        if spoiled is None or not self._followed_by_more(spoiled):
            return ""
        self._seal()
        where = "its header" if spoiled < 0 else f"frame {spoiled + 1} of {self._end}"
        return f"{where} of the write-ahead file was damaged; what follows it was saved"

    def _at(self, number: int) -> int:
        return _HEADER.size + number * self._frame_bytes

    def _salts_of_most(self) -> tuple[int, int]:
        """Return the salts of the frames of now: those of the first, by majority."""
        if not self._heads:
            return (0, 0)
        header = _HEADER.unpack_from(self.content)
        if header[4:6] == self._heads[0][2:4]:
            return (header[4], header[5])
        first = Counter(head[2:4] for head in self._heads[:5]).most_common(1)[0][0]
        return (first[0], first[1])

    def _first_spoiled(self) -> int | None:
        """Return the number of the first frame that SQLite wouldn't take, -1 for the header."""
        if not self._end:
            return None
        magic, form, page_bytes, _, *salts, first, second = _HEADER.unpack_from(self.content)
        sums = self._sum((0, 0), self._words(0, _HEADER.size - 8))
        if (magic, form, page_bytes) != (_MAGIC, _FORMAT, self._page_bytes) or (first, second) != sums:
            return -1
        if tuple(salts) != self._salts:
            return -1
        for number in range(self._end):
            head = self._heads[number]
            sums = self._sum(sums, self._checked_words(number))
            if head[2:4] != self._salts or head[4:6] != sums or not head[0]:
                return number
        return None

    def _followed_by_more(self, spoiled: int) -> bool:
        """Whether a commit ends at or behind a frame, and another was begun behind that."""
        return any(self._heads[number][1] for number in range(max(0, spoiled), self._end - 1))

    def _seal(self) -> None:
        """Write header and checksums as SQLite wants them."""
        number = _HEADER.unpack_from(self.content)[3]
        _HEADER.pack_into(self.content, 0, _MAGIC, _FORMAT, self._page_bytes, number, *self._salts, 0, 0)
        sums = self._sum((0, 0), self._words(0, _HEADER.size - 8))
        struct.pack_into(">2I", self.content, _HEADER.size - 8, *sums)
        for frame in range(self._end):
            at = self._at(frame)
            struct.pack_into(">2I", self.content, at + 8, *self._salts)
            sums = self._sum(sums, self._checked_words(frame))
            struct.pack_into(">2I", self.content, at + 16, *sums)

    def _checked_words(self, number: int) -> Words:
        at = self._at(number)
        return np.concatenate([self._words(at, 8), self._words(at + _FRAME.size, self._page_bytes)])

    def _words(self, at: int, size: int) -> Words:
        return np.frombuffer(self.content, dtype="<u4", count=size // 4, offset=at).astype(np.uint32)

    def _sum(self, sums: tuple[int, int], words: Words) -> tuple[int, int]:
        """Return SQLite's checksum after more words: s0 += x + s1; s1 += y + s0, all modulo 2^32."""
        # The same as a sum of the words, each times a number of Fibonacci: all at once.
        values = np.concatenate([np.array(sums, dtype=np.uint32), words])
        weights = self._weights[:, -len(values) :]
        first, second = (np.multiply(values, row, dtype=np.uint32).sum(dtype=np.uint32) for row in weights)
        return int(first), int(second)


def _weights(words: int) -> Words:
    """Return how often each of (s0, s1, x, y, x, y, ...) is in the two sums at the end."""
    count = words + 2
    weights = np.zeros((2, count), dtype=np.uint64)
    # After a pair: s0' = s0 + x + s1, s1' = s1 + y + s0'. Backwards from the end: the weights of (s0', s1')
    # become those of s0, s1, x and y.
    ends = np.array([[1, 0], [0, 1]], dtype=np.uint64)  # of s0' and s1', in each of the two sums
    for at in range(count - 2, 0, -2):
        both = (ends[:, 0] + ends[:, 1]) % 2**32
        weights[:, at], weights[:, at + 1] = both, ends[:, 1]  # x counts as s0 does, y only for s1'
        ends = np.stack([both, (both + ends[:, 1]) % 2**32], axis=1)
    weights[:, :2] = ends
    return weights.astype(np.uint32)


def mend_wal(path: Path, page_bytes: int, aside: Path) -> str:
    """Mend a write-ahead file before SQLite reads it; what it was is kept ``aside``. Return what was wrong.

    Nobody may have the database open. Raises OSError.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            return ""  # far more than we let it grow to: memory is worth more
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    wal = WalFile(content, page_bytes)
    wrong = wal.mend()
    if wrong:
        aside.touch(mode=0o600)
        aside.write_bytes(content)
        # In place: pages stay as they are, so that a crash in the middle leaves what can be mended again.
        with path.open("r+b") as file:
            file.write(wal.content)
            file.flush()
            os.fsync(file.fileno())
    return wrong
