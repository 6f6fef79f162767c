"""``mtd flows`` against a door on a real socket."""

from __future__ import annotations

import datetime as dt
import inspect
import ipaddress
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mtd.api.grpc.flows import FlowBackend, flow_parts
from mtd.api.grpc.server import build_server
from mtd.client import flows as calls
from mtd.core.errors import Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.flows import DIMENSIONS
from mtd.queries.flows.asking import FlowQueries
from mtd.queries.flows.records import (
    Amounts,
    ComparedInterface,
    Comparison,
    FlowFilter,
    FlowSeries,
    FoundFlow,
    Order,
    SearchPage,
    SearchQuestion,
    SeriesAnswer,
    SeriesQuestion,
    TopAnswer,
    TopQuestion,
    TopRow,
)
from tests.unit.cli.conftest import Commands, DoorInThread

SECOND = 1_000_000
AT = 1_795_000_000 * SECOND
NOTHING = Amounts()


class FakeFlows:
    """Gives back what it was given, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.ranking = TopAnswer((), NOTHING, NOTHING, AT, AT + 3600 * SECOND)
        self.over_time = SeriesAnswer((), 300, (), FlowSeries("", "", (), (), ()))
        self.pages: list[SearchPage] = [SearchPage((), "", truncated=False)]
        self.comparison = Comparison((), 0, AT, AT + SECOND)

    async def top(self, tenant_id: str, asked: TopQuestion) -> TopAnswer:
        self.asked.append(asked)
        return self.ranking

    async def series(self, tenant_id: str, asked: SeriesQuestion) -> SeriesAnswer:
        self.asked.append(asked)
        return self.over_time

    async def search(
        self, tenant_id: str, asked: SearchQuestion, *, after: str = "", limit: int = 100
    ) -> SearchPage:
        assert tenant_id == DEFAULT_TENANT_ID
        self.asked.append((asked, after, limit))
        return self.pages[int(after or 0)]

    async def compare(
        self, tenant_id: str, start_us: int, end_us: int, devices: Sequence[str] = ()
    ) -> Comparison:
        self.asked.append((start_us, end_us, devices))
        if devices == ("nobody",):
            raise Refused("there is no such device")
        return self.comparison


class FlowDoor(DoorInThread):
    """A door with flows behind it."""

    def __init__(self) -> None:
        self.flows = FakeFlows()
        super().__init__()

    async def _start(self) -> None:
        await super()._start()
        await self.server.stop()
        self.server = build_server(replace(self.api, parts=[*self.api.parts, *flow_parts(self.flows)]))
        await self.server.start()


@pytest.fixture
def behind() -> Iterator[FlowDoor]:
    opened = FlowDoor()
    yield opened
    opened.close()


def test_what_is_faked_is_what_there_is() -> None:
    backend: FlowBackend = FakeFlows()
    for name in ("top", "series", "search", "compare"):
        assert inspect.signature(getattr(backend, name)) == inspect.signature(
            getattr(FlowQueries, name)
        ).replace(parameters=[*inspect.signature(getattr(FlowQueries, name)).parameters.values()][1:])


def test_clients_know_all_dimensions() -> None:
    assert tuple(DIMENSIONS) == calls.DIMENSIONS
    assert tuple(Order) == calls.ORDERS


def test_a_ranking_is_shown(mtd: Commands, behind: FlowDoor) -> None:
    behind.flows.ranking = TopAnswer(
        (TopRow("6", "", Amounts(1_500_000, 1000, 10)), TopRow("99", "", Amounts(500_000, 5, 1))),
        Amounts(2_000_000, 3, 2),
        Amounts(4_000_000, 1008, 13),
        AT,
        AT + 3600 * SECOND,
    )
    target = ("--server", behind.target)
    told = mtd("flows", "top", "protocol", *target).output
    assert "6 tcp" in told
    assert "1.5 MB" in told
    assert "37.5%" in told
    assert "others" in told
    assert "1,008" in told
    found = json.loads(mtd("flows", "top", "protocol", "--json", *target).output)
    assert found["total"] == {"octets": 4_000_000, "packets": 1008, "flows": 13}
    assert [(row["key"], row["share"]) for row in found["rows"]] == [("6", 0.375), ("99", 0.125)]
    mtd("flows", "top", "protocol", "--by", "flows", *target)
    assert behind.flows.asked[-1].order is Order.FLOWS


def test_what_is_asked_is_passed_on(mtd: Commands, behind: FlowDoor) -> None:
    target = ("--server", behind.target)
    mtd(
        "flows", "top", "-d", "core-1", "-d", "x", "-n", "7", "--from", "2026-11-26T08:00:00Z", "--to", "2026-11-26T09:00:00Z",
        "--src", "10.0.0.1/24", "--dst", "2001:db8::1", "--port", "0", "--protocol", "UDP", "--in", "3", *target,
    )  # fmt: skip
    start_us = int(dt.datetime(2026, 11, 26, 8, tzinfo=dt.UTC).timestamp()) * SECOND
    assert behind.flows.asked == [
        TopQuestion(
            DIMENSIONS["src_address"],
            start_us,
            start_us + 3600 * SECOND,
            ("core-1", "x"),
            7,
            Order.OCTETS,
            FlowFilter(
                src_address=ipaddress.ip_network("10.0.0.0/24"),
                dst_address=ipaddress.ip_network("2001:db8::1/128"),
                port=0,
                protocol=17,
                in_interface=3,
            ),
        )
    ]
    mtd("flows", "top", *target)
    (*_, asked) = behind.flows.asked
    assert asked.end_us - asked.start_us == 3600 * SECOND
    assert (asked.limit, asked.where) == (10, FlowFilter())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("top", "protocol", "--src", "nonsense"), "neither an address nor a prefix"),
        (("top", "protocol", "--src", "fe80::1%eth0"), "neither an address nor a prefix"),
        (("search", "nonsense", "--at", "2026-11-26"), "is no address"),
        (("interfaces", "-d", "nobody"), "there is no such device"),
    ],
)
def test_what_is_refused_is_told(
    mtd: Commands, behind: FlowDoor, arguments: tuple[str, ...], why: str
) -> None:
    assert why in mtd("flows", *arguments, "--server", behind.target, code=1).output


def test_wrong_words_are_no_question(mtd: Commands) -> None:
    assert "neither a number nor one of" in mtd("flows", "top", "--protocol", "256", code=2).output
    assert "is not one of" in mtd("flows", "top", "nonsense", code=2).output


def test_series_are_shown_as_rates(mtd: Commands, behind: FlowDoor) -> None:
    behind.flows.over_time = SeriesAnswer(
        (AT, AT + 300 * SECOND),
        300,
        (FlowSeries("3", "ether1", (37_500, 0), (1, 0), (1, 0)),),
        FlowSeries("", "", (0, 75_000_000), (0, 2), (0, 3)),
    )
    target = ("--server", behind.target)
    told = mtd("flows", "series", "in_interface", "--step", "5m", "-n", "1", *target).output
    assert "3 ether1" in told
    assert "1.0 kb/s" in told
    assert "2.0 Mb/s" in told
    (asked,) = behind.flows.asked
    assert (asked.step_s, asked.limit, asked.dimension) == (300, 1, DIMENSIONS["in_interface"])
    found = json.loads(mtd("flows", "series", "in_interface", "--json", *target).output)
    assert found["series"][0]["octets"] == [37_500, 0]
    assert found["others"]["flows"] == [0, 3]
    assert [dt.datetime.fromisoformat(one).timestamp() for one in found["times"]] == [
        AT / 1e6,
        AT / 1e6 + 300,
    ]


def flow(**values: int | str) -> FoundFlow:
    return FoundFlow(AT + 5, "id", "core-1", "192.0.2.1", values, "ether1", "")


def test_records_are_shown_page_by_page(mtd: Commands, behind: FlowDoor) -> None:
    full = flow(
        src_address="10.0.0.1", dst_address="2001:db8::1", src_port=5000, dst_port=443, protocol=6,
        post_nat_src_address="198.51.100.7", post_nat_src_port=40_000, octets=1 << 40, packets=3, sampling=100,
        in_interface=1, out_interface=15_728_640, start_ms=AT // 1000, end_ms=AT // 1000 + 7, next_hop="10.0.0.254",
        tcp_flags=27, tos=1 << 33, src_mac="02:00:00:00:00:01",
    )  # fmt: skip
    behind.flows.pages = [
        SearchPage((full,), "1", truncated=False),
        SearchPage((), "2", truncated=True),
        SearchPage((flow(),), "", truncated=False),
    ]
    at = ("--at", "2026-11-26T08:30:15Z", "--server", behind.target)
    search = ("flows", "search", "198.51.100.7", "--port", "40000", *at)
    told = mtd(*search, "--window", "30s", "--protocol", "6").output
    for text in (
        "10.0.0.1:5000",
        "[2001:db8::1]:443",
        "198.51.100.7:40000",
        "ether1",
        "15728640",
        "1.1 TB",
        "tcp",
    ):
        assert text in told
    wanted = SearchQuestion(
        int(dt.datetime(2026, 11, 26, 8, 30, 15, tzinfo=dt.UTC).timestamp()) * SECOND,
        ipaddress.ip_address("198.51.100.7"), 40_000, 6, 30,
    )  # fmt: skip
    assert behind.flows.asked == [(wanted, token, 200) for token in ("", "1", "2")]
    first, second = map(json.loads, mtd(*search, "--json").output.splitlines())
    assert (first["sampling"], first["octets"], first["tcp_flags"], first["next_hop"]) == (
        100,
        1 << 40,
        27,
        "10.0.0.254",
    )
    assert first["more"] == {"tos": str(1 << 33), "src_mac": "02:00:00:00:00:01"}
    assert dt.datetime.fromisoformat(first["end"]).timestamp() == pytest.approx(AT / 1e6 + 0.007)
    # What wasn't told isn't zero.
    told_nothing = {name for name, value in second.items() if value in (None, "", {})}
    assert told_nothing == second.keys() - {"time", "device_id", "device", "exporter", "in_interface_name"}
    assert len(mtd(*search, "--json", "-n", "1").output.splitlines()) == 1


def test_interfaces_are_compared(mtd: Commands, behind: FlowDoor) -> None:
    behind.flows.comparison = Comparison(
        (
            ComparedInterface("id", "core-1", 1, "ether1", 980, 5, 1000, 0),
            ComparedInterface("id", "core-1", 9, "", 7, 0),
        ),
        12,
        AT,
        AT + SECOND,
    )
    target = ("--server", behind.target)
    told = mtd("flows", "interfaces", "-d", "core-1", *target).output
    assert "1 ether1" in told
    assert "0.980" in told
    assert "and 12 more" in told
    found = json.loads(mtd("flows", "interfaces", "--json", *target).output)
    assert found["left_out"] == 12
    one, two = found["interfaces"]
    assert (one["in_ratio"], one["out_ratio"], one["tx_bytes"]) == (0.98, None, 0)
    assert (two["rx_bytes"], two["in_ratio"], two["in_octets"]) == (None, None, 7)


@pytest.mark.parametrize("command", ["top", "series", "interfaces"])
def test_nothing_is_told_as_such(mtd: Commands, behind: FlowDoor, command: str) -> None:
    assert "No flow of that time is stored" in mtd("flows", command, "--server", behind.target).stderr


def test_nobody_is_told_as_such(mtd: Commands, behind: FlowDoor) -> None:
    told = mtd("flows", "search", "10.0.0.1", "--at", "2026-11-26", "--server", behind.target)
    assert "Nobody told" in told.stderr
