"""The steps of opening a session: each timed and told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    from mtd.core.clock import Clock


@dataclass(slots=True)
class TestStep:
    """One step of opening a session: "resolve", "connect", "tls", "login", "snmp" or "read"."""

    __test__ = False  # not a test case, whatever pytest thinks of its name

    name: str
    ok: bool = False
    duration_us: int = 0
    detail: str = ""


@dataclass(slots=True)
class Steps:
    """The steps taken, the last of which may have failed; and what was seen on the way."""

    clock: Clock
    taken: list[TestStep] = field(default_factory=list)
    tls_fingerprint: str = ""

    @contextmanager
    def step(self, name: str) -> Iterator[TestStep]:
        """Time a step; its detail is the reason if it raises `SessionFailed`."""
        step = TestStep(name)
        self.taken.append(step)
        started = self.clock.monotonic()
        try:
            yield step
            step.ok = True
        except SessionFailed as failure:
            step.detail = failure.reason
            raise
        finally:
            step.duration_us = round((self.clock.monotonic() - started) * 1e6)
