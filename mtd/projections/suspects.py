"""Tenants whose collectors send what projections can't take: they delay nobody else."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.core.clock import Clock

MOST_FAILURES = 20
WINDOW_S = 60.0


class Suspects:
    """Counts events of a tenant's collectors that a projection could not take, each found by itself.

    After some within a minute, finding more would cost the others too much: for another
    minute, what the tenant's collectors sent becomes dead letters of that projection, untried.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], tuple[float, int]] = {}
        self._until: dict[tuple[str, str], tuple[float, str]] = {}

    def failed(self, projection: str, tenant_id: str, reason: str) -> None:
        """Count an event."""
        key, now = (projection, tenant_id), self._clock.monotonic()
        since, count = self._failures.get(key, (now, 0))
        if now - since > WINDOW_S:
            since, count = now, 0
        self._failures[key] = since, count + 1
        if count + 1 >= MOST_FAILURES:
            del self._failures[key]
            text = f"not tried, as {MOST_FAILURES} of the tenant's could not be projected, the last: {reason}"
            self._until[key] = now + WINDOW_S, text

    def now(self) -> Mapping[tuple[str, str], str]:
        """Return why, for each projection and tenant of which nothing is tried now."""
        if not self._until:
            return {}
        now = self._clock.monotonic()
        self._until = {key: held for key, held in self._until.items() if held[0] > now}
        return {key: reason for key, (_, reason) in self._until.items()}
