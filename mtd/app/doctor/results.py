"""What a check finds, and which checks there are."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.app.doctor.patient import Patient


class Verdict(enum.StrEnum):
    """How it stands."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found, and how to mend it."""

    verdict: Verdict
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result, and of which check it is."""

    check: str
    area: str
    title: str
    verdict: Verdict
    found: str
    mend: str = ""


class NotChecked(Exception):
    """It can't be looked at: the text says why."""


def passed(found: str) -> Result:
    """It is as it should be."""
    return Result(Verdict.PASS, found)


def warned(found: str, mend: str) -> Result:
    """It works, and isn't as it should be."""
    return Result(Verdict.WARN, found, mend)


def failed(found: str, mend: str) -> Result:
    """It must not stay like this."""
    return Result(Verdict.FAIL, found, mend)


Body = Callable[["Patient"], Result]


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name."""

    name: str
    area: str
    title: str
    body: Body


AREAS = (
    *("transport", "access", "tenants", "audit", "keys", "backup", "alerts", "retention"),
    *("disk", "clock", "PostgreSQL", "daemon"),
)
"""In the order in which they are looked at."""


class Checks:
    """Checks by area, and in each in the order of their making."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def __iter__(self) -> Iterator[Check]:
        return iter(sorted(self._checks.values(), key=lambda check: AREAS.index(check.area)))

    def add(self, name: str, area: str, title: str) -> Callable[[Body], Body]:
        """Add a function as a check; each name stands for one."""

        def register(body: Body) -> Body:
            assert name not in self._checks, name
            assert area in AREAS, area
            self._checks[name] = Check(name, area, title, body)
            return body

        return register


CHECKS = Checks()
"""All of them; `mtd.app.doctor.examine` imports the modules that hold them."""
