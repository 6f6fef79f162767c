"""DHCPv6 servers that the router makes for sessions: thousands, each named after a subscriber."""

from __future__ import annotations

import pytest

from mtd.model.command import Command
from mtd_collector_dhcp.declaration import COLLECTOR


def of(path: str) -> list[Command]:
    return [menu.to_command() for menu in COLLECTOR.menus if menu.path == path]


@pytest.mark.parametrize("path", ["/ip/dhcp-server", "/ipv6/dhcp-server"])
def test_servers_of_sessions_are_left_to_the_router(path: str) -> None:
    assert {command.queries for command in of(path)} == {("dynamic=true", "#!")}
