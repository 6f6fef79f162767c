"""Rounds: what is due, oldest first, within a budget; then what became empty, finished days, and old blocks."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from mtd.codec.blocks import Damaged
from mtd.compaction.days import DayMerger
from mtd.compaction.dense import Recoder
from mtd.compaction.due import Due, due_units
from mtd.compaction.encoding import Unfaithful
from mtd.compaction.hours import HourRemover
from mtd.compaction.messages import Message, Progress, RoundDone, Trouble, UnitDone, UnitFailed
from mtd.compaction.store import Changed, Unit, UnitStore
from mtd.compaction.unit import UnitCompactor
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Bug, MtdError, Refused, Retryable
from mtd.storage.cold.connection import ColdConnection, Overtaken
from mtd.storage.cold.frames import closed_hours
from mtd.storage.cold.series import tenant_names
from mtd.storage.cold.upkeep import one_round
from mtd.storage.config import StorageConfig
from mtd.storage.errors import Duplicate, StatementRejected
from mtd.storage.partitioned import HOUR_US
from mtd.storage.retention import RetentionClasses

logger = logging.getLogger(__name__)

_TRIES = 5
_TRY_AGAIN_S = 0.05
_FAILED_WAIT_S = 600.0
_PROGRESS_S = 5.0
_BESIDE_S = 60.0
"""How long merging and recoding each may take in a round."""
_LATE_HOURS = 25
_US = 1_000_000

Say = Callable[[Message], None]


class Rounds:
    """Does rounds on a connection of its own. A context manager; a database that is away ends it.

    ``patient``: keeps to the budget, and lets late frames wait for others.
    """

    def __init__(
        self,
        dsn: str,
        settings: StorageConfig,
        say: Say,
        stop: threading.Event,
        *,
        patient: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.config = settings.compaction
        self._retention = settings.retention
        self.say = say
        self.stop = stop
        self.patient = patient
        self.clock = clock
        self.connection = ColdConnection(dsn, "mtd compaction" if patient else "mtd storage compact")
        self.store = UnitStore(self.connection, settings.retention, clock)
        self.compactor = UnitCompactor(self.store)
        self.remover = HourRemover(self.connection, say, stop.wait, tries=1 if patient else 5)
        self.days = DayMerger(self.connection, say, clock)
        self.recoder = Recoder(self.connection, settings.blocks.dense_after_days, say, clock)
        self.seen: dict[Unit, float] = {}
        self.failed: dict[Unit, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def run(self, until_us: int | None = None) -> RoundDone:
        """Do what is due: hours that ended long enough ago, or at a time.

        Raises StorageUnavailable when the database is away. What fails else is
        said, and tried again later.
        """
        if until_us is None:
            until_us = self.clock.now_us() - int(self.config.close_after_s * _US)
        with one_round(self.connection, self.stop.wait, self.stop.is_set, self._tell_waiting) as mine:
            if not mine:
                return RoundDone(0, 0, 0, 0.0, 0, 0, 0, [])
            if self._retention.classes:
                # Anew each time: a tenant may be new, or called differently.
                self.store.classes = RetentionClasses(self._retention, tenant_names(self.connection))
            return _Round(self, until_us).run()

    def _tell_waiting(self, who: str, waited_s: float) -> None:
        # A command that an operator runs may take long; one that hangs is for him to see.
        what = "database" if waited_s > self.config.late_alarm_s else "turn"
        self.say(Trouble(what, f"waits for its turn since {waited_s:.0f} s, it is that of {who}"))


class _Round:
    """One round and its account."""

    def __init__(self, rounds: Rounds, until_us: int) -> None:
        self._rounds = rounds
        self._until_us = until_us
        self._units = self._failures = self._waiting = 0
        self._lag_s = 0.0
        self._unknown: dict[str, int] = {}
        self._busy_since = self._told = rounds.clock.monotonic()

    def run(self) -> RoundDone:
        """Do all of it."""
        rounds = self._rounds
        rounds.remover.finish()
        self._compact_hours()
        merged = recoded = 0
        if not rounds.stop.is_set():
            now_us = rounds.clock.now_us()
            rounds.remover.remove(self._until_us, now_us - now_us % HOUR_US - HOUR_US)
            merged = self._guarded("rollups", lambda: rounds.days.merge(self._for_a_while()))
            recoded = self._guarded("dense", lambda: rounds.recoder.recode(self._for_a_while()))
        done = RoundDone(
            self._units,
            self._failures,
            self._waiting,
            round(self._lag_s, 3),
            merged,
            recoded,
            sum(self._unknown.values()),
            sorted(self._unknown),
        )
        rounds.say(done)
        return done

    def _compact_hours(self) -> None:
        rounds = self._rounds
        hours = closed_hours(rounds.connection, self._until_us)
        still: set[Unit] = set()
        for number, hour_us in enumerate(hours):
            found = due_units(rounds.connection, rounds.store, hour_us)
            for layout_id, count in found.unknown.items():
                self._unknown[layout_id] = self._unknown.get(layout_id, 0) + count
            for place, due in enumerate(found.units):
                if not self._attempt(due):
                    still.add(due.unit)
                self._tell(number, len(hours), place + 1, len(found.units), hour_us)
        for kept in (rounds.seen, rounds.failed):
            for unit in kept.keys() - still:
                del kept[unit]

    def _attempt(self, due: Due) -> bool:
        """Compact a unit unless it has to wait; whether it is done."""
        rounds, unit = self._rounds, due.unit
        if rounds.stop.is_set() or self._must_wait(unit):
            self._note_waiting(unit)
            return False
        try:
            done = self._compact(due)
        except Exception as error:
            if rounds.connection.broken:
                raise
            self._fail(unit, error)
            return False
        if done is not None:
            self._units += 1
            rounds.say(done)
            if done.kind != "repeat":
                rounds.days.touch(unit)
        self._pause()
        return True

    def _compact(self, due: Due) -> UnitDone | None:
        rounds = self._rounds
        dense = rounds.recoder.is_old(due.unit.hour_us)
        backoff = Backoff(first_s=_TRY_AGAIN_S, cap_s=1.0)
        layouts = due.layouts
        for left in reversed(range(_TRIES)):
            try:
                rounds.store.prepare(due.unit, due.tenant_id, layouts)
                return rounds.compactor.compact(due.unit, dense=dense)
            except (Overtaken, Changed, Duplicate, StatementRejected) as error:
                gone = isinstance(error, StatementRejected) and error.no_partition
                if not left or (isinstance(error, StatementRejected) and not gone):
                    raise
                rounds.store.forget()
                rounds.stop.wait(backoff.next_delay())
                layouts = rounds.store.layouts_of(due.unit, due.tenant_id)
        raise Bug("unreachable")

    def _must_wait(self, unit: Unit) -> bool:
        rounds = self._rounds
        now = rounds.clock.monotonic()
        since = rounds.seen.setdefault(unit, now)
        if now - rounds.failed.get(unit, -math.inf) < _FAILED_WAIT_S and rounds.patient:
            return True
        # Others are on their way where some came late: each merge writes the whole hour again.
        return rounds.patient and now - since < rounds.config.late_wait_s and self._is_stored(unit, 1)

    def _is_stored(self, unit: Unit, hours: int) -> bool:
        return self._rounds.store.has_hours(unit, unit.hour_us, unit.hour_us + hours * HOUR_US)

    def _note_waiting(self, unit: Unit) -> None:
        rounds = self._rounds
        self._waiting += 1
        closed_us = unit.hour_us + HOUR_US + int(rounds.config.close_after_s * _US)
        lag_s = (rounds.clock.now_us() - closed_us) / _US
        if lag_s > self._lag_s:
            if self._is_stored(unit, _LATE_HOURS):
                # It came after what is newer was compacted: late since it was seen, not since its hour.
                lag_s = rounds.clock.monotonic() - rounds.seen.get(unit, rounds.clock.monotonic())
            self._lag_s = max(self._lag_s, lag_s)

    def _fail(self, unit: Unit, error: Exception) -> None:
        self._failures += 1
        self._rounds.failed[unit] = self._rounds.clock.monotonic()
        self._note_waiting(unit)
        what = "bug"
        if isinstance(error, Unfaithful):
            what = "verification"
        elif isinstance(error, Refused | Damaged):
            what = "data"
        elif isinstance(error, Retryable):
            what = "database"
        else:
            logger.error("compacting %s failed", unit, exc_info=error)
        reason = str(error) or type(error).__name__
        self._rounds.say(UnitFailed(unit.device_id, unit.poll_group, unit.hour_us, what, reason))

    def _guarded(self, what: str, work: Callable[[], int]) -> int:
        try:
            return work()
        except Exception as error:
            if self._rounds.connection.broken:
                raise
            if not isinstance(error, MtdError):
                logger.error("%s", what, exc_info=error)
            self._rounds.say(Trouble(what, str(error) or type(error).__name__))
            return 0

    def _for_a_while(self) -> Callable[[], bool]:
        """Return ``_pause`` for what can wait: it ends after some time, so that closed hours don't."""
        rounds = self._rounds
        began = rounds.clock.monotonic()
        return lambda: self._pause() and (not rounds.patient or rounds.clock.monotonic() - began < _BESIDE_S)

    def _pause(self) -> bool:
        """Sleep for as long as the budget wants after what was done since the last call; whether to go on."""
        rounds = self._rounds
        busy_s = rounds.clock.monotonic() - self._busy_since
        if rounds.patient:
            # All time counts as if it were computing: here or in PostgreSQL somebody is.
            rounds.stop.wait(busy_s * (1 / rounds.config.cpu_share - 1))
        self._busy_since = rounds.clock.monotonic()
        return not rounds.stop.is_set()

    def _tell(self, hours_done: int, hours: int, units_done: int, units: int, hour_us: int) -> None:
        now = self._rounds.clock.monotonic()
        if not self._rounds.patient or now - self._told > _PROGRESS_S:
            self._told = now
            lag_s = (
                self._rounds.clock.now_us() - hour_us - HOUR_US
            ) / _US - self._rounds.config.close_after_s
            self._rounds.say(
                Progress(hours_done, hours, units_done, units, hour_us, round(max(lag_s, 0.0), 3))
            )
