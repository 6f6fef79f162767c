"""What glibc's allocator keeps, kept small.

By default glibc learns from each large block that is freed to take the next one as large from its
heap, up to 32 MB. A daemon makes texts for PostgreSQL, replies and reading buffers of 16 to 250 kB
many times a second. Between them lie thousands of blocks of one or two kB that are replaced each
second: what a router told last. These come to lie all over the heap, until no gap in it is large
enough for the next large block, and the heap is extended although most of it is free: by three MiB a
minute with 200 routers, of which one stayed resident (docs/pressure.md). So a large block has pages of
its own and gives them back at once, which costs some microseconds; what remains in the heap is small
and fits the gaps. And now and then what is free between blocks that last is given back as well.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import time

from mtd.core.metrics import Histogram

logger = logging.getLogger(__name__)

TRIMS = Histogram(
    "mtd_core_memory_trim_seconds",
    "Time that it took, in a thread, to give free pages of the heap back to the system.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_LARGE_BYTES = 16 * 1024
_LARGE_BLOCKS = 16 * 1024  # further ones lie in the heap: a process may have 65,530 mappings by default
_SPARE_BYTES = 1024 * 1024
_TRIM_S = 60.0
_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


class SmallHeap:
    """glibc's heap, if that is whose it is: not with another C library or allocator, nor where the environment decides."""

    def __init__(self) -> None:
        self._libc: ctypes.CDLL | None = None

    def begin(self) -> bool:
        """Have large blocks taken from the system, and what is free at the heap's end given back; return whether it is done."""
        if any(os.environ.get(name) for name in _VARIABLES):
            return False
        try:
            libc = ctypes.CDLL("libc.so.6")
            done = all(
                (
                    libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES),
                    libc.mallopt(_M_MMAP_MAX, _LARGE_BLOCKS),
                    libc.mallopt(_M_TRIM_THRESHOLD, _SPARE_BYTES),
                )
            )
        except (OSError, AttributeError):
            logger.debug("memory: this isn't glibc, its allocator is left alone")
            return False
        self._libc = libc if done else None
        return bool(done)

    async def keep_small(self) -> None:
        """Give back what is free, each minute, until cancelled."""
        while self._libc is not None:
            await asyncio.sleep(_TRIM_S)
            await asyncio.to_thread(self.trim)

    def trim(self) -> None:
        """Give free pages back to the system. Who wants memory meanwhile waits: of a heap of 150 MB 6 ms at first, then one."""
        if self._libc is None:
            return
        began = time.perf_counter()
        self._libc.malloc_trim(0)
        TRIMS.observe(time.perf_counter() - began)
