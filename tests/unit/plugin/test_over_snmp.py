"""Interfaces that the API told first, and SNMP goes on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mtd.model.device import Severity, Way
from mtd.model.metric import Tier
from mtd.model.observation import Observation, TableChange
from mtd.plugin import metrics
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import all_values, events_of, values_of
from mtd.testing.replies import replies_from
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_lte import COLLECTOR as LTE
from mtd_collector_system import COLLECTOR as SYSTEM

# As the API tells it, with what SNMP can't; and as SNMP does.
ETHER1 = {
    ".id": "*1",
    "name": "ether1",
    "default-name": "ether1",
    "type": "ether",
    "mac-address": "64:D1:54:00:00:01",
}
VLAN9 = {
    ".id": "*9",
    "name": "vlan9",
    "type": "vlan",
    "mac-address": "64:D1:54:00:00:01",
    "comment": "Office",
}
TOLD1 = {".id": "*1", "name": "ether1", "mac-address": "64:D1:54:00:00:01", "running": "true"}
TOLD9 = {".id": "*9", "name": "vlan9", "mac-address": "64:D1:54:00:00:01", "running": "true"}
Rows = Sequence[Mapping[str, Any]]


class Router:
    """A device, its mapper, and polls over one way or the other."""

    def __init__(self, **device: Any) -> None:
        self.clock = FakeClock()
        self.mapper = DeviceMapper(make_device(**device), [INTERFACES, SYSTEM], clock=self.clock)

    def poll(
        self, tier: Tier, at: float, rows: Rows, *, way: Way = Way.SNMP, uptime: str = "1d"
    ) -> Observation:
        self.clock.at = at
        menus = {"/interface/print": rows, "/system/resource/print": [{"uptime": uptime, "version": "7.16"}]}
        answers = replies_from(self.mapper.commands(tier), menus, at=at)
        # What SNMP tells beyond what a command asks for: the name of each row.
        named = [
            replace(
                answer,
                way=way,
                rows=replies_from([replace(answer.command, proplist=())], menus, at=at)[0].rows,
            )
            if answer.command.path == "/interface/print"
            else replace(answer, way=way)
            for answer in answers
        ]
        return self.mapper.observe(tier, named)

    def told_by_api(self, *rows: Mapping[str, Any]) -> None:
        self.poll(Tier.T1, 0.0, rows, way=Way.API)


def refused(cause: str) -> float:
    return metrics.SNMP_ROWS_REFUSED.labels("interfaces", cause)._value.get()


def counted(row: Mapping[str, Any], octets: int) -> dict[str, Any]:
    return dict(row) | {"rx-byte": octets, "tx-byte": 0}


def test_series_go_on_under_the_same_keys_with_their_rates() -> None:
    router = Router()
    router.told_by_api(ETHER1)
    router.poll(Tier.T0, 1.0, [counted(ETHER1, 1_000)], way=Way.API)
    over_rest = values_of(router.poll(Tier.T0, 2.0, [counted(ETHER1, 2_000)], way=Way.REST).frame)
    assert over_rest["iface.rx_bytes_total[*1]"] == 2_000
    assert over_rest["iface.rx_bps[*1]"] == 8_000
    router.poll(Tier.T0, 3.0, [counted(TOLD1, 3_000)])
    over_snmp = values_of(router.poll(Tier.T0, 4.0, [counted(TOLD1, 4_000)]).frame)
    assert over_snmp["iface.rx_bytes_total[*1]"] == 4_000
    assert over_snmp["iface.rx_bps[*1]"] == 8_000


@pytest.mark.parametrize(
    ("before", "after"), [(Way.API, Way.SNMP), (Way.SNMP, Way.API), (Way.REST, Way.SNMP)]
)
def test_what_the_counters_of_two_ways_differ_by_is_no_traffic(before: Way, after: Way) -> None:
    router = Router()
    router.told_by_api(VLAN9)  # nobody knows how fast it could be
    router.poll(Tier.T0, 1.0, [counted(VLAN9, 1_000)], way=before)
    router.poll(Tier.T0, 2.0, [counted(VLAN9, 2_000)], way=before)
    first = values_of(router.poll(Tier.T0, 3.0, [counted(VLAN9, 10**12)], way=after).frame)
    assert first["iface.rx_bytes_total[*9]"] == 10**12
    assert "iface.rx_bps[*9]" not in first
    then = values_of(router.poll(Tier.T0, 4.0, [counted(VLAN9, 10**12 + 1_000)], way=after).frame)
    assert then["iface.rx_bps[*9]"] == 8_000


def test_a_row_that_is_called_otherwise_is_another_interface_s() -> None:
    router = Router()
    router.told_by_api(ETHER1, VLAN9)
    before = refused("misnamed")
    observation = router.poll(Tier.T0, 1.0, [counted(TOLD1, 5), counted(TOLD9 | {"name": "vlan7"}, 6)])
    assert "iface.rx_bytes_total[*9]" not in all_values(observation.frame)
    assert values_of(observation.frame)["iface.rx_bytes_total[*1]"] == 5
    assert refused("misnamed") == before + 1
    [event] = events_of(observation, "device.snmp_row.misnamed")
    assert (event.entity_id, event.old, event.new, event.severity) == (
        "*9",
        "vlan9",
        "vlan7",
        Severity.WARNING,
    )
    assert "vlan9" in event.message
    assert "vlan7" in event.message


def test_it_is_told_once_and_again_when_the_names_agree() -> None:
    router = Router()
    router.told_by_api(VLAN9)
    wrong = counted(TOLD9 | {"name": "vlan7"}, 6)
    assert router.poll(Tier.T0, 1.0, [wrong]).state_changes
    assert not router.poll(Tier.T0, 2.0, [wrong]).state_changes
    [event] = router.poll(Tier.T0, 3.0, [counted(TOLD9, 7)]).state_changes
    assert (event.event_type, event.severity) == ("device.snmp_row.named", Severity.INFO)
    assert not router.poll(Tier.T0, 4.0, [counted(TOLD9, 8)]).state_changes


def test_a_row_that_the_table_does_not_know_is_left_out() -> None:
    """It may be a session's: SNMP doesn't tell which interfaces are dynamic, but by the names of some."""
    router = Router()
    router.told_by_api(ETHER1)
    before = refused("unknown")
    observation = router.poll(Tier.T0, 1.0, [counted(TOLD1, 5), counted(TOLD9, 6)])
    assert "iface.rx_bytes_total[*9]" not in all_values(observation.frame)
    assert refused("unknown") == before + 1
    assert observation.state_changes == []


def test_what_the_api_told_of_the_table_is_not_taken_away() -> None:
    router = Router()
    router.told_by_api(ETHER1, VLAN9)
    observation = router.poll(Tier.T1, 10.0, [TOLD1 | {"running": "false"}])
    assert observation.tables == [
        TableChange("interface", complete=False, upserted={"*1": ETHER1 | {"running": "false"}})
    ]
    assert observation.state_changes == []


def test_a_misnamed_row_leaves_the_table_as_it_was() -> None:
    router = Router()
    router.told_by_api(VLAN9)
    observation = router.poll(Tier.T1, 10.0, [TOLD9 | {"name": "vlan7", "running": "false"}])
    assert observation.tables == []
    assert [event.event_type for event in observation.state_changes] == ["device.snmp_row.misnamed"]


def test_the_api_comes_back_and_its_word_counts() -> None:
    router = Router()
    router.told_by_api(VLAN9)
    router.poll(Tier.T1, 10.0, [TOLD9 | {"name": "vlan7"}])
    renamed = VLAN9 | {"name": "vlan7"}
    observation = router.poll(Tier.T1, 20.0, [renamed], way=Way.API)
    assert [event.event_type for event in observation.state_changes] == ["interface.renamed"]
    values = values_of(router.poll(Tier.T0, 21.0, [counted(TOLD9 | {"name": "vlan7"}, 6)]).frame)
    assert values["iface.rx_bytes_total[*9]"] == 6


def test_a_device_that_only_has_snmp_learns_its_names_from_it() -> None:
    router = Router()
    [table] = router.poll(Tier.T1, 0.0, [TOLD1, TOLD9]).tables
    assert table.upserted["*9"]["name"] == "vlan9"
    renamed = TOLD9 | {"name": "office"}
    [event] = router.poll(Tier.T1, 10.0, [TOLD1, renamed]).state_changes
    assert event.event_type == "interface.renamed"
    assert values_of(router.poll(Tier.T0, 11.0, [counted(renamed, 6)]).frame)["iface.rx_bytes_total[*9]"] == 6
    [gone] = router.poll(Tier.T1, 20.0, [TOLD1]).state_changes
    assert gone.event_type == "interface.removed"


def test_the_api_opens_later_and_the_interfaces_are_those_that_snmp_knew() -> None:
    router = Router()
    router.poll(Tier.T1, 0.0, [TOLD1, TOLD9])
    [table] = router.poll(Tier.T1, 10.0, [ETHER1, VLAN9], way=Way.API).tables
    assert set(table.upserted) == {"*1", "*9"}
    assert (
        values_of(router.poll(Tier.T0, 11.0, [counted(ETHER1, 6)], way=Way.API).frame)[
            "iface.rx_bytes_total[*1]"
        ]
        == 6
    )


@pytest.mark.parametrize("by_api", [True, False])
def test_after_a_restart_the_table_is_what_rows_are_held_against(by_api: bool) -> None:
    router = Router()
    router.mapper.restore_table("interface", {"*1": ETHER1 if by_api else TOLD1})
    observation = router.poll(Tier.T0, 1.0, [counted(TOLD1, 5), counted(TOLD9, 6)])
    # If SNMP told the table, it may tell more of it.
    assert ("iface.rx_bytes_total[*9]" in all_values(observation.frame)) is not by_api
    [table] = router.poll(Tier.T1, 2.0, [TOLD1, TOLD9]).tables
    assert table.upserted["*1"].get("default-name") == ("ether1" if by_api else None)


def test_names_in_a_code_page_are_compared_as_text() -> None:
    router = Router(code_page="cp1251")
    name = "абонент"
    router.mapper.restore_table("interface", {"*9": VLAN9 | {"name": name}})
    rows = [counted(TOLD9 | {"name": name.encode("cp1251")}, 6)]
    assert values_of(router.poll(Tier.T0, 1.0, rows).frame)["iface.rx_bytes_total[*9]"] == 6


def test_what_snmp_can_not_tell_enough_of_is_not_fed() -> None:
    """The document of the resources would lose most of its fields, and get them back with the API."""
    router = Router()
    [document, *_] = router.poll(Tier.T3, 0.0, [], way=Way.API).documents
    assert document.kind == "system.resource"
    assert router.poll(Tier.T3, 900.0, []).documents == []


LAP_S = 2**32 / 100


@pytest.mark.parametrize("way", [Way.API, Way.SNMP])
def test_an_uptime_that_begins_again_after_497_days_is_no_reboot(way: Way) -> None:
    """``way`` is how the uptime before was told: whole, or within its first lap."""
    router = Router()
    router.told_by_api(ETHER1)
    before = LAP_S - 5 if way is Way.SNMP else LAP_S * 2 + 100
    router.poll(Tier.T0, 100.0, [counted(ETHER1, 1)], way=way, uptime=f"{before:.0f}s")
    now = before + 10
    observation = router.poll(Tier.T0, 110.0, [counted(TOLD1, 2)], uptime=f"{now % LAP_S:.0f}s")
    assert events_of(observation, "device.rebooted") == []
    assert values_of(observation.frame)["system.uptime_seconds"] == pytest.approx(now, abs=1)


def test_a_reboot_is_one_over_snmp_too() -> None:
    router = Router()
    router.told_by_api(ETHER1)
    router.poll(Tier.T0, 100.0, [counted(TOLD1, 1)], uptime="600d")
    observation = router.poll(Tier.T0, 160.0, [counted(TOLD1, 2)], uptime="12s")
    assert len(events_of(observation, "device.rebooted")) == 1
    assert values_of(observation.frame)["system.uptime_seconds"] == 12


def test_a_modem_is_held_against_its_table_though_snmp_tells_none() -> None:
    mapper = DeviceMapper(make_device(), [LTE], clock=FakeClock())
    modem = {".id": "*3", "name": "lte1"}
    mapper.observe(Tier.T2, replies_from(mapper.commands(Tier.T2), {"/interface/lte/print": [modem]}))
    values = []
    for name in ("lte2", "lte1"):
        menus = {"/interface/lte/monitor": [modem | {"name": name, "rsrp": "-105"}]}
        asked = mapper.commands(Tier.T0)
        told = replies_from([replace(command, proplist=()) for command in asked], menus)
        replies = [
            replace(reply, command=command, way=Way.SNMP) for command, reply in zip(asked, told, strict=True)
        ]
        values.append(values_of(mapper.observe(Tier.T0, replies).frame))
    assert values == [{}, {"lte.rsrp_dbm[*3]": -105}]
