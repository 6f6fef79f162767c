"""Flows and listeners of two tenants, each with one router, as the console asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtd.api.pushed_interfaces import Exporter, TooFast, UnknownSender
from mtd.core.errors import NotFound
from mtd.model.sighting import FoundBy
from mtd.queries.flows.records import (
    Amounts,
    ComparedInterface,
    Comparison,
    FlowSeries,
    FoundFlow,
    SearchPage,
    SearchQuestion,
    SeriesAnswer,
    SeriesQuestion,
    TopAnswer,
    TopQuestion,
    TopRow,
)
from tests.unit.api.fakes import device

STRANGER = "198.51.100.99"
AMOUNTS = Amounts(8, 4, 2)


class TenantFlows:
    """Flows whose keys are the names of the tenants' routers. ``owner``: tenants by the ids of these."""

    def __init__(self, owner: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._owner = owner
        self._names = names

    def _mine(self, tenant_id: str, devices: Sequence[str]) -> list[str]:
        for one in devices:
            if self._owner.get(one) != tenant_id:
                raise NotFound(f"there is no device {one!r}")
        return [one for one, owner in self._owner.items() if owner == tenant_id]

    async def top(self, tenant_id: str, asked: TopQuestion) -> TopAnswer:
        rows = [
            TopRow(f"{self._names[one]} > x > y", "", AMOUNTS) for one in self._mine(tenant_id, asked.devices)
        ]
        return TopAnswer(rows, Amounts(), AMOUNTS, asked.start_us, asked.end_us)

    async def series(self, tenant_id: str, asked: SeriesQuestion) -> SeriesAnswer:
        series = [
            FlowSeries(self._names[one], "", [8], [4], [2]) for one in self._mine(tenant_id, asked.devices)
        ]
        return SeriesAnswer([asked.start_us], asked.step_s, series, FlowSeries("", "", [0], [0], [0]))

    async def search(
        self, tenant_id: str, asked: SearchQuestion, *, after: str = "", limit: int = 100
    ) -> SearchPage:
        found = [
            FoundFlow(1, one, self._names[one], "192.0.2.1", {"octets": 1})
            for one in self._mine(tenant_id, asked.devices)
        ]
        return SearchPage(found, "", truncated=False)

    async def compare(
        self, tenant_id: str, start_us: int, end_us: int, devices: Sequence[str] = ()
    ) -> Comparison:
        found = [
            ComparedInterface(one, self._names[one], 1, "ether1", 1, 1)
            for one in self._mine(tenant_id, devices)
        ]
        return Comparison(found, 0, start_us, end_us)


class TenantPushed:
    """Each router sends flows and too many lines; one address is that of both, and somebody sends whom nobody knows."""

    listening = ("syslog", "flows")

    def __init__(self, owner: Mapping[str, str], names: Mapping[str, str]) -> None:
        self._devices = [replace(device(one, names[one]), tenant_id=tenant) for one, tenant in owner.items()]

    def exporters(self) -> Sequence[Exporter]:
        own = [Exporter(f"addr-{one.name}", [one], {"datagrams": 1}) for one in self._devices]
        return [*own, Exporter("addr-of-both", self._devices, {"datagrams": 1})]

    def too_fast(self) -> Sequence[TooFast]:
        return [TooFast(one, 3, FoundBy.SYSLOG) for one in self._devices]

    def unknown_senders(self) -> Sequence[UnknownSender]:
        return [UnknownSender(STRANGER, "", 1, 1, FoundBy.FLOWS, shared=False)]
