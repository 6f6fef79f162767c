"""What other doors read of the hub."""

from __future__ import annotations

from typing import Any

from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.testing import run_async
from tests.unit.api.fakes import (
    OTHER_TENANT,
    TENANT,
    FakeTelemetry,
    context,
    declared,
    device,
    frame,
    numbered,
)


class Listening:
    def __init__(self) -> None:
        self.changed: list[tuple[str, str, int]] = []
        self.gone: list[str] = []

    def group_changed(self, group: Any) -> None:
        self.changed.append(
            (group.device.device_id, group.known.layout.poll_group, group.newest.collected_at_us)
        )

    def device_gone(self, device: Any) -> None:
        self.gone.append(device.device_id)


def test_other_doors_find_the_groups_of_a_device_and_hear_of_changes() -> None:
    async def main() -> None:
        hub = context(FakeTelemetry()).hub
        listening = Listening()
        hub.listen(listening)
        hub.apply_devices([device("d1"), device("d2", "r2")])
        assert {one.name for one in hub.devices(TENANT)} == {"r1", "r2"}
        assert hub.devices(OTHER_TENANT) == []
        assert hub.groups_of(TENANT, "d1") == {}
        slow = Layout.of("t1", (Series("iface.rx_bps", "*1", Lane.RATE),))
        hub.publish(
            numbered(
                declared(), declared(slow), frame(5), frame(5), frame(6), frame(7, layout=slow, counters=(), gauges=(), rates=(1.0,))
            )
        )  # fmt: skip
        groups = hub.groups_of(TENANT, "d1")
        assert {name: group.newest.collected_at_us for name, group in groups.items()} == {"t0": 6, "t1": 7}
        # The second frame of the same moment is none that is newer.
        assert listening.changed == [("d1", "t0", 5), ("d1", "t0", 6), ("d1", "t1", 7)]
        known = hub.device(TENANT, "d1")
        assert known is not None
        assert known.name == "r1"
        hub.apply_devices([device("d2", "r2")])
        assert listening.gone == ["d1"]
        assert hub.device(TENANT, "d1") is None
        assert hub.groups_of(TENANT, "d1") == {}

    run_async(main())
