from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mtd.api.console.flow_paths import KINDS, service_text
from mtd.api.console.flows import FlowPages
from mtd.api.console.reading import Reading
from mtd.api.grpc.flows import FlowBackend
from mtd.core.errors import NotFound, Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.flows import DIMENSIONS, address_key
from mtd.queries.flows.asking import FlowQueries
from mtd.queries.flows.records import (
    Amounts,
    ComparedInterface,
    Comparison,
    FlowSeries,
    FoundFlow,
    Order,
    SearchPage,
    SeriesAnswer,
    TopAnswer,
    TopRow,
)
from mtd.queries.records import DeviceDetail, DeviceView, InterfaceRow
from mtd.storage.config import RetentionConfig
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.testing import run_async
from tests.unit.api.console.kit import VIEWER, FakeClock, FakeConsoleReads, Scene
from tests.unit.api.console.pushed_kit import FakeFlows
from tests.unit.api.fakes import CATALOGUE, assert_same_signatures

DEVICE = "00000000-0000-4000-8000-0000000000aa"
NOW_S = 1_790_000_000.0
MINUTE, HOUR = 60_000_000, 3_600_000_000
LAST_MINUTE = int(NOW_S * 1e6 - 10e6) // MINUTE * MINUTE


class Pages:
    """The pages, and what is behind them."""

    def __init__(self) -> None:
        self.flows = FakeFlows()
        self.backend = FakeConsoleReads()
        self.clock = FakeClock()
        self.clock.now = NOW_S

    def read(self, page: str, **given: str | list[str]) -> Any:
        arguments = {name: [value] if isinstance(value, str) else value for name, value in given.items()}
        pages = FlowPages(self.flows, self.backend, RetentionConfig(), self.clock).pages
        reading = Reading(
            self.backend, CATALOGUE, lambda _: Scene().world.own, dict, 5.0, self.clock, more=pages
        )
        return json.loads(run_async(reading.read(VIEWER, page, arguments)))

    @property
    def question(self) -> Any:
        tenant, asked, *_ = self.flows.asked[-1]
        assert tenant == DEFAULT_TENANT_ID
        return asked


@pytest.mark.parametrize("real", [FakeFlows, FlowQueries])
def test_what_is_asked_is_there(real: type) -> None:
    assert_same_signatures(FlowBackend, real)


def series(key: str, *octets: int, label: str = "") -> FlowSeries:
    return FlowSeries(key, label, octets, [one // 100 for one in octets], [1] * len(octets))


def test_the_largest_and_how_they_went_come_to_the_same() -> None:
    pages = Pages()
    big = 2**60
    pages.flows.over_time = SeriesAnswer(
        [MINUTE, 2 * MINUTE],
        60,
        [series("10.0.0.1", big, 300), series("10.0.0.2", 0, 100)],
        series("", 0, 600),
    )
    told = pages.read("flows")
    asked = pages.question
    assert (asked.dimension.name, asked.order, asked.limit, asked.step_s) == (
        "src_address",
        Order.OCTETS,
        20,
        60,
    )
    assert (asked.start_us, asked.end_us) == (LAST_MINUTE - HOUR, LAST_MINUTE)
    assert len(pages.flows.asked) == 1
    assert told["series"][0]["values"] == [str(big), 300]  # beyond what JavaScript can hold
    assert told["others"] == [0, 600]
    rows = {row["key"]: row for row in told["rows"]}
    assert rows["10.0.0.1"]["octets"] == str(big + 300)
    assert (rows["10.0.0.2"]["octets"], rows["10.0.0.2"]["flows"]) == (100, 2)
    assert (told["rest"]["octets"], told["total"]["octets"]) == (600, str(big + 1000))
    shares = [row["share"] for row in (*told["rows"], told["rest"])]
    assert sum(shares) == pytest.approx(1.0)
    assert (told["start_us"], told["end_us"], told["step_s"]) == (LAST_MINUTE - HOUR, LAST_MINUTE, 60)


def test_more_rows_than_there_are_series_are_ranked_over_the_same_time() -> None:
    pages = Pages()
    pages.flows.ranking = TopAnswer(
        [TopRow("6", "", Amounts(30, 3, 2))], Amounts(10, 1, 1), Amounts(40, 4, 3), 1, 2
    )
    told = pages.read(
        "flows", dimension="protocol", order="flows", limit="200", seconds="86400", device=DEVICE
    )
    (_, over_time), (_, ranked) = pages.flows.asked
    assert (over_time.limit, ranked.limit) == (20, 200)
    assert (over_time.start_us, over_time.end_us) == (ranked.start_us, ranked.end_us)
    assert over_time.step_s == 300
    assert ranked.devices == (DEVICE,)
    assert told["rows"] == [{"key": "6", "label": "", "octets": 30, "packets": 3, "flows": 2, "share": 2 / 3}]


def test_nothing_has_no_share() -> None:
    told = Pages().read("flows")
    assert told["total"] == {"octets": 0, "packets": 0, "flows": 0}
    assert told["rest"]["share"] is None
    assert told["times_us"] == []


@pytest.mark.parametrize(
    ("page", "given"),
    [
        ("flows", {"dimension": "colour"}),
        ("flows", {"order": "size"}),
        ("flows", {"limit": "1001"}),
        ("flows", {"seconds": "59"}),
        ("flows", {"kind": "service"}),
        ("flows/paths", {"kind": "colour"}),
        ("flows/paths", {"kind": "interfaces"}),
        ("flows/paths", {"kind": "interfaces", "device": [DEVICE, DEVICE]}),
        ("flows/paths", {"limit": "101"}),
        ("flows/records", {"address": "192.0.2.1"}),
        ("flows/records", {"address": "192.0.2.0/24", "time_us": "5"}),
        ("flows/records", {"address": "fe80::1%eth0", "time_us": "5"}),
        ("flows/records", {"address": ["192.0.2.1", "192.0.2.2"], "time_us": "5"}),
        ("flows/records", {"port": "65536", "time_us": "5"}),
        ("flows/records", {"port": "80", "time_us": "5", "window_s": "3601"}),
        ("flows/records", {"port": "80", "time_us": "5", "protocol": "256"}),
        ("flows/interfaces", {"dimension": "total"}),
    ],
)
def test_what_can_not_be_asked_is_refused_before_anything_is_read(page: str, given: dict[str, Any]) -> None:
    pages = Pages()
    with pytest.raises(Refused):
        pages.read(page, **given)
    assert pages.flows.asked == []


@pytest.mark.parametrize("page", ["flows", "flows/paths", "flows/interfaces"])
def test_what_is_no_id_of_a_device_is_not_found(page: str) -> None:
    with pytest.raises(NotFound):
        Pages().read(page, device="core-1")


# -- paths


def test_conversations_are_told_from_their_sums() -> None:
    pages = Pages()
    pages.flows.ranking = TopAnswer(
        [TopRow("10.0.0.1 > 2001:db8::1", "", Amounts(30, 3, 2))], Amounts(10, 1, 1), Amounts(40, 4, 3), 5, 7
    )
    told = pages.read("flows/paths", seconds="604800")
    assert pages.question.dimension is DIMENSIONS["conversation"]
    assert not pages.question.where.narrows
    assert (pages.question.start_us, pages.question.end_us) == (LAST_MINUTE - 168 * HOUR, LAST_MINUTE)
    assert (told["from"], told["start_us"], told["end_us"]) == ("sums", 5, 7)
    assert told["paths"] == [
        {"nodes": ["10.0.0.1", "2001:db8::1"], "octets": 30, "packets": 3, "flows": 2, "share": 0.75}
    ]
    assert (told["rest"]["octets"], told["total"]["octets"]) == (10, 40)


def test_services_are_told_from_records_of_six_hours_at_most() -> None:
    pages = Pages()
    told = pages.read("flows/paths", kind="service", seconds="604800", order="packets", limit="10")
    asked = pages.question
    assert (asked.start_us, asked.end_us) == (LAST_MINUTE - 6 * HOUR, LAST_MINUTE)
    assert asked.where.narrows  # else sums would be read, which know of no services
    assert (asked.order, asked.limit, told["from"]) == (Order.PACKETS, 10, "records")
    assert pages.read("flows/paths", kind="service")["columns"][1] == "Protocol and port"
    assert pages.question.start_us == LAST_MINUTE - HOUR


def test_paths_through_a_router_have_the_names_of_its_interfaces() -> None:
    pages = Pages()
    settings = DeviceSettings(name="r1", host="192.0.2.1", username="u")
    ports = [
        InterfaceRow("*2", "ether2", "", "uplink", "ether", 1, {}),
        InterfaceRow("*A", "ether10", "", "", "ether", 1, {}),
        InterfaceRow("<pppoe-ada>", "<pppoe-ada>", "", "", "pppoe-in", 1, {}),
    ]
    pages.backend.details[DEVICE] = DeviceDetail(
        DeviceView(DEVICE, "t", settings, 1, 1, 1), "", "", (), ports
    )
    pages.flows.ranking = TopAnswer(
        [
            TopRow("2 > 10.0.0.1 → 192.0.2.1 > 10", "", Amounts(30, 3, 2)),
            TopRow("99 > 10.0.0.1 → 192.0.2.1 > 0", "", Amounts(1, 1, 1)),
        ],
        Amounts(), Amounts(31, 4, 3), 5, 7,
    )  # fmt: skip
    told = pages.read("flows/paths", kind="interfaces", device=DEVICE)
    assert [path["nodes"] for path in told["paths"]] == [
        ["uplink", "10.0.0.1 → 192.0.2.1", "ether10"],
        ["interface 99", "10.0.0.1 → 192.0.2.1", "interface 0"],
    ]


@pytest.mark.parametrize(
    ("protocol", "port", "text"),
    [(6, 443, "TCP 443"), (17, 53, "UDP 53"), (1, 2048, "ICMP"), (58, 0, "ICMPv6"), (200, 7, "protocol 200")],
)
def test_services_are_called_as_people_do(protocol: int, port: int, text: str) -> None:
    assert service_text(protocol, port) == text
    key = (
        address_key("10.0.0.1")
        + protocol.to_bytes(8, "big")
        + port.to_bytes(8, "big")
        + address_key("2001:db8::1")
    )
    dimension = KINDS["service"].dimension
    assert len(key) == dimension.width
    assert dimension.text(key) == f"10.0.0.1 > {text} > 2001:db8::1"


def test_a_path_through_a_router_is_told_from_one_end_to_the_other() -> None:
    key = (
        (2).to_bytes(8, "big")
        + address_key("10.0.0.1")
        + address_key("2001:db8::1")
        + (2**40).to_bytes(8, "big")
    )
    dimension = KINDS["interfaces"].dimension
    assert len(key) == dimension.width
    assert dimension.text(key) == f"2 > 10.0.0.1 → 2001:db8::1 > {2**40}"


# -- records


def test_records_are_looked_for_by_what_is_given() -> None:
    pages = Pages()
    found = FoundFlow(
        5, DEVICE, "core-1", "192.0.2.9",
        {"src_address": "10.0.0.1", "octets": 2**60, "post_nat_src_port": 40_001, "protocol": 17}, "ether2", "",
    )  # fmt: skip
    pages.flows.page = SearchPage([found, replace(found, device_id="")], "next", truncated=True)
    told = pages.read(
        "flows/records", address=" 203.0.113.7 ", port="40001", protocol="17", time_us="7000000", window_s="10",
        device=DEVICE, older="before", limit="50",
    )  # fmt: skip
    _, asked, after, limit = pages.flows.asked[0]
    assert (str(asked.address), asked.port, asked.protocol) == ("203.0.113.7", 40_001, 17)
    assert (asked.time_us, asked.window_s, asked.devices) == (7_000_000, 10, (DEVICE,))
    assert (after, limit) == ("before", 50)
    assert (told["older"], told["truncated"]) == ("next", True)
    first, second = told["records"]
    assert first["values"] == {
        **{"src_address": "10.0.0.1", "octets": str(2**60), "post_nat_src_port": 40_001, "protocol": 17}
    }
    assert (first["in_interface"], first["out_interface"], first["device_id"]) == ("ether2", "", DEVICE)
    assert second["device_id"] is None


def test_a_port_alone_may_be_looked_for_and_zero_is_one() -> None:
    pages = Pages()
    told = pages.read("flows/records", port="0", time_us="7000000")
    _, asked, after, limit = pages.flows.asked[0]
    assert (asked.address, asked.port, asked.protocol, asked.window_s) == (None, 0, None, 0)
    assert (after, limit, told["older"]) == ("", 100, None)


# -- interfaces


def test_interfaces_without_a_counter_have_no_ratio() -> None:
    pages = Pages()
    pages.flows.comparison = Comparison(
        [
            ComparedInterface(DEVICE, "core-1", 1, "ether1", 90, 10, 100, 0),
            ComparedInterface(DEVICE, "core-1", 7, "", 5, 2**60),
        ],
        3, 5, 7,
    )  # fmt: skip
    told = pages.read("flows/interfaces", seconds="600", device=DEVICE)
    assert pages.flows.asked[0][1:] == (LAST_MINUTE - 10 * MINUTE, LAST_MINUTE, (DEVICE,))
    first, second = told["interfaces"]
    assert (first["in_ratio"], first["out_ratio"], first["tx_bytes"]) == (0.9, None, 0)
    assert (second["rx_bytes"], second["in_ratio"], second["out_octets"]) == (None, None, str(2**60))
    assert (told["left_out"], told["start_us"], told["end_us"]) == (3, 5, 7)
