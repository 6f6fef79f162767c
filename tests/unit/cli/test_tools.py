"""``mtd ping`` and its like, against a door on a real socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mtd.cli.tool_screens import PingScreen, TorchScreen, TracerouteScreen
from mtd.client.tools import PingReply, TorchFlow, TracerouteHop
from mtd.core.errors import NotFound
from mtd.diagnostics import plans
from mtd.diagnostics.errors import RouterRefused, ToolBusy
from tests.unit.cli.conftest import Commands, DoorInThread

COMMANDS = [
    (("ping", "core-1", "192.0.2.1", "--count", "3", "--size", "1500", "--dont-fragment"), {"sequence": 0, "time_ms": 1.25, "host": "192.0.2.1", "sent": 1, "received": 1, "loss_pct": 0}, "1.25 ms"),
    (("traceroute", "core-1", "192.0.2.1", "--names", "--udp"), {"section": 0, "address": "gw.example", "last_ms": 0.2}, "gw.example"),
    (("torch", "core-1", "ether1", "--by", "port", "--port", "443"), {"section": 0, "rx_bps": 12_300_000, "source_port": "443 (https)"}, "12.3 Mb/s"),
    (("sniff", "core-1", "ether1", "--mac", "48:8f:5a:00:00:01"), {"number": 7, "direction": "rx", "source_mac": "48:8F:5A:00:00:01"}, "48:8F:5A:00:00:01"),
    (("bandwidth-test", "core-1", "192.0.2.1", "--max-mbps", "5"), {"status": "running", "rx_bps": 5_000_000}, "5.0 Mb/s"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "row", "shown"), COMMANDS, ids=lambda value: value[0] if isinstance(value, tuple) else None
)
def test_each_tool_shows_what_the_router_tells(
    mtd: Commands, door: DoorInThread, command: tuple[str, ...], row: dict[str, Any], shown: str
) -> None:
    door.tools.row = row
    told = mtd(*command, "--server", door.target).output
    assert shown in told
    assert "It ended after 1.5 s: its time was over" in told
    lines = [
        json.loads(line) for line in mtd(*command, "--server", door.target, "--json").output.splitlines()
    ]
    assert {name: value for name, value in lines[0].items() if value is not None} == row
    assert lines[1] == {"end": {"reason": "time", "rows": 1, "seconds": 1.5}}


def test_options_become_what_is_wanted(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    mtd("ping", "core-1", "192.0.2.1", "--interval", "50", "--seconds", "2", "--rows", "9", *server)
    mtd(
        "bandwidth-test",
        "core-1",
        "192.0.2.1",
        "--user",
        "u",
        "--direction",
        "both",
        *server,
        MTD_BANDWIDTH_PASSWORD="geheim",
    )
    ping, bandwidth = (asked[2] for asked in door.tools.asked)
    assert isinstance(ping, plans.Ping)
    assert (ping.interval_ms, ping.bounds) == (50, plans.Bounds(2.0, 9))
    assert isinstance(bandwidth, plans.BandwidthTest)
    assert (bandwidth.user, bandwidth.password, bandwidth.direction) == ("u", "geheim", "both")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotFound("there is no device 'gw'"), "there is no device 'gw'"),
        (ToolBusy("gw runs ping already"), "wait until it ends"),
        (RouterRefused("gw doesn't run ping: not enough permissions (9); give ... 'test'"), "'test'"),
    ],
)
def test_what_keeps_a_tool_from_running_is_told(
    mtd: Commands, door: DoorInThread, error: Exception, told: str
) -> None:
    door.tools.raises = error
    output = mtd("ping", "gw", "192.0.2.1", "--server", door.target, code=1).output
    assert told in output
    assert "TTL" not in output  # no table of nothing beside the reason


@pytest.mark.parametrize("tool", ["ping", "traceroute"])
def test_a_router_has_to_be_told_where_to_aim(mtd: Commands, door: DoorInThread, tool: str) -> None:
    told = mtd(tool, "core-1", "--server", door.target, code=2).output
    assert "name the ADDRESS" in told
    assert not door.tools.asked
    mtd(tool, "core-1", "--from-collector", "--server", door.target)
    assert door.tools.asked


def test_a_ping_sums_up() -> None:
    screen = PingScreen()
    assert screen.summary() == ""
    for number in range(100):
        screen.take(PingReply(number, "192.0.2.1", 56, 58, 1.0, None, number + 1, number, 1, 0.5, 1.0, 250.0))
    assert screen.summary() == "100 sent, 99 received; 1 % lost; least 0.5 ms, mean 1 ms, most 250 ms"
    assert list(screen.shown())[-1].sequence == 99


def test_of_a_path_the_newest_round_is_shown() -> None:
    def hop(section: int, address: str | None) -> TracerouteHop:
        return TracerouteHop(
            section, address, 100 if address is None else 0, 1, None, None, None, None, None, None
        )

    screen = TracerouteScreen()
    for row in (
        hop(0, "10.0.0.1"),
        hop(0, None),
        hop(0, None),
        hop(1, "10.0.0.2"),
        hop(1, None),
        hop(1, None),
    ):
        screen.take(row)
    cells = [screen.cells(place, row)[:2] for place, row in enumerate(screen.shown(), start=1)]
    assert cells == [(1, "10.0.0.2"), (2, "no answer"), (3, "no answer")]


def test_of_the_flows_the_busiest_go_first() -> None:
    def flow(source: str, rx: int) -> TorchFlow:
        return TorchFlow(0, None, "tcp", source, None, None, None, None, None, 0, rx, None, None)

    screen = TorchScreen()
    assert "waiting" in screen.summary()
    for row in (flow("10.0.0.1", 10), flow("10.0.0.2", 2_000_000)):
        screen.take(row)
    assert [row.source_address for row in screen.shown()] == ["10.0.0.2", "10.0.0.1"]
    assert screen.summary().startswith("2 flows, tx 0.0 b/s, rx 2.0 Mb/s")
