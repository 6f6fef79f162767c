"""What a push holds, and when a failed one is tried again. No Odoo."""

from dataclasses import dataclass, field
from typing import Any

FIRST_DELAY_S = 5
MOST_DELAY_S = 15 * 60


@dataclass(frozen=True)
class Push:
    """One record on its way to mtd, as it was when the push began."""

    record_id: int
    name: str
    mtd_id: str
    revision: int
    request_id: str
    edits: int
    settings: dict[str, Any] = field(repr=False)
    is_again: bool = False
    """Whether it was sent before, and nobody knows what came of it."""


def delay_s(attempts: int | None) -> int:
    """Return the seconds until the next try; None for what mtd refused, which only people can mend."""
    if attempts is None:
        return MOST_DELAY_S
    return min(MOST_DELAY_S, FIRST_DELAY_S * 2 ** min(attempts, 10))
