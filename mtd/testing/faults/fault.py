"""One fault: how it strikes, how one sees it, and how one knows that it is over."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from mtd.testing.faults.fleet import Fleet


class Fault(Protocol):
    """What the catalogue has of each fault. ``runbook`` is the page for who is on call.

    It may have ``told_by_mtd``: false where only others notice, so that mtd has no time to be measured by. And
    ``alone``: how many events, of those that were acknowledged, only the log's file had when it was spoiled.
    """

    @property
    def name(self) -> str:
        """What the figures call it."""

    @property
    def runbook(self) -> str:
        """Name of its page in ``docs/runbooks``."""

    def strike(self, fleet: Fleet) -> None:
        """Break it."""

    def noticed(self, fleet: Fleet) -> bool:
        """Return whether mtd tells of it: by a metric, by ``/readyz``, an event, or in its log."""

    def mend(self, fleet: Fleet) -> bool:
        """Repair what only people repair: a disk, a router, a link. Return whether there was anything to do.

        What mtd has to do by itself isn't done here.
        """

    def recovered(self, fleet: Fleet) -> bool:
        """Return whether all is well again."""


@dataclass(slots=True)
class Figures:
    """What came of a fault. ``recover_s`` counts from the mending, or from the strike where nobody mends.

    ``detect_s`` is None where mtd doesn't tell of it, but whoever supervises what was hit. ``alone``: see `Fault`.
    """

    fault: str
    runbook: str
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    alone: int | None = None
    detect_s: float | None = None
    recover_s: float = 0.0
    restarts: int = 0
    examples: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def strike(fleet: Fleet, fault: Fault, *, held_s: float = 0.0, timeout_s: float = 120.0) -> Figures:
    """Let a fault strike a fleet that is well; wait until it was noticed, mended, and is over; judge.

    ``held_s``: how long it lasts at least before it is mended.
    """
    figures = Figures(fault.name, fault.runbook)
    restarts = fleet.supervisor.restarts if fleet.supervisor else 0
    fleet.wait_for_writes()
    began = time.monotonic()
    fault.strike(fleet)
    struck = time.monotonic()
    fleet.wait_for(lambda: fault.noticed(fleet), f"{fault.name} is noticed", timeout_s)
    if getattr(fault, "told_by_mtd", True):
        figures.detect_s = round(time.monotonic() - struck, 2)
    while time.monotonic() - began < held_s:
        time.sleep(0.05)  # noqa: TID251 - no reactor here
    helped = fault.mend(fleet)
    well_from, moment = time.monotonic() if helped else struck, time.time() + fleet.offset_s
    # What was polled before proves nothing: values of after the mending do.
    fleet.wait_for(lambda: fault.recovered(fleet) and fleet.fresh(moment), f"{fault.name} is over", timeout_s)
    figures.recover_s = round(time.monotonic() - well_from, 2)
    figures.alone = getattr(fault, "alone", None)
    verdict = fleet.verdict()
    figures.acknowledged, figures.lost, figures.doubled = verdict.acknowledged, verdict.lost, verdict.doubled
    figures.examples = verdict.examples
    figures.restarts = (fleet.supervisor.restarts if fleet.supervisor else 0) - restarts
    return figures
