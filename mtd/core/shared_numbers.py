"""Numbers in memory that two processes share: what one wrote stands there for the other, however it ended."""

from __future__ import annotations

import mmap
import os

_NUMBER_BYTES = 8


class SharedNumbers:
    """``view`` is an array of unsigned 64-bit numbers, all 0 at first. Each is written whole, whenever its writer is killed.

    ``fd``: of another process's, which inherited the descriptor; without it, new ones are made, which take memory
    only where something was written.
    """

    def __init__(self, count: int, fd: int | None = None) -> None:
        if fd is None:
            fd = os.memfd_create("mtd")
            os.ftruncate(fd, count * _NUMBER_BYTES)
        self.fd = fd
        self._map = mmap.mmap(fd, count * _NUMBER_BYTES)
        self.view = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """Give them back; the other process keeps its own."""
        self.view.release()
        self._map.close()
        os.close(self.fd)
