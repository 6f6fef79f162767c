"""What can become of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.core.errors import Retryable

if TYPE_CHECKING:
    from mtd.model.device import Outcome


class SessionFailed(Retryable):
    """A session could not be opened, or was lost.

    ``outcome`` is the kind of failure; ``reason`` says in words what happened
    and what to do about it; ``retry_after_s`` when it is tried again, 0 if that isn't known.
    """

    def __init__(self, outcome: Outcome, reason: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason
        self.retry_after_s = retry_after_s
