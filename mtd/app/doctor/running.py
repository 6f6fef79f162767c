"""Checks of the daemon and of what it is set to: configuration, retention, partitions, alerts."""

from __future__ import annotations

from pathlib import Path

from mtd.app.doctor.patient import Patient, named
from mtd.app.doctor.results import CHECKS, NotChecked, Result, failed, passed, warned
from mtd.app.preflight import problems_of

_DAEMON = "daemon"
_RETENTION = "retention"


@CHECKS.add("daemon.configuration", _DAEMON, "configuration")
def configuration(patient: Patient) -> Result:
    """The daemon would take it."""
    problems = problems_of(patient.settings)
    if problems:
        return failed(f"{len(problems)} problems, the first: {problems[0]}", "`mtd check` tells all of them")
    return passed("can be used")


@CHECKS.add("daemon.ready", _DAEMON, "the daemon")
def ready(patient: Patient) -> Result:
    """It says itself whether it does its work."""
    daemon = patient.daemon
    if not daemon.runs:
        return warned(
            f"{daemon.why}: what only it can tell isn't looked at", "start it, and run this once more"
        )
    if not daemon.ready:
        reasons = "; ".join(f"{part}: {why}" for part, why in daemon.reasons.items())
        return failed(f"it isn't ready: {reasons}", "docs/operating.md explains each of these")
    return passed("it runs, and is ready")


@CHECKS.add("daemon.user", _DAEMON, "user of the daemon")
def user(patient: Patient) -> Result:
    """What breaks into it should not have the machine."""
    if not patient.daemon.runs:
        raise NotChecked("the daemon doesn't run")
    try:
        status = Path(f"/proc/{patient.daemon.pid}/status").read_text()
    except OSError as error:
        raise NotChecked(f"its process can't be looked at: {error.strerror}") from None
    (uid,) = [line.split()[2] for line in status.splitlines() if line.startswith("Uid:")]
    if uid == "0":
        return warned("it runs as root", "make a user for it: etc/systemd has a unit")
    return passed(f"it runs as user {uid}, not as root")


@CHECKS.add("alerts.channels", "alerts", "channels of alerts")
def channels(patient: Patient) -> Result:
    """Who is told when something is wrong."""
    raise NotChecked(
        "not available in this version: mtd sends no alerts yet; use those of Prometheus meanwhile, docs/prometheus.md"
    )


@CHECKS.add("retention.set", _RETENTION, "how long what is kept")
def retention(patient: Patient) -> Result:
    """Somebody should have thought about it."""
    settings = patient.settings
    config = settings.database.retention
    text = (
        f"values {config.raw_days} d, rollups {config.rollup_10s_days}/{config.rollup_1m_days}/"
        f"{config.rollup_5m_days} d, events {settings.database.partitions.events_months} months,"
        f" audit log {settings.audit.keep_days} d"
    )
    chosen = config.model_fields_set or settings.database.partitions.model_fields_set
    if not chosen:
        return warned(
            f"{text}: all of it as mtd came", "decide, and set it in [database.retention]; `mtd size` helps"
        )
    return passed(text)


@CHECKS.add("retention.partitions", _RETENTION, "partitions made ahead")
def partitions(patient: Patient) -> Result:
    """What comes next has somewhere to go."""
    missing = patient.schema.missing_partitions(patient.clock.now_us())
    if not missing:
        return passed("for now and for what comes next")
    text = f"{len(missing)} are missing: {named(missing)}"
    if not patient.daemon.runs:
        return warned(text, "start the daemon, which makes them")
    return failed(text, "the daemon's log says why it can't make them; `/readyz` does, too")
