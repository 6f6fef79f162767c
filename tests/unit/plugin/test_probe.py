from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.command import CANCELLED_TIMED_OUT, CANCELLED_TOO_LARGE, Trap
from mtd.model.observation import CapabilityFact, ProbeFacts
from mtd.plugin import Probe, metrics
from mtd.plugin.probe import PROBES, all_probes, probe_commands, probe_facts
from mtd.testing.replies import replies_from, reply
from mtd.testing.strategies import rows

RESOURCE = {"version": "7.16.2 (stable)", "board-name": "RB5009", "architecture-name": "arm64"}
BASE: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "/system/resource/print": [RESOURCE],
    "/system/identity/print": [{"name": "core"}],
    "/system/routerboard/print": [{"routerboard": "true", "model": "RB5009UG", "serial-number": "HF1"}],
    "/system/package/print": [
        {"name": "routeros", "version": "7.16.2"},
        {"name": "container", "version": "7.16.2", "disabled": "true"},
    ],
}


def probed(menus: Mapping[str, Sequence[Mapping[str, Any]]]) -> ProbeFacts:
    return probe_facts(replies_from(probe_commands(), {**BASE, **menus}))


def fact(facts: ProbeFacts, name: str) -> CapabilityFact:
    [found] = [entry for entry in facts.capabilities if entry.name == name]
    return found


def test_it_asks_cheaply() -> None:
    for command in probe_commands():
        assert command.proplist
        assert command.path.endswith("/print")
        assert command.max_rows <= 200


def test_it_tells_what_the_device_is() -> None:
    facts = probed({})
    assert (facts.routeros_version, facts.routeros_major) == ("7.16.2 (stable)", 7)
    assert (facts.board_name, facts.architecture, facts.identity) == ("RB5009", "arm64", "core")
    assert facts.serial_number == "HF1"
    assert fact(facts, "routerboard") == CapabilityFact("routerboard", True, "RB5009UG")
    assert fact(facts, "package.routeros").detail == "7.16.2"
    assert not [entry for entry in facts.capabilities if entry.name == "package.container"]


def test_capabilities_follow_the_menus_and_not_the_version() -> None:
    facts = probed({"/routing/bgp/peer/print": [{}, {}], "/system/health/print": []})
    assert fact(facts, "bgp.peer") == CapabilityFact("bgp.peer", True, "2")
    assert fact(facts, "health") == CapabilityFact("health", True, "0")
    assert fact(facts, "bgp.session") == CapabilityFact("bgp.session", False, "no such command prefix")


@pytest.mark.parametrize(
    ("menus", "mode"),
    [
        ({}, "none"),
        ({"wireless": 2}, "legacy"),
        ({"wireless": 0}, "legacy"),
        ({"wifiwave2": 2}, "wifiwave2"),
        ({"wifi": 2}, "wifi"),
        ({"wifi": 0}, "wifi"),
        ({"wifi": 0, "wireless": 2}, "legacy"),
        ({"wifi": 2, "wireless": 0}, "wifi"),
    ],
)
def test_the_wifi_mode_is_the_menu_with_radios(menus: dict[str, int], mode: str) -> None:
    facts = probed({f"/interface/{name}/print": [{}] * count for name, count in menus.items()})
    assert fact(facts, "wifi_mode") == CapabilityFact("wifi_mode", mode != "none", mode)


@pytest.mark.parametrize(
    ("menus", "there", "detail"),
    [
        ({"/user/group/print": [{"name": "read", "policy": "api,read,!write"}]}, False, "no such right"),
        (
            {
                "/user/group/print": [{"name": "read", "policy": "api,read,!rest-api"}],
                "/ip/service/print": [{"name": "www-ssl", "port": 443, "disabled": False}],
            },
            True,
            "www-ssl:443",
        ),
        (
            {
                "/user/group/print": [{"name": "full", "policy": "rest-api"}],
                "/ip/service/print": [{"name": "www", "port": 80, "disabled": True}],
            },
            False,
            "www and www-ssl are off",
        ),
    ],
)
def test_rest_is_told_by_its_right_and_its_service(
    menus: dict[str, list[dict[str, Any]]], there: bool, detail: str
) -> None:
    assert fact(probed(menus), "rest") == CapabilityFact("rest", there, detail)


UNKNOWN = [
    (Trap("not enough permissions (9)"), "denied"),
    (Trap("failure: action timed out"), "other"),
    (Trap("interrupted", 2), "other"),
    (Trap("not answered in time", CANCELLED_TIMED_OUT), "silent"),
    (Trap("too large", CANCELLED_TOO_LARGE), "other"),
]


@pytest.mark.parametrize(("trap", "cause"), UNKNOWN)
def test_what_is_not_answered_is_neither_there_nor_absent(trap: Trap, cause: str) -> None:
    unknown = metrics.UNKNOWN_CAPABILITIES.labels(cause)._value
    before = unknown.get()
    replies = [reply(command) for command in probe_commands()]
    for answer in replies:
        answer.trap = trap
    facts = probe_facts(replies)
    assert facts.capabilities == ()
    assert (facts.routeros_major, facts.serial_number) == (0, "")
    assert unknown.get() == before + len(PROBES)


def test_one_menu_that_is_not_answered_leaves_the_others_known() -> None:
    replies = replies_from(probe_commands(), {**BASE, "/interface/wireless/print": [{}]})
    [slow] = [answer for answer in replies if answer.command.path == "/interface/wifi/print"]
    slow.trap = Trap("failure: action timed out")
    names = {entry.name for entry in probe_facts(replies).capabilities}
    assert {"wireless", "wifiwave2", "lte", "routerboard"} <= names
    # The radios may be in the menu that wasn't answered.
    assert not {"wifi", "wifi_mode", "rest"} & names
    gone = [answer for answer in replies if answer.command.path != "/interface/lte/print"]
    assert "lte" not in {entry.name for entry in probe_facts(gone).capabilities}


def test_rest_is_not_known_without_its_right_or_its_service() -> None:
    assert "rest" not in {entry.name for entry in probed({}).capabilities}
    replies = replies_from(probe_commands(), {"/user/group/print": [{"name": "full", "policy": "rest-api"}]})
    assert "rest" not in {entry.name for entry in probe_facts(replies).capabilities}


def test_collectors_bring_their_own_probes_and_change_none_of_the_hosts() -> None:
    mine = Probe(capability="zerotier", path="/zerotier", count_only=False)
    probes = all_probes([mine, Probe(capability="lte", path="/mine")])
    assert len(probes) == len(PROBES) + 1
    replies = replies_from(probe_commands(probes), {"/zerotier/print": [{".id": "*1"}]})
    assert fact(probe_facts(replies, probes), "zerotier") == CapabilityFact("zerotier", True, "1")


def test_a_licence_is_the_serial_number_of_a_virtual_router() -> None:
    menus = {
        "/system/routerboard/print": [{"routerboard": "false"}],
        "/system/license/print": [{"system-id": "AbC"}],
    }
    assert probed(menus).serial_number == "AbC"


@given(data=st.data())
def test_garbage_never_raises(data: st.DataObject) -> None:
    replies = []
    for command in probe_commands():
        answer = reply(command, ret=data.draw(st.binary(max_size=6)))
        answer.rows = data.draw(rows(*command.proplist, max_rows=2))
        replies.append(answer)
    assert {probe.capability for probe in PROBES} <= {f.name for f in probe_facts(replies).capabilities}
    assert probe_facts([]).capabilities == ()
