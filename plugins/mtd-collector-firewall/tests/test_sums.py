from __future__ import annotations

from hypothesis import given, settings

from mtd.model.command import Rows
from mtd.model.metric import Tier
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import make_device
from mtd.testing.observations import values_of
from mtd.testing.replies import replies_from, rows_of
from mtd.testing.strategies import rows
from mtd_collector_firewall.declaration import COLLECTOR
from mtd_collector_firewall.sums import by_chain, entries_by_list, labelled


def test_rules_of_one_action_in_a_chain_are_added_up() -> None:
    told = rows_of(
        [
            {".id": "*B", "chain": "input", "action": "drop", "bytes": 2**62, "packets": 1},
            {".id": "*A", "chain": "input", "action": "drop", "bytes": 2**61, "packets": 2},
            {".id": "*1", "chain": "input", "action": "accept", "bytes": 5, "packets": 3},
            {".id": "*2", "chain": "forward", "bytes": 7, "packets": 4},
            {".id": "*3", "action": "drop", "bytes": 9, "packets": 5},
        ]
    )
    assert by_chain("filter")(told).dicts() == [
        {
            "group": b"filter/input/drop",
            "bytes": b"%d" % (2**62 + 2**61),
            "packets": b"3",
            "rules": b"*A,*B",
        },
        {"group": b"filter/input/accept", "bytes": b"5", "packets": b"3", "rules": b"*1"},
        {"group": b"filter/forward", "bytes": b"7", "packets": b"4", "rules": b"*2"},
    ]


def test_a_sum_without_one_part_is_absent() -> None:
    told = rows_of(
        [{".id": "*1", "chain": "a", "bytes": 1, "packets": 1}, {".id": "*2", "chain": "a", "packets": 1}]
    )
    assert by_chain("raw")(told).dicts() == [{"group": b"raw/a", "packets": b"2", "rules": b"*1,*2"}]


def test_a_rule_that_is_edited_brings_no_traffic_to_its_new_sum() -> None:
    """What it ever matched moves to another sum: that was not matched within this minute."""
    mapper = DeviceMapper(make_device(), [COLLECTOR])
    old: dict[str, str | int] = {
        ".id": "*1",
        "chain": "forward",
        "action": "accept",
        "bytes": 10**12,
        "packets": 10**9,
    }
    drop: dict[str, str | int] = {".id": "*2", "chain": "forward", "action": "drop", "packets": 10}

    def dropped(at: float, matched: int, *rules: dict[str, str | int]) -> float | None:
        menus: dict[str, list[dict[str, str | int]]] = {
            "/ip/firewall/filter/print": [drop | {"bytes": matched}, *rules],
            "/system/resource/print": [{"uptime": f"{1000 + at:.0f}s"}],
        }
        answers = replies_from(mapper.commands(Tier.T2), menus, at=at)
        found = values_of(mapper.observe(Tier.T2, answers).frame)
        return found.get("firewall.chain.matched_bps[filter/forward/drop]")

    assert dropped(0.0, 1_000, old) is None
    assert dropped(60.0, 1_600, old) == 80
    assert dropped(120.0, 2_200, old | {"action": "drop"}) is None
    assert dropped(180.0, 2_800, old | {"action": "drop"}) == 80


def test_a_rule_is_called_after_its_comment_or_what_it_does() -> None:
    told = rows_of(
        [
            {"comment": "ssh", "chain": "input"},
            {"chain": "input", "action": "drop", "comment": ""},
            {"chain": "input"},
        ]
    )
    assert labelled(told).column("label") == [b"ssh", b"input drop", b"input"]


def test_entries_are_counted_by_list() -> None:
    told = rows_of([{"list": "a"}, {"list": "b"}, {"list": "a"}, {"address": "10.0.0.1"}])
    assert entries_by_list(told).dicts() == [{"list": b"a", "entries": b"2"}, {"list": b"b", "entries": b"1"}]


@settings(max_examples=100, deadline=None)
@given(rows("chain", "action", "bytes", "packets"))
def test_whatever_a_router_sends_groups_are_there_once(told: Rows) -> None:
    groups = by_chain("filter")(told).column("group")
    assert len(set(groups)) == len(groups) <= told.count
