"""A round of the compaction from the command line. Blocking: no reactor runs here."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mtd.app.auditing.local import audited
from mtd.app.config import Settings
from mtd.app.maintenance import running_database
from mtd.compaction.messages import (
    HourDropped,
    Message,
    Progress,
    RoundDone,
    Trouble,
    UnitDone,
    UnitFailed,
)
from mtd.compaction.rounds import Rounds
from mtd.core.clock import SYSTEM_CLOCK

Show = Callable[[str, int, int], None]
"""Called with what is done, and how many hours of how many are."""


@dataclass(slots=True)
class CompactionReport:
    """What a round did. ``points`` counts values that came into blocks."""

    units: int = 0
    late: int = 0
    frames: int = 0
    repeated: int = 0
    points: int = 0
    size: int = 0
    hours_dropped: int = 0
    days_merged: int = 0
    recoded: int = 0
    waiting: int = 0
    unknown_frames: int = 0
    unknown: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    duration_s: float = 0.0


def compact_database(
    settings: Settings, show: Show, stop: threading.Event, until_us: int | None = None
) -> CompactionReport:
    """Do one round on the database of this configuration, without sleeping in between.

    Starts the embedded PostgreSQL for the time, unless the daemon runs it
    already. An hour that isn't over is never compacted: it would be rewritten with each poll.
    Raises Misconfigured, SchemaTooOld and StorageUnavailable.
    """
    if until_us is not None:
        until_us = min(until_us, SYSTEM_CLOCK.now_us())
    report = CompactionReport()
    began = time.monotonic()

    def take(message: Message) -> None:
        if isinstance(message, Trouble) and message.what == "turn":
            show(message.reason, 0, 1)
            return
        _count(report, message)
        if isinstance(message, Progress):
            moment = dt.datetime.fromtimestamp(message.hour_us // 1_000_000, dt.UTC)
            what = f"{moment:%Y-%m-%d %H} h: {message.units_done} of {message.units}"
            show(what, message.hours_done, message.hours)

    with (
        running_database(settings, lambda text: show(text, 0, 1)) as dsn,
        audited(dsn, "storage.compact"),
        Rounds(dsn, settings.database, take, stop, patient=False) as rounds,
    ):
        show("looking for closed hours", 0, 1)
        rounds.run(until_us)
    report.duration_s = round(time.monotonic() - began, 3)
    return report


def _count(report: CompactionReport, message: Message) -> None:
    match message:
        case UnitDone():
            report.units += 1
            report.late += message.kind == "late"
            report.frames += message.frames
            report.repeated += message.repeated
            report.points += message.points
            report.size += message.size
        case UnitFailed():
            report.failures.append(
                f"device {message.device_id}, {message.poll_group}, hour"
                f" {dt.datetime.fromtimestamp(message.hour_us // 1_000_000, dt.UTC):%Y-%m-%d %H}: {message.reason}"
            )
        case Trouble():
            report.failures.append(f"{message.what}: {message.reason}")
        case HourDropped():
            report.hours_dropped += 1
        case RoundDone():
            report.days_merged = message.days_merged
            report.recoded = message.recoded
            report.waiting = message.waiting
            report.unknown_frames = message.unknown_frames
            report.unknown = message.unknown
        case Progress():
            pass
