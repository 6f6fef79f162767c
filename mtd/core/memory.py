"""What glibc's allocator keeps, kept small.

By default glibc learns from each large block that is freed to take the next one as large from its
heap, up to 32 MB. A daemon makes megabytes of text for PostgreSQL and of replies many times a second,
and small things that last come to lie between them: the heap grows for hours by pages that hold next
to nothing. With a threshold that stays, a large block has pages of its own and gives them back at once.
"""

from __future__ import annotations

import ctypes
import logging
import os

logger = logging.getLogger(__name__)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 256 * 1024
_SPARE_BYTES = 1024 * 1024
_VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_heap_small() -> bool:
    """Tell glibc to take large blocks from the system and to give back what is free at the heap's end.

    Returns whether that was done: not with another C library or allocator, nor where the
    environment says how memory is to be had.
    """
    if any(os.environ.get(name) for name in _VARIABLES):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        logger.debug("memory: this isn't glibc, its allocator is left alone")
        return False
    done = bool(mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
    return bool(mallopt(_M_TRIM_THRESHOLD, _SPARE_BYTES)) and done
