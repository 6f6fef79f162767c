"""Flows and listeners as the console asks for them, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtd.api.pushed_interfaces import Exporter, TooFast, UnknownSender
from mtd.queries.flows.records import (
    Amounts,
    Comparison,
    FlowSeries,
    SearchPage,
    SearchQuestion,
    SeriesAnswer,
    SeriesQuestion,
    TopAnswer,
    TopQuestion,
)

NOTHING = FlowSeries("", "", (), (), ())


class FakeFlows:
    """What the queries would answer; ``asked`` are tenants and questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.ranking = TopAnswer((), Amounts(), Amounts(), 0, 0)
        self.over_time = SeriesAnswer((), 60, (), NOTHING)
        self.page = SearchPage((), "", truncated=False)
        self.comparison = Comparison((), 0, 0, 0)

    async def top(self, tenant_id: str, asked: TopQuestion) -> TopAnswer:
        self.asked.append((tenant_id, asked))
        return self.ranking

    async def series(self, tenant_id: str, asked: SeriesQuestion) -> SeriesAnswer:
        self.asked.append((tenant_id, asked))
        return self.over_time

    async def search(
        self, tenant_id: str, asked: SearchQuestion, *, after: str = "", limit: int = 100
    ) -> SearchPage:
        self.asked.append((tenant_id, asked, after, limit))
        return self.page

    async def compare(
        self, tenant_id: str, start_us: int, end_us: int, devices: Sequence[str] = ()
    ) -> Comparison:
        self.asked.append((tenant_id, start_us, end_us, devices))
        return self.comparison


class FakePushed:
    """What listeners would know."""

    def __init__(self) -> None:
        self.listening: Sequence[str] = ()
        self.exporting: list[Exporter] = []
        self.hasty: list[TooFast] = []
        self.strangers: list[UnknownSender] = []

    def exporters(self) -> Sequence[Exporter]:
        return self.exporting

    def too_fast(self) -> Sequence[TooFast]:
        return self.hasty

    def unknown_senders(self) -> Sequence[UnknownSender]:
        return self.strangers
