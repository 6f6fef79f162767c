"""Who is read for the first time, few at once."""

from __future__ import annotations

from mtd.core.limits import Gate
from mtd.model.metric import Tier


class FirstReadings:
    """Lets few devices at once through the first poll of a slower tier after a connect.

    A start of mtd, or a link that comes back, connects hundreds of routers within
    seconds. All their tables, asked for together, would keep the collector busy for as
    long, and live polls would wait behind them. Each tier has a gate of its own: the
    short ones are through soon, and the inventory comes when it comes.
    """

    def __init__(self, limit: int) -> None:
        slower: list[Tier] = [tier for tier in Tier if tier is not Tier.T0]
        self._gates = {tier: Gate(f"first_{tier.value}", limit) for tier in slower}

    def of(self, tier: Tier) -> Gate:
        """Return the gate of a tier; T0 has none."""
        return self._gates[tier]
