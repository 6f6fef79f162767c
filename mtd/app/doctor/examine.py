"""All checks, one after the other. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

from mtd.app.config import Settings
from mtd.app.doctor import access, guarding, machine, postgres, running, transport
from mtd.app.doctor.patient import Patient, ask_daemon
from mtd.app.doctor.results import CHECKS, Check, Finding, NotChecked, Result, Verdict
from mtd.app.maintenance import Report, running_database
from mtd.core.errors import Bug, Misconfigured, MtdError
from mtd.storage.examination import examination
from mtd.storage.schema import check_blocking

MODULES = (transport, access, guarding, running, machine, postgres)
"""Where the checks are."""


def examine(
    settings: Settings, report: Report, started: Callable[[Check], None] = lambda _: None
) -> list[Finding]:
    """Run all checks. An embedded PostgreSQL that doesn't run is started for the time.

    Raises nothing that a check may meet: what can't be looked at is told.
    """
    patient = Patient(settings, daemon=ask_daemon(settings))
    with ExitStack() as stack:
        try:
            patient.dsn = stack.enter_context(running_database(settings, report))
            patient.examined = stack.enter_context(examination(patient.dsn))
            patient.database_failure = ""
        except (MtdError, OSError) as error:
            patient.database_failure = str(error)
        else:
            patient.schema_failure = _schema_failure(patient.dsn)
        return list(findings(patient, CHECKS, started))


def findings(
    patient: Patient,
    checks: Iterable[Check],
    started: Callable[[Check], None] = lambda _: None,
) -> Iterator[Finding]:
    """Yield what the checks find."""
    for check in checks:
        started(check)
        result = _result(check, patient)
        yield Finding(check.name, check.area, check.title, result.verdict, result.found, result.mend)


def _result(check: Check, patient: Patient) -> Result:
    try:
        return check.body(patient)
    except NotChecked as why:
        return Result(Verdict.NOT_CHECKED, str(why))
    except Bug:
        raise
    except (MtdError, OSError) as error:
        return Result(Verdict.NOT_CHECKED, f"it can't be looked at: {error}", getattr(error, "hint", ""))


def _schema_failure(dsn: str) -> str:
    try:
        check_blocking(dsn)
    except Misconfigured as error:
        return str(error)
    return ""
