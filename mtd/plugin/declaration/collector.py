"""A collector: one category of things, as an egg brings it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mtd.model.command import Command
from mtd.model.metric import Metric
from mtd.plugin.declaration.menus import Menu


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A cheap question whose answer tells whether a device has a capability.

    The menu is there unless the router says "no such command". ``count_only``
    lets the router count its rows instead of sending them; of those only, that
    ``queries`` are true of. With ``at_least`` or ``at_most`` the capability is
    that there are so many rows: what is read each second isn't worth its price
    where there is nothing, and what costs too much where there are many is read
    where there are few. It is absent until the router was asked.
    """

    capability: str
    path: str
    count_only: bool = True
    queries: tuple[str, ...] = ()
    at_least: int = 0
    at_most: int | None = None

    @property
    def counts(self) -> bool:
        """Whether it is the number of rows that matters."""
        return self.at_least > 0 or self.at_most is not None

    def to_command(self) -> Command:
        """Return the command that asks."""
        arguments = (("count-only", ""),) if self.count_only else ()
        return Command(
            path=f"{self.path}/print",
            proplist=(".id",),
            queries=self.queries,
            arguments=arguments,
            max_rows=100,
            max_bytes=65_536,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """One category of things that mtd collects: what an egg brings.

    ``api`` is the API_VERSION of ``mtd.plugin`` that it was written for.
    ``version`` is that of its distribution: the host fills it in.
    """

    name: str
    api: int
    description: str
    menus: tuple[Menu, ...]
    probes: tuple[Probe, ...] = ()
    version: str = ""

    def metrics(self) -> Iterator[Metric]:
        """Yield the metrics of all menus."""
        for menu in self.menus:
            yield from menu.metrics()
