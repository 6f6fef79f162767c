"""Checks of the machine: disks, clocks."""

from __future__ import annotations

import shutil
from pathlib import Path

from mtd.app.doctor.patient import Patient, output_of
from mtd.app.doctor.results import CHECKS, NotChecked, Result, failed, passed, warned
from mtd.app.event_log import log_stats, on_jetstream
from mtd.app.log_room import CRITICAL, OK, log_room
from mtd.core.errors import MtdError, NotFound
from mtd.eventlog.config import SYNC_HINT
from mtd.eventlog.interfaces import LogStats

_DISK = "disk"
_CLOCK = "clock"
_GB = 1e9
_LEAST_GB = 2.0
_OFFSET_WARN_S = 0.5
_OFFSET_FAIL_S = 5.0
_HOUR_US = 3_600_000_000


@CHECKS.add("disk.data", _DISK, "disk of the data folder")
def data_disk(patient: Patient) -> Result:
    """The event log, which is the truth, is there."""
    return _free(patient, patient.data_dir)


@CHECKS.add("disk.database", _DISK, "disk of PostgreSQL")
def database_disk(patient: Patient) -> Result:
    """Telemetry is what grows."""
    if patient.settings.database.read_dsn():
        folder = Path(patient.postgres.data_directory() or "/nowhere")
        if not folder.is_dir():
            size = patient.postgres.database_bytes() / _GB
            raise NotChecked(
                f"PostgreSQL isn't on this machine, or doesn't tell where its data is; the database has {size:.1f} GB."
                " `mtd size` and `mtd storage status` tell what it will take"
            )
    else:
        folder = patient.data_dir / "postgres"
        note = folder / "location"
        if note.is_file():
            folder = Path(note.read_text(encoding="utf-8").strip())
        if not folder.is_dir():
            raise NotChecked(f"there is no {folder} yet")
    return _free(patient, folder)


def _free(patient: Patient, folder: Path) -> Result:
    usage = shutil.disk_usage(folder)
    pct = 100 * usage.free / usage.total
    text = f"{usage.free / _GB:.1f} GB of {usage.total / _GB:.0f} GB are free at {folder} ({pct:.0f} %)"
    if usage.free < _LEAST_GB * _GB:
        return failed(text, "make room now, or PostgreSQL and the event log stop")
    if pct < patient.settings.doctor.least_free_pct:
        return warned(
            text, "make room, or shorten [database.retention]: `mtd storage status` tells what comes"
        )
    return passed(text)


@CHECKS.add("disk.event_log", _DISK, "room for the event log")
def event_log(patient: Patient) -> Result:
    """It has to hold what comes while PostgreSQL is away."""
    config = patient.settings.event_log
    if on_jetstream(patient.settings):
        return stream(patient)
    path = patient.settings.event_log_path
    if not path.exists():
        raise NotChecked(f"there is no event log {path} yet")
    stats = log_stats(patient.settings)
    room = config.max_bytes - stats.stored_bytes
    usage = shutil.disk_usage(path.parent)
    text = f"{stats.stored_bytes / _GB:.2f} of {config.max_bytes / _GB:.1f} GB"
    if usage.free - config.min_free_bytes < room:
        left = (usage.free - config.min_free_bytes) / _GB
        return warned(
            f"{text}, but the disk has room for {left:.1f} GB more, and not for {room / _GB:.1f}",
            "make room, or lower event_log.max_bytes to what there is",
        )
    return lasting(patient, stats, text)


def lasting(patient: Patient, stats: LogStats, text: str) -> Result:
    """How much of what is wanted the log can hold."""
    config = patient.settings.event_log
    room = log_room(patient.settings, stats)
    if room.quota_state != OK:
        waiting = f"{text}, and {100 * room.fill_ratio:.0f} % of that quota wait to be written to PostgreSQL or sent on"
        tell = failed if room.quota_state == CRITICAL else warned
        return tell(
            waiting,
            "see why they aren't taken: `mtd log stats` names the slowest reader; event_log.max_bytes buys time",
        )
    hours = (stats.newest_us - stats.oldest_us) / _HOUR_US
    kept = f"{text}, of the last {hours:.1f} hours"
    if hours > 0.5 and stats.stored_bytes:
        lasts = config.max_bytes / (stats.stored_bytes / hours)
        if lasts < config.retention_s / 3600:
            return warned(
                f"{kept}: at this pace it holds {lasts:.1f} hours of the {config.retention_s / 3600:.0f} wanted",
                "raise event_log.max_bytes",
            )
    return passed(kept)


def stream(patient: Patient) -> Result:
    """Look at a log on JetStream: whether it answers, is durable, and has room."""
    try:
        stats = log_stats(patient.settings)
    except NotFound as error:
        raise NotChecked(f"{error} yet") from None
    except MtdError as error:
        return failed(str(error), error.hint or "look at the NATS servers, and at event_log.jetstream")
    if stats.warning:
        return failed(f"a power cut would take acknowledged events along: {stats.warning}", SYNC_HINT)
    text = (
        f"{stats.stored_bytes / _GB:.2f} of {patient.settings.event_log.max_bytes / _GB:.1f} GB in a stream of"
        f" {patient.settings.event_log.jetstream.replicas} servers that write before they confirm"
    )
    return lasting(patient, stats, text)


@CHECKS.add("clock.postgres", _CLOCK, "clock of PostgreSQL")
def postgres_clock(patient: Patient) -> Result:
    """Retention and freshness are told by both clocks."""
    offset_s, error_s = patient.postgres.clock_offset_s(patient.clock)
    text = f"{offset_s * 1000:+.0f} ms from this machine's, give or take {error_s * 1000:.0f}"
    off = max(0.0, abs(offset_s) - error_s)
    if off > _OFFSET_FAIL_S:
        return failed(text, "set both clocks by NTP")
    if off > _OFFSET_WARN_S:
        return warned(text, "set both clocks by NTP")
    return passed(text)


@CHECKS.add("clock.ntp", _CLOCK, "clock of this machine")
def ntp(patient: Patient) -> Result:
    """Counters of routers become rates by it, and certificates and tokens end by it."""
    tracking = output_of("chronyc", "-c", "tracking")
    if tracking is not None:
        return _chrony(tracking)
    synchronised = output_of("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if synchronised is None:
        raise NotChecked("neither chronyc nor timedatectl tells: in a container, look at its host")
    if synchronised.strip() == "yes":
        return passed("set by NTP, timedatectl says")
    return failed("not set by NTP, timedatectl says", "timedatectl set-ntp true, or install chrony")


def _chrony(tracking: str) -> Result:
    fields = tracking.strip().split(",")
    try:
        stratum, offset_s, leap = int(fields[2]), float(fields[4]), fields[13]
    except (IndexError, ValueError):
        raise NotChecked(f"chronyc tells what can't be read: {tracking.strip()[:100]}") from None
    if stratum == 0 or leap == "Not synchronised":
        return failed("not set by NTP, chronyc says", "chronyc sources: can it reach any?")
    text = f"set by NTP, {abs(offset_s) * 1000:.1f} ms off, chronyc says"
    if abs(offset_s) > _OFFSET_WARN_S:
        return warned(text, "chronyc sources: are they any good?")
    return passed(text)
