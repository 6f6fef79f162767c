"""Checks of the audit log, of keys and of backups."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mtd.app.audit_direct import anchors_of
from mtd.app.auditing.spool import FOLDER
from mtd.app.auditing.verify import verify_chain
from mtd.app.doctor.patient import Patient
from mtd.app.doctor.results import CHECKS, NotChecked, Result, failed, passed, warned
from mtd.app.secrets import KEY_VARIABLE

_AUDIT = "audit"
_KEYS = "keys"
_BACKUP = "backup"
_DAY_S = 86_400.0
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


@CHECKS.add("audit.chain", _AUDIT, "the audit log")
def chain(patient: Patient) -> Result:
    """Every entry is as it was written, and the end is there."""
    patient.schema  # noqa: B018 - raises if it can't be asked
    report = verify_chain(patient.dsn, anchors_of(patient.settings))
    if not report.ok:
        return failed(
            f"{report.problem_count} problems, the first: {report.problems[0].message}",
            "`mtd audit verify` tells all of them; docs/audit.md says what they mean and what to do",
        )
    if not report.anchors:
        return warned(
            f"{report.entries} entries hang together; no anchor tells whether the end is missing",
            "start the daemon: it writes anchors into the data folder",
        )
    return passed(f"{report.entries} entries as they were written, {report.anchors} anchors fit")


@CHECKS.add("audit.spool", _AUDIT, "entries that PostgreSQL doesn't have yet")
def spool(patient: Patient) -> Result:
    """They wait in files while it is away."""
    folder = patient.data_dir / FOLDER
    waiting = [path.stat().st_mtime for path in folder.glob("*.jsonl")] if folder.is_dir() else []
    if not waiting:
        return passed("none")
    age_s = patient.clock.now_us() / 1e6 - min(waiting)
    if patient.daemon.runs and age_s > 600:
        return failed(
            f"{len(waiting)} files in {folder}, the oldest since {age_s / 60:.0f} minutes",
            "the daemon's log says why PostgreSQL doesn't take them",
        )
    return warned(
        f"{len(waiting)} files in {folder}", "the daemon stores them when it runs and PostgreSQL is there"
    )


@CHECKS.add("keys.permissions", _KEYS, "who may read the master key")
def key_permissions(patient: Patient) -> Result:
    """It opens all passwords of routers."""
    path = _key_path(patient)
    found = path.stat()
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        return failed(f"{path} can be read by others (mode {mode:04o})", f"chmod 600 {path}")
    folder = path.resolve().parent.stat()
    if folder.st_mode & 0o002 and not folder.st_mode & stat.S_ISVTX:
        return failed(
            f"anybody may put another file in the place of {path}", f"chmod o-w {path.resolve().parent}"
        )
    if found.st_uid not in (os.geteuid(), 0):
        return warned(f"{path} belongs to another user, {found.st_uid}", "run mtd, and this, as its owner")
    return passed(f"{path}: its owner only")


@CHECKS.add("keys.age", _KEYS, "age of the master key")
def key_age(patient: Patient) -> Result:
    """A key that was never changed may have got about."""
    path = _key_path(patient)
    days = (patient.clock.now_us() / 1e6 - path.stat().st_mtime) / _DAY_S
    most = patient.settings.doctor.key_max_age_days
    if days > most:
        return warned(f"{path} was last changed {days:.0f} days ago", "`mtd secrets rotate` makes a new one")
    return passed(f"last changed {max(0, days):.0f} days ago, by the date of its file")


@CHECKS.add("keys.apart", _KEYS, "the master key apart from the database")
def key_apart(patient: Patient) -> Result:
    """A copy of one without the other is no use."""
    path = _key_path(patient)
    if patient.settings.database.read_dsn():
        return passed(f"{path} isn't with PostgreSQL, unless that runs on this disk as well")
    if path.resolve().is_relative_to(patient.data_dir.resolve()):
        return warned(
            f"{path} is in the data folder, with the database: who copies the folder has both",
            "move it elsewhere, set security.master_key_file, and back it up apart from the data folder",
        )
    return passed(f"{path} isn't in the data folder")


@CHECKS.add("secrets.open", _KEYS, "secrets of devices")
def readable(patient: Patient) -> Result:
    """Each can be opened with the keys that are there."""
    raise NotChecked("`mtd secrets status` tells which keys seal what, and what can't be opened")


def _key_path(patient: Patient) -> Path:
    if KEY_VARIABLE in patient.environment:
        raise NotChecked(f"the master key comes from the environment, {KEY_VARIABLE}: see who may read that")
    path = patient.settings.master_key_path
    if not path.exists():
        raise NotChecked(f"there is no {path} yet: it is made at the first start")
    return path


@CHECKS.add("backup.marker", _BACKUP, "backup of PostgreSQL")
def backup(patient: Patient) -> Result:
    """Mtd makes none, and sees only what yours leaves behind."""
    config = patient.settings.doctor
    mend = "have your backup touch a file when it succeeded, and set doctor.backup_marker: docs/operating.md"
    if config.backup_marker is not None:
        try:
            hours = (patient.clock.now_us() / 1e6 - config.backup_marker.stat().st_mtime) / 3600
        except OSError as error:
            return failed(f"{config.backup_marker} can't be looked at: {error.strerror}", mend)
        if hours > config.backup_max_age_h:
            return failed(f"the last one succeeded {hours:.0f} hours ago", "look why it fails; make one now")
        return passed(f"the last one succeeded {max(0, hours):.0f} hours ago, by {config.backup_marker}")
    settings = patient.postgres.settings("archive_mode")
    archiving = patient.postgres.archiving()
    if settings.get("archive_mode", "off") != "off" and archiving.archived:
        return warned(
            "the write-ahead log is archived; whether a base backup goes with it can't be seen", mend
        )
    if archiving.standbys:
        return warned(
            f"{archiving.standbys} standbys follow, which repeat every mistake: no sign of a backup", mend
        )
    return failed("there is no sign of any", mend)


@CHECKS.add("backup.archive", _BACKUP, "archive of the write-ahead log")
def archive(patient: Patient) -> Result:
    """With it, all up to a crash can be had back, not only the last backup."""
    settings = patient.postgres.settings("archive_mode", "archive_command", "archive_library")
    if settings.get("archive_mode", "off") == "off":
        return warned(
            "off: what came since the last backup would be lost",
            "archive it, with pgBackRest or Barman, say; or take it that the event log has the last day",
        )
    found = patient.postgres.archiving()
    if found.last_failed_us > found.last_archived_us:
        return failed(
            f"the last attempt failed, {found.failed} did", "PostgreSQL's log says why: its disk fills up"
        )
    if not found.archived:
        return warned("on, and nothing was archived yet", "look at archive_command, and at PostgreSQL's log")
    hours = (patient.clock.now_us() - found.last_archived_us) / _HOUR_US
    return passed(f"on, last {max(0, hours):.1f} hours ago")


@CHECKS.add("backup.key", _BACKUP, "backup of the master key and of the CA")
def key_backup(patient: Patient) -> Result:
    """Without the key, a backup of the database has no passwords."""
    raise NotChecked(
        f"can't be seen from here: keep {patient.settings.master_key_path} and {patient.settings.authority_path}"
        " at a place of their own, and try to restore once"
    )
