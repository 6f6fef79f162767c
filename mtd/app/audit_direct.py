"""The audit log for commands that work on the database or on keys directly, beside the daemon. Blocking."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence

from mtd.app.auditing.local import local_entry
from mtd.app.auditing.spool import FOLDER, SpoolFull, spool_once
from mtd.app.auditing.verify import Progress, verify_chain
from mtd.app.config import Settings
from mtd.app.maintenance import Report, running_database
from mtd.app.secrets import master_keys
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured, MtdError
from mtd.model.audit import AuditEntry
from mtd.security.audit_anchor import FILE, AnchorFile
from mtd.security.audit_chain import AuditReport, Deed, Head, clean
from mtd.storage.audit_blocking import append_blocking, audit_blocking, chain_reader

ACCEPTED = "audit.accept"


def audit_direct(settings: Settings, entry: AuditEntry) -> None:
    """Write an entry: to PostgreSQL if it runs, otherwise into the data folder, for the daemon to store it.

    Raises Misconfigured if neither can be: what can't be written down is not to be done.
    """
    deed = Deed(clean(entry), SYSTEM_CLOCK.now_us())
    dsn = _dsn_at_hand(settings)
    if dsn:
        with contextlib.suppress(MtdError):
            append_blocking(dsn, [deed])
            return
    try:
        spool_once(settings.daemon.data_dir / FOLDER, [deed])
    except SpoolFull as error:
        raise Misconfigured(
            f"{entry.action} can't be written to the audit log, and isn't done: PostgreSQL can't be reached, and {error}."
            " Run it as the daemon's user"
        ) from None


def anchors_of(settings: Settings) -> AnchorFile | None:
    """Return the anchors of a configuration; None if there are neither anchors nor a master key yet."""
    path = settings.daemon.data_dir / FILE
    try:
        return AnchorFile(path, master_keys(settings, may_make=False).all)
    except Misconfigured:
        if path.exists():
            raise
        return None


def verify_audit(
    settings: Settings, report: Report, known: Sequence[Head] = (), progress: Progress | None = None
) -> AuditReport:
    """Look at the whole audit log of a configuration. Raises Misconfigured, SchemaTooOld and StorageUnavailable."""
    anchors = anchors_of(settings)
    with running_database(settings, report) as dsn:
        return verify_chain(dsn, anchors, known=known, progress=progress)


def accept_audit(settings: Settings, report: Report, reason: str) -> AuditReport:
    """Begin new anchors where the log ends now, and write down in it why, and what was wrong.

    For a database that was restored or made anew. Returns what was found before.
    """
    anchors = anchors_of(settings)
    if anchors is None:
        raise Misconfigured("there is no master key yet, and so there are no anchors: start the daemon first")
    with running_database(settings, report) as dsn:
        found = verify_chain(dsn, anchors)
        now_us = SYSTEM_CLOCK.now_us()
        detail = {
            "reason": reason,
            "problems": str(found.problem_count),
            "first_problem": found.problems[0].message if found.problems else "",
        }
        audit_blocking(
            dsn, local_entry(ACCEPTED, target=f"entries up to {found.last_position}", detail=detail)
        )
        with chain_reader(dsn) as reader:
            head = reader.head
        anchors.set_aside(now_us)
        anchors.append(head, now_us)
    return found


def _dsn_at_hand(settings: Settings) -> str:
    """Return the connection string of a database that runs, as far as can be told without starting one."""
    dsn = settings.database.read_dsn()
    if dsn:
        return dsn
    try:
        told = json.loads((settings.daemon.data_dir / "runtime.json").read_text())
    except (OSError, ValueError):
        return ""
    return str(told.get("dsn", "")) if isinstance(told, dict) else ""
