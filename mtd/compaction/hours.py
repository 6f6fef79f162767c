"""Emptied partitions of frames leave, without holding up those who write or read for more than a moment.

A partition is detached, what slipped in meanwhile is put back (and compacted as
late frames are), and it is dropped. What a crash cut off is finished first
thing in the next round.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mtd.compaction.messages import HourDropped, Trouble
from mtd.core.errors import MtdError
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.cold.upkeep import detach_frames, is_watched, never_used, patience
from mtd.storage.errors import StorageUnavailable

logger = logging.getLogger(__name__)

_TRY_AGAIN_S = 0.3
_PUT_BACK_MS = 5000
_OFTEN = 40
"""Tries after which it is told, time and again, that somebody always looks."""
# A transaction open this long may stay open longer: trying would only make others wait.
_OLD_S = 1.0


class HourRemover:
    """Removes partitions of frames that hold nothing any more.

    ``wait`` sleeps for some seconds; with ``tries`` it is tried so often in one
    round: somebody's query, or autovacuum, may just be looking.
    """

    def __init__(
        self,
        connection: ColdConnection,
        say: Callable[[HourDropped | Trouble], None],
        wait: Callable[[float], object],
        *,
        tries: int = 1,
    ) -> None:
        self._connection = connection
        self._partitions = ColdPartitions(connection)
        self._say = say
        self._wait = wait
        self._tries = tries
        self._failed: Counter[str] = Counter()

    def finish(self) -> None:
        """Finish what was begun before, by a worker that was killed."""
        if self._partitions.retired():
            with self._told("what was detached before"):
                self._put_back()

    def remove(self, before_us: int, unused_before_us: int) -> None:
        """Remove the empty partitions that end at or before a time; those that never held anything, at or before another.

        The hour before this one is made again by those who make them ahead.
        """
        for partition in self._partitions.empty_frames(before_us):
            if partition.end_us > unused_before_us and never_used(self._connection, partition.name):
                continue
            with self._told(partition.name):
                self._remove(partition.name)

    def _remove(self, name: str) -> None:
        for left in reversed(range(self._tries)):
            try:
                if is_watched(self._connection, name, _OLD_S):
                    raise StorageUnavailable("a transaction that is open for long looks at it")
                detach_frames(self._connection, name)
                break
            except StorageUnavailable as error:
                self._failed[name] += 1
                if self._connection.broken or self._failed[name] % _OFTEN == 0:
                    raise
                logger.debug("%s isn't to be had right now: %s", name, error)
            if not left:
                return  # in the next round, then
            self._wait(_TRY_AGAIN_S)
        del self._failed[name]
        self._put_back()

    def _put_back(self) -> None:
        with patience(self._connection, _PUT_BACK_MS):
            names = self._partitions.finish_retiring()
        for name in names:
            self._say(HourDropped(name))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except MtdError as error:
            if self._connection.broken:
                raise
            self._say(Trouble("partition", f"{what} couldn't be removed yet: {error}"))
