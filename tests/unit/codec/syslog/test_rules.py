"""Rules that say what log lines mean: ours by their own samples, others' by what they get wrong."""

from __future__ import annotations

import os
import re
import time
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.syslog import Severity, read_line
from mtd.codec.syslog.rules import Finding, RuleError, Rules, compile_rules, failures

OURS = compile_rules(yaml.safe_load(files("mtd.codec.syslog").joinpath("rules.yaml").read_bytes()))


def means(text: str, rules: Rules = OURS, identity: str = "") -> Finding | None:
    line = read_line(text.encode())
    return rules.find(line.topics, line.text, identity)


def test_our_rules_do_what_their_samples_say() -> None:
    assert list(failures(OURS)) == []
    assert len(OURS.all) > 35


@pytest.mark.parametrize(
    ("line", "event", "entity"),
    [
        ("interface,info ether1 link down", "interface.oper.changed", "ether1"),
        ("<30>Jun 07 09:16:59 core-1 interface,info ether1 link down", "interface.oper.changed", "ether1"),
        ("<30>Jun 07 09:16:59 core-1 ether1 link down", "interface.oper.changed", "ether1"),
        (
            "Oct  2 17:36:35 core-1 CEF:0|MikroTik|RB|7.20|44|interface,info|Low|dvchost=core-1 msg=ether1 link down",
            "interface.oper.changed",
            "ether1",
        ),
        (
            "<30>1 2026-06-07T09:16:59Z core-1 - - - - interface,info ether1 link down",
            "interface.oper.changed",
            "ether1",
        ),
    ],
)
def test_the_form_of_a_line_does_not_matter(line: str, event: str, entity: str) -> None:
    found = means(line)
    assert found is not None
    assert (found.event_type, found.entity_type, found.entity) == (event, "interface", entity)
    assert (found.state_field, found.old, found.new) == ("running", "up", "down")
    assert found.severity is Severity.WARNING


def test_a_name_with_blanks_is_told_from_the_message() -> None:
    data = b"<30>Jun 07 09:16:59 Core One ether1 link down"
    line = read_line(data, names=(b"Core", b"Core One"))
    assert line.host in ("Core", "Core One")
    line = read_line(data, names=(b"Core One",))
    assert (line.host, line.text) == ("Core One", "ether1 link down")


def test_a_router_may_put_its_name_before_the_message() -> None:
    assert means("interface,info core-1: ether1 link down", identity="core-1").entity == "ether1"  # type: ignore[union-attr]
    # Of a router whose name isn't known it can't be told from the interface's.
    assert means("interface,info core-1: ether1 link down").entity == "core-1: ether1"  # type: ignore[union-attr]


def test_a_state_takes_what_the_pattern_found() -> None:
    found = means("route,ospf,info OSPFv2 neighbor 192.0.2.2: state change from Full to Init")
    assert found is not None
    assert (found.state_field, found.old, found.new) == ("state", "Full", "Init")


def test_what_no_rule_knows_is_nothing() -> None:
    assert means("script,info backup is done") is None
    assert means("") is None


def test_a_rule_is_for_its_topics() -> None:
    assert means("script,info ether1 link down") is None


def one(**changes: object) -> dict[str, object]:
    rule = {"event": "a.b", "contains": "x", "pattern": "x(?P<user>y)?", **changes}
    return {"rules": [{key: value for key, value in rule.items() if value is not None}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no list `rules`"),
        ([], "no list `rules`"),
        ({"rules": "x"}, "rule 1"),
        ({"rules": [], "more": 1}, "the file has more"),
        ({"rules": [1]}, "rule 1: isn't a list of keys"),
        (one(event=None), "rule 1 (without event): `event` must be a text"),
        (one(event="link"), "an event is called like"),
        (one(contains=None), "`contains` must be a text"),
        (one(contains=5), "put it in quotation marks"),
        (one(pattern="("), "missing )"),
        (one(pattern="%{MAC:mac}"), "there is no fragment MAC"),
        (one(pattern="x" * 5000), "too long"),
        (one(entity="interface"), "finds no `interface`"),
        (one(severity="bad"), "no severity 'bad'"),
        (one(topics="system"), "`topics` must be a list"),
        (one(state="up"), "`state` has the keys"),
        (one(state={"value": "up"}), "value isn't known"),
        (one(state={"new": "%{port}"}), "wants `port`"),
        (one(samples=["x"]), "a sample has the keys"),
        (one(samples=[{"line": "x", "values": {"user": 5}}]), "values of a sample are texts"),
        (one(sample=[]), "sample isn't known; there are"),
        (one(timeline="yes"), "`timeline` is true or false"),
        ({"fragments": {"mac": "x"}, "rules": []}, "capital letters"),
        ({"fragments": {"MAC": "("}, "rules": []}, "fragment MAC"),
        ({"fragments": [], "rules": [1]}, "rule 1"),
        ({"rules": [1] * 2001}, "are more than"),
    ],
)
def test_a_rule_that_can_not_be_used_says_why(content: object, message: str) -> None:
    with pytest.raises(RuleError, match=re.escape(message)):
        compile_rules(content)


def test_samples_tell_what_is_wrong() -> None:
    two = {
        "rules": [
            {"event": "a.first", "contains": "x", "pattern": "x", "samples": [{"line": "no"}]},
            {"event": "a.second", "contains": "x", "pattern": "x", "samples": [{"line": "x"}]},
            {
                "event": "a.third",
                "contains": "z",
                "pattern": "z(?P<n>.)",
                "samples": [{"line": "z1", "values": {"n": "2"}}],
            },
            {"event": "a.fourth", "contains": "q", "pattern": "q"},
        ]
    }
    told = list(failures(compile_rules(two)))
    assert [one.split(":")[0] for one in told] == ["a.first", "a.second", "a.third", "a.fourth"]
    assert "no rule knows its sample" in told[0]
    assert "a.first takes its sample" in told[1]
    assert "it makes {'n': '1'}, not {'n': '2'}" in told[2]
    assert "has no sample" in told[3]


def test_topics_that_somebody_invents_do_not_fill_memory() -> None:
    for number in range(3000):
        OURS.find((f"info{number}", "info"), "ether1 link down")
    assert len(OURS._by_topics) <= 1024


@given(st.text(max_size=300))
def test_no_text_makes_a_rule_raise(text: str) -> None:
    OURS.find((), text)


HOSTILE = [
    "in:" * 2000 + "->",
    "input: in:a out:" + "a, " * 2000 + "->",
    "user " + "logged in from " * 500,
    "<pppoe-" + ">: " * 2000,
    "login failure for user " + "from 1.2.3.4 " * 600 + "via x",
    "a " * 3000 + "by " * 300,
    " added by " * 800,
    "x { " * 1500 + "} state change to",
    "00:11:22:33:44:55@a" + "(" * 3000 + " connected",
    ("a " * 1000) + "logged in, 1.2.3.4 from ",
    "1:" * 3000 + "->" + "1:" * 900,
    "x assigned " * 700,
    "user x logged in from " + ":" * 8000,
    "a: in:a out:a, " * 500 + "->",
    "in: in:" + "a out:" * 1000 + ", proto TCP, 1.2.3.4->",
    "v {" + "} a {" * 60 + "} interface { b " + "%" * 580 + " x state change to",
    "received DHCP server message on untrusted port from source IP " + "1:" * 3000,
    "phase1 negotiation failed due to " + "a " * 3000,
    "dhcp alert on " * 400 + ": discovered unknown dhcp server, mac",
    "v2 { " + "} x { " * 1000 + "} interface { a b%c } neighbor { state change",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_keeps_a_rule_busy(text: str) -> None:
    text = text[:8192]
    begun = time.process_time()
    OURS.find((), text)
    # A slice of the reactor's time. Half a millisecond is usual; what backtracks without end takes minutes.
    assert time.process_time() - begun < 0.02


def test_real_lines_are_understood() -> None:
    folder = Path(os.environ.get("MTD_ROSDATA", "")) / "syslog"
    if not os.environ.get("MTD_ROSDATA") or not folder.is_dir():
        pytest.skip("MTD_ROSDATA names no folder with captures")
    for path, event in [
        ("crowdsec-hub/mikrotik-bf.log", "user.login.failed"),
        ("crowdsec-hub/mikrotik-scan-multi_ports.log", "firewall.hit"),
    ]:
        for data in (folder / path).read_bytes().splitlines():
            line = read_line(data)
            found = OURS.find(line.topics, line.text)
            assert found is not None, data
            assert found.event_type == event, data
    unknown = []
    for path in sorted((folder / "index-captures").glob("*.txt")):
        for data in path.read_bytes().splitlines():
            if path.name == "topics_75.txt" or not data.strip() or data.startswith(b"#"):
                continue
            line = read_line(data)
            if OURS.find(line.topics, line.text, "0-Napbiotec") is None:
                unknown.append(data)
    # Told, and no event: the steps of an OSPF neighbour's election, a CAPsMAN that was chosen, an update, a debug line.
    assert len(unknown) <= 11, unknown


def test_rules_say_what_is_on_the_timeline() -> None:
    def told(*rules: dict[str, object]) -> dict[str, tuple[bool, bool]]:
        content = {"rules": [{"event": "a.b", "contains": "x", "pattern": "x", **rule} for rule in rules]}
        found = compile_rules(content).tellings()
        return {name: (telling.on_timeline, telling.of_state) for name, telling in found.items()}

    assert told({}) == {"a.b": (False, False)}
    assert told({"timeline": True}) == {"a.b": (True, False)}
    assert told({"state": {"new": "up"}}) == {"a.b": (True, True)}
    assert told({"state": {"new": "up"}, "timeline": False}) == {"a.b": (False, True)}
    # The first that says so decides for all of the type; one of another type has no say.
    assert told({}, {"timeline": True}) == {"a.b": (True, False)}
    assert told({"timeline": False}, {"timeline": True}) == {"a.b": (False, False)}
    assert told({"event": "a.c", "timeline": True}, {}) == {"a.c": (True, False), "a.b": (False, False)}
    ours = OURS.tellings()
    assert ours["interface.oper.changed"].on_timeline
    assert ours["interface.oper.changed"].name("ether1", {}) == "ether1"
    assert not ours["firewall.hit"].on_timeline


def test_rules_say_what_others_call_a_thing_of_which_lines_tell_parts() -> None:
    rule = {"event": "a.b", "contains": "x", "pattern": "x(?P<n>\\d)(?P<v>\\d)?", "entity": "n"}
    telling = compile_rules({"rules": [rule, {**rule, "known_as": "V%{v} %{n}"}]}).tellings()["a.b"]
    assert telling.name("1", {"n": "1", "v": "2"}) == "V2 1"
    assert telling.name("1", {"n": "1"}) is None
    with pytest.raises(RuleError, match="`known_as` wants `w`"):
        compile_rules({"rules": [{**rule, "known_as": "%{w}"}]})


@pytest.mark.parametrize(
    ("old", "new", "event"),
    [
        ("Full", "Down", "routing.ospf.neighbor.lost"),
        ("Init", "Down", "routing.ospf.neighbor.lost"),
        ("Loading", "Full", "routing.ospf.state.changed"),
        ("Full", "ExStart", "routing.ospf.state.changed"),
        ("Down", "Init", "routing.ospf.state.passed"),
        ("Exchange", "Loading", "routing.ospf.state.passed"),
    ],
)
def test_of_an_adjacency_the_timeline_has_what_comes_up_and_what_breaks(
    old: str, new: str, event: str
) -> None:
    seven = (
        "route,ospf,info v2 { version: 2 router-id: 192.0.2.1 } area0 { 0.0.0.0 } interface { broadcast 192.0.2.5%sfp1 } "
        f"neighbor {{ router-id: 192.0.2.2 state: {old} }} state change to {new}"
    )
    six = f"route,ospf,info OSPFv2 neighbor 192.0.2.2: state change from {old} to {new}"
    telling = OURS.tellings()[event]
    for text in (seven, six):
        line = read_line(text.encode())
        found = OURS.find(line.topics, line.text)
        assert found is not None
        assert (found.event_type, found.entity) == (event, "192.0.2.2")
        if telling.on_timeline:
            assert telling.name(found.entity, found.values) == "OSPFv2 192.0.2.2"
    assert telling.on_timeline is (event != "routing.ospf.state.passed")
