"""What the eggs of one checkout read together."""

from __future__ import annotations

from collections import Counter

from mtd.model.metric import Tier
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import make_device
from mtd_collector_audit.declaration import COLLECTOR as AUDIT
from mtd_collector_ip.declaration import COLLECTOR as IP


def test_static_routes_are_looked_for_once_though_two_eggs_want_them() -> None:
    """To find them, a router goes through its whole table: that may be of a million routes."""
    mapper = DeviceMapper(make_device(), [AUDIT, IP])
    mapper.set_capabilities({"ipv6"})
    reads = Counter(
        command.path
        for command in mapper.commands(Tier.T3)
        if command.path.endswith("/route/print") and not command.arguments
    )
    assert reads == {"/ip/route/print": 1, "/ipv6/route/print": 1}
