"""Rounds: minutes that are due, oldest first, then hours whose minutes are all summed up."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from mtd.codec.blocks.planes import Damaged
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.flowsums.buckets import BucketSummer, Outcome
from mtd.flowsums.messages import BucketFailed, Message, RoundDone
from mtd.storage.cold.connection import ColdConnection, Overtaken
from mtd.storage.cold.flows import MINUTE_S, Bucket, due_hours, due_minutes, oldest_due_us
from mtd.storage.config import StorageConfig
from mtd.storage.errors import Duplicate, RowUnusable, StatementRejected
from mtd.storage.retention import Retention

logger = logging.getLogger(__name__)

AT_ONCE = 500
"""Minutes, and hours, of one round."""
_TRIES = 3
_FAILED_WAIT_S = 600.0
_US = 1_000_000

Say = Callable[[Message], None]


class Rounds:
    """Does rounds on a connection of its own. A context manager; a database that is away ends it."""

    def __init__(
        self,
        dsn: str,
        settings: StorageConfig,
        say: Say,
        stop: threading.Event,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = settings.flow_sums
        self._say = say
        self._stop = stop
        self._clock = clock
        self._connection = ColdConnection(dsn, "mtd flow sums")
        self._summer = BucketSummer(self._connection, Retention(settings.retention), clock)
        self._failed: dict[Bucket, float] = {}
        self._records = self._mismatches = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def run(self) -> RoundDone:
        """Sum up what is due, up to a number of minutes and hours.

        Raises StorageUnavailable when the database is away. What fails else is said, and tried again later.
        """
        cpu = time.process_time()
        self._records = self._mismatches = 0
        ended_us = self._clock.now_us() - self._wait_us
        # What failed is among what is due: it must not hide what comes behind it.
        most = AT_ONCE + len(self._failed)
        minutes = self._work(due_minutes(self._connection, ended_us, self._config.late_wait_s, most))
        # An hour waits as long again, for its last minute.
        hours = self._work(due_hours(self._connection, ended_us - MINUTE_S * _US - self._wait_us, most))
        self._forget_failed()
        done = RoundDone(
            minutes,
            hours,
            self._records,
            self._mismatches,
            len(self._failed),
            self._lag_s(),
            round(time.process_time() - cpu, 6),
            max(minutes, hours) >= AT_ONCE,
        )
        self._say(done)
        return done

    @property
    def _wait_us(self) -> int:
        return int(self._config.close_after_s * _US)

    def _lag_s(self) -> float:
        oldest_us = oldest_due_us(self._connection)
        if oldest_us is None:
            return 0.0
        due_us = oldest_us + MINUTE_S * _US + self._wait_us
        return round(max(0.0, (self._clock.now_us() - due_us) / _US), 3)

    def _work(self, due: Sequence[Bucket]) -> int:
        """Sum up buckets; return how many."""
        done = 0
        for bucket in due:
            if self._stop.is_set() or done >= AT_ONCE:
                break
            if self._clock.monotonic() - self._failed.get(bucket, -math.inf) >= _FAILED_WAIT_S:
                done += self._attempt(bucket)
        return done

    def _attempt(self, bucket: Bucket) -> bool:
        """Sum a bucket up; whether that is done."""
        try:
            outcome = self._try(bucket)
        except Exception as error:
            if self._connection.broken:
                raise
            self._failed[bucket] = self._clock.monotonic()
            reason = _reason_of(error)
            if reason == "bug":
                logger.error("summing up %s failed", bucket, exc_info=error)
            self._tell(bucket, reason, str(error) or type(error).__name__, again=True)
            return False
        self._failed.pop(bucket, None)
        self._records += outcome.records
        self._mismatches += outcome.mismatches
        for one in outcome.left_out if outcome.done else ():
            self._tell(bucket, one.reason, one.text, count=one.count)
        return outcome.done

    def _try(self, bucket: Bucket) -> Outcome:
        for left in reversed(range(_TRIES)):
            try:
                return self._summer.sum_up(bucket)
            except Overtaken:
                continue  # more of it came meanwhile
            except StatementRejected as error:
                if not left or not error.no_partition:
                    raise
                self._summer.forget()
        return Outcome()  # it is changed all the time: the next round looks at it again

    def _tell(self, bucket: Bucket, reason: str, text: str, *, again: bool = False, count: int = 1) -> None:
        self._say(
            BucketFailed(
                bucket.tenant_id,
                bucket.device_id,
                bucket.seconds,
                bucket.start_us,
                reason,
                text,
                again,
                count,
            )
        )

    def _forget_failed(self) -> None:
        """Forget what failed long ago: it was tried again, or isn't due any more."""
        now = self._clock.monotonic()
        for bucket in [one for one, at in self._failed.items() if now - at > 2 * _FAILED_WAIT_S]:
            del self._failed[bucket]


def _reason_of(error: Exception) -> str:
    if isinstance(error, Damaged | RowUnusable | Duplicate):
        return "damaged"
    return "database" if isinstance(error, MtdError) else "bug"
