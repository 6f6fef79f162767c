"""Values over gRPC: pages, words of states, exact counters."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from mtd.client import Catalogue, LatestPage, LatestValue, Metric, RangeResult, TimeSeries
from tests.unit.odoo_addon.parts import part

source = part("gateway.source")
source_grpc = part("gateway.source_grpc")

AT = dt.datetime(2026, 11, 28, 4, 11, 27, 401771, dt.UTC)
BIG = 2**63 - 1


class Client:
    """Answers with pages, and remembers what it was asked."""

    def __init__(self, pages: list[list[LatestValue]], answer: RangeResult | None = None) -> None:
        self.pages = pages
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def list_metrics(self) -> Catalogue:
        self.asked.append(("catalogue",))
        states = Metric(
            "iface.oper_state", "state", "state", "t1", "", "", None, None, {0: "down", 1: "up"}, ""
        )
        return Catalogue("1", [states])

    def query_latest(
        self, devices: list[str], metrics: list[str], *, page_size: int, page_token: str
    ) -> LatestPage:
        number = int(page_token or 0)
        self.asked.append(("latest", devices, metrics, number))
        more = str(number + 1) if number + 1 < len(self.pages) else ""
        return LatestPage(self.pages[number], more, 0.0)

    def query_range(self, device: str, metrics: list[str], **how: Any) -> RangeResult:
        self.asked.append(("range", device, metrics, how))
        assert self.answer is not None
        return self.answer


def latest(metric: str, value: float, whole: int | None = None) -> LatestValue:
    return LatestValue("d", "core", metric, metric, "", "", "", value, whole, AT)


def asking(client: Client, clock: Any = lambda: 0.0) -> Any:
    return source_grpc.GrpcSource("key", lambda ask: ask(client), source_grpc.Catalogues(clock))


def test_all_pages_are_read() -> None:
    client = Client([[latest("a", 1.0)], [latest("iface.oper_state", 1.0)], [latest("c", float(BIG), BIG)]])
    found = asking(client).latest(["d"], ["*"])
    assert [one.metric for one in found] == ["a", "iface.oper_state", "c"]
    assert [one.texts for one in found] == [{}, {0: "down", 1: "up"}, {}]
    assert [list(one.whole) for one in found] == [[], [], [BIG]]
    assert found[0].times_us == (int(AT.timestamp()) * 1_000_000 + 401_771,)


def test_too_many_newest_values_are_refused() -> None:
    page = [latest("a", 1.0)] * 30_000
    with pytest.raises(source.SourceError, match="rows"):
        asking(Client([page, page, page])).latest(["d"])


def test_the_catalogue_is_asked_for_once_in_a_while() -> None:
    now = SimpleNamespace(s=0.0)
    client = Client([[latest("a", 1.0)]])
    asked = asking(client, lambda: now.s)
    asked.latest(["d"])
    asked.latest(["d"])
    assert client.asked.count(("catalogue",)) == 1
    now.s = source_grpc.CATALOGUE_S + 1
    asked.latest(["d"])
    assert client.asked.count(("catalogue",)) == 2


def test_counters_stay_exact_and_buckets_keep_their_bounds() -> None:
    answer = RangeResult(
        [
            TimeSeries("k", "m_total", "*1", "ether1", "bytes", "counter", [1, 2], [BIG - 1, BIG]),
            TimeSeries(
                "k", "m", "*1", "ether1", "x", "gauge", [1, 2], [1.5, 2.5], [1.0, 2.0], [2.0, 3.0], [2.0, 3.0]
            ),
        ],
        60_000_000,
        "1m",
    )
    client = Client([], answer)
    plan = source.plan_range(0, 86_400_000_000, 2)
    counter, gauge = asking(client).history("d", ["m*"], plan)
    assert (list(counter.whole), counter.values) == ([BIG - 1, BIG], [float(BIG), float(BIG)])
    assert (gauge.minimum, gauge.maximum, list(gauge.whole)) == ([1.0, 2.0], [2.0, 3.0], [])
    assert gauge.resolution == "1m"
    assert client.asked[0][:3] == ("range", "d", ["m*"])
    assert client.asked[0][3]["max_points"] == plan.points
