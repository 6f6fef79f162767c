"""Menus of which the router counts the rows."""

from __future__ import annotations

from mtd.model.metric import Tier, Unit
from mtd.plugin import Gauge, Menu, TableKind


def count(
    name: str,
    path: str,
    key: str,
    description: str,
    *,
    tier: Tier = Tier.T2,
    queries: tuple[str, ...] = (),
    requires: str = "",
) -> Menu:
    """Return a menu of one number."""
    return Menu(
        name=name,
        path=path,
        kind=TableKind.COUNT_ONLY,
        tier=tier,
        queries=queries,
        requires=requires,
        fields=(
            Gauge(
                field="count",
                key=key,
                unit=Unit.COUNT,
                description=description,
                since="1",
                expected_min=0.0,
            ),
        ),
    )
