"""What links of a hub work with, and what is told of the collectors behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.model.collector_report import CollectorReport

if TYPE_CHECKING:
    from mtd.api.link.desk import LinkDesk
    from mtd.core.clock import Clock
    from mtd.link.config import LinkConfig

Rows = Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]]
"""Fields by device id, table and row key."""


@dataclass(frozen=True, slots=True)
class EdgeState:
    """How a collector at the edge is, as it and its link tell.

    ``clock_ahead_s``: of its clock before the hub's; positive is ahead. ``seen_us``: when it was heard, by the hub's.
    """

    tenant_id: str
    collector_id: str
    name: str
    version: str
    capabilities: Collection[str]
    report: CollectorReport
    clock_ahead_s: float
    seen_us: int


@dataclass(frozen=True, slots=True)
class LinkParts:
    """What the hub's end of a link needs, the same for all links.

    ``coordination`` is an `ICoordination`. ``served``: the tenants that a collector polls for beside its own;
    ``names_key``: the key of a tenant's pseudonyms, empty if names are kept; ``saw`` and ``store`` take note of a
    collector that was heard; ``rows``: current-state rows of devices.
    """

    coordination: Any
    desk: LinkDesk
    served: Callable[[str], Awaitable[Collection[str]]]
    names_key: Callable[[str], bytes]
    rows: Callable[[Collection[str], Collection[str]], Awaitable[Rows]]
    saw: Callable[[str, str], None]
    store: Callable[[EdgeState], Awaitable[None]]
    config: LinkConfig
    renew_s: float
    version: str
    clock: Clock
