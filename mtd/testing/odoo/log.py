"""What an Odoo logged: records, and those among them that must not be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HEAD = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ (?P<level>[A-Z]+) (?P<database>\S+) (?P<logger>\S+): (?P<text>.*)"
)
_BAD = frozenset({"WARNING", "ERROR", "CRITICAL"})


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record; the text has all its lines."""

    level: str
    database: str
    logger: str
    text: str

    def __str__(self) -> str:
        return f"{self.level} {self.logger}: {self.text}"


def records_of(text: str) -> Iterator[LogRecord]:
    """Yield the records of a log. Lines that belong to none, before the first, are left out."""
    head: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.splitlines():
        found = _HEAD.match(line)
        if found is None:
            lines.append(line)
            continue
        if head is not None:
            yield _record(head, lines)
        head, lines = found, [found["text"]]
    if head is not None:
        yield _record(head, lines)


def _record(head: re.Match[str], lines: Sequence[str]) -> LogRecord:
    return LogRecord(head["level"], head["database"], head["logger"], "\n".join(lines))


@dataclass(slots=True)
class OdooLog:
    """The log of a process of Odoo, from a place in it on."""

    path: Path
    begin: int = 0

    def text(self) -> str:
        """Return what was written since ``begin``."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(self.begin)
            return file.read().decode(errors="replace")

    def go_on(self) -> None:
        """Look only at what follows."""
        self.begin = self.path.stat().st_size if self.path.exists() else 0

    def records(self) -> list[LogRecord]:
        """Return its records."""
        return list(records_of(self.text()))

    def complaints(self, *expected: str) -> list[LogRecord]:
        """Return warnings and errors, less those that match one of these patterns (of ``LEVEL logger: text``)."""
        return [
            record
            for record in self.records()
            if record.level in _BAD and not any(re.match(one, str(record), re.DOTALL) for one in expected)
        ]
