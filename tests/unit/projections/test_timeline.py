"""Which lines are events, and by what they and polls are compared."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.syslog.rules import Telling, compile_rules
from mtd.model.device import Severity
from mtd.model.events import Origin, state_event
from mtd.model.evidence import Source, fact_number
from mtd.model.logs import LogEntry, log_event
from mtd.model.observation import StateChange
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.projections.timeline import MOST_LINES, Timeline
from mtd.storage.stores.events import EventRow

TENANT, DEVICE = "10000000-0000-4000-8000-000000000001", "20000000-0000-4000-8000-000000000002"
ORIGIN = Origin(TENANT, "collector", DEVICE)
OURS_RULES = compile_rules(yaml.safe_load(files("mtd.codec.syslog").joinpath("rules.yaml").read_bytes()))
OURS = Timeline.of(OURS_RULES)
GOLDEN = Path(__file__).parents[1] / "eventlog" / "golden"
AT = 1_700_000_000_000_000


def entry(event_type: str, **facts: object) -> LogEntry:
    return LogEntry(AT, "text", "text", event_type=event_type, **facts)  # type: ignore[arg-type]


def rows_of(*entries: LogEntry, timeline: Timeline = OURS, origin: Origin = ORIGIN) -> list[EventRow]:
    return timeline.of_lines(7, log_event(origin, "192.0.2.1", entries, AT + 5))[0]


def link(**facts: object) -> LogEntry:
    facts = {"entity_type": "interface", "entity": "ether1", "state_field": "running", "new": "down", **facts}
    return entry("interface.oper.changed", **facts)


def polled(timeline: Timeline = OURS, event_id: bytes = b"", **facts: object) -> EventRow:
    told = {
        "event_type": "interface.oper.changed",
        "severity": Severity.WARNING,
        "entity_type": "interface",
        "entity_id": "*1",
        "entity_label": "ether1",
        "field": "running",
        "old": "up",
        "new": "down",
        "message": "ether1 is down",
        **facts,
    }
    envelope = state_event(ORIGIN, StateChange(**told), AT, AT)  # type: ignore[arg-type]
    envelope.event_id = event_id
    return timeline.of_change(envelope, row_of(envelope))


def row_of(envelope: Envelope) -> EventRow:
    told = envelope.state_changed
    return EventRow(
        TENANT, DEVICE, 1, 0, AT, AT, told.event_type, 2, told.entity_type, told.entity_id, told.entity_label, told.field,
        told.old_value, told.new_value, told.message,
    )  # fmt: skip


def test_a_line_is_the_event_that_its_poll_is() -> None:
    line, poll = *rows_of(link(severity=4)), polled()
    assert line.fact == poll.fact
    assert (line.source, poll.source) == (Source.SYSLOG, Source.POLL)
    assert (line.seq, line.part, line.collected_us, line.received_us) == (7, 0, AT, AT + 5)
    assert (line.event_type, line.field, line.new_value) == (poll.event_type, poll.field, poll.new_value)
    assert (line.entity_id, line.entity_label, line.message) == ("", "ether1", "text")
    # What came before is what a line would have told.
    assert rows_of(link(new="up"))[0].fact == poll.fact_before == rows_of(link(old="up"))[0].fact_before
    assert line.fact_before is None


def test_a_neighbour_is_known_by_what_its_line_tells_of_it() -> None:
    def lost(values: dict[str, str]) -> int | None:
        told = {"entity_type": "neighbor", "entity": "10.255.0.2", "old": "present", "values": values}
        return rows_of(entry("routing.ospf.neighbor.lost", **told))[0].fact

    def poll(**facts: str) -> EventRow:
        told = {
            "event_type": "routing.ospf.neighbor.lost",
            "entity_type": "ospf_neighbor",
            "entity_label": "10.0.0.2",
            "field": "",
            "old": "present",
            "new": "",
        }
        return polled(**{**told, **facts})

    fact = poll(logged_as="OSPFv2 10.255.0.2").fact
    assert fact == lost({"version": "2", "neighbor": "10.255.0.2"})
    assert fact != lost({"version": "3", "neighbor": "10.255.0.2"})
    # Over two links, nobody knows which of them a line means.
    assert poll().fact != fact
    state = {
        "entity_type": "neighbor",
        "entity": "10.255.0.2",
        "state_field": "state",
        "old": "Loading",
        "new": "Full",
    }
    line = entry("routing.ospf.state.changed", **state, values={"version": "2", "neighbor": "10.255.0.2"})
    full = {"event_type": "routing.ospf.state.changed", "field": "state", "old": "exchange", "new": "full"}
    assert rows_of(line)[0].fact == poll(logged_as="OSPFv2 10.255.0.2", **full).fact


def test_what_older_rules_took_apart_is_read_anew() -> None:
    """Their one type of events was for all steps of an adjacency, and told no version of the protocol."""
    batch = Envelope.FromString(bytes.fromhex((GOLDEN / "mtd.log.batch.v1+adjacencies.hex").read_text()))
    rows, untold = OURS.of_lines(7, batch)
    assert untold == 0
    full, lost = "routing.ospf.state.changed", "routing.ospf.neighbor.lost"
    assert [(row.part, row.event_type, row.severity, row.entity_label, row.old_value, row.new_value) for row in rows] == [
        (5, full, 2, "192.0.2.2", "Loading", "Full"),
        (6, lost, 3, "192.0.2.2", "present", ""),
        (12, full, 2, "192.0.2.3", "Loading", "Full"),
        (13, lost, 3, "192.0.2.3", "present", ""),
    ]  # fmt: skip
    assert [row.fact for row in rows] == [
        fact_number(batch.tenant_id, event_type, f"OSPFv2 {neighbor}", state)
        for neighbor in ("192.0.2.2", "192.0.2.3")
        for event_type, state in ((full, "Full"), (lost, ""))
    ]
    # The log stays as it is.
    assert {line.event_type for line in batch.log_batch.lines} == {full}


def test_a_line_that_lacks_a_name_is_an_event_if_these_rules_know_it() -> None:
    def step(text: str) -> list[EventRow]:
        line = entry(
            "routing.ospf.state.changed",
            entity_type="neighbor",
            entity="10.255.0.2",
            old="Loading",
            new="Full",
        )
        line.text, line.topics = text, ("route", "ospf")
        return rows_of(line)

    # A router that tells no version: nobody is compared with it.
    (row,) = step(
        "v2 { router-id: 192.0.2.1 } area0 { 0.0.0.0 } interface { broadcast 192.0.2.5%sfp1 }"
        " neighbor { router-id: 10.255.0.2 state: Loading } state change to Full"
    )
    assert (row.new_value, row.source, row.fact) == ("Full", Source.SYSLOG, None)
    assert step("a neighbor is Full") == []
    assert (
        rows_of(entry("routing.ospf.state.changed", new="Full"), timeline=Timeline(OURS_RULES.tellings()))
        == []
    )


def test_a_client_of_dhcp_is_known_by_its_interface() -> None:
    told = {"event_type": "dhcp.client.changed", "entity_type": "dhcp_client", "entity_label": "uplink"}
    poll = polled(**told, logged_as="ether1", field="state", old="searching", new="bound")
    found = OURS_RULES.find(("dhcp", "info"), "dhcp-client on ether1 got IP address 198.51.100.110")
    assert found is not None
    line = entry(
        found.event_type, entity_type="interface", entity=found.entity, state_field="state", new=found.new
    )
    assert rows_of(line)[0].fact == poll.fact


def test_what_tells_them_apart() -> None:
    facts = [
        rows_of(link())[0].fact,
        rows_of(link(new="up"))[0].fact,
        rows_of(link(entity="ether2"))[0].fact,
        rows_of(entry("interface.vrrp.changed", entity="ether1", new="down"))[0].fact,
        rows_of(link(), origin=Origin(DEVICE, "collector", DEVICE))[0].fact,
        fact_number(TENANT, "interface.oper.changed", "ether1", None),
    ]
    assert len(set(facts)) == len(facts)


def test_the_name_is_that_of_the_router_s_log() -> None:
    line = rows_of(link())[0]
    assert polled(entity_label="to graz").fact != line.fact
    assert polled(entity_label="to graz", logged_as="ether1").fact == line.fact
    assert polled(new="DOWN").fact == line.fact


def test_a_router_that_booted_is_known_by_that_alone() -> None:
    line = rows_of(entry("device.rebooted", entity_type="device"))[0]
    poll = polled(
        event_type="device.rebooted", entity_type="device", entity_id=DEVICE, entity_label="core-1", field="uptime", old="9s"
    )  # fmt: skip
    assert line.fact == poll.fact
    assert poll.fact_before is None
    assert line.entity_id == DEVICE


def test_only_what_a_line_can_tell_is_compared() -> None:
    assert polled(event_type="interface.admin.changed").source is None
    assert polled(told_by="somebody").source is None
    # Nobody says that what a program sent was polled.
    assert polled(event_id=b"x" * 16).source is None
    assert polled(old="").fact_before is None
    assert polled(Timeline()).fact is None


def test_a_trap_is_the_event_that_its_poll_is() -> None:
    trap, poll = polled(told_by="trap"), polled()
    assert (trap.source, trap.fact, trap.fact_before) == (Source.TRAP, poll.fact, poll.fact_before)
    # It is known by the interface's name, also where people call that otherwise; by its number it isn't.
    assert polled(told_by="trap", entity_label="to graz", logged_as="ether1").fact == poll.fact
    assert polled(told_by="trap", entity_label="").fact is None
    # Who told is said of all traps.
    other = polled(told_by="trap", event_type="snmp.trap.received", entity_type="device")
    assert (other.source, other.fact) == (Source.TRAP, None)
    assert polled(Timeline(), told_by="trap").source == Source.TRAP


@pytest.mark.parametrize(
    ("event_type", "is_event"),
    [
        ("user.login.failed", True),
        ("dhcp.pool.exhausted", True),
        ("device.kernel_failure", True),
        ("netwatch.changed", True),
        ("firewall.hit", False),
        ("user.logged_in", False),
        ("dhcp.lease.assigned", False),
        ("ppp.session.started", False),
        ("routing.ospf.state.passed", False),
        ("routing.bgp.session.closed", False),
        ("site.door.opened", False),
        ("", False),
    ],
)
def test_the_rules_say_what_is_on_the_timeline(event_type: str, is_event: bool) -> None:
    assert bool(rows_of(entry(event_type))) is is_event


def test_a_state_that_a_collector_s_own_rule_tells_is_an_event_for_itself() -> None:
    (row,) = rows_of(entry("site.door.opened", state_field="door", new="open"))
    assert (row.source, row.fact) == (Source.SYSLOG, None)
    known = Timeline({"site.door.opened": Telling(False, True)})
    assert rows_of(entry("site.door.opened", state_field="door", new="open"), timeline=known) == []


def test_lines_of_nobody_s_device_are_no_events() -> None:
    assert rows_of(link(), origin=Origin(TENANT, "collector")) == []


@pytest.mark.parametrize(("severity", "shown"), [(None, 1), (0, 3), (2, 3), (3, 2), (4, 2), (5, 1), (7, 1)])
def test_severities_of_syslog_are_three(severity: int | None, shown: int) -> None:
    assert rows_of(link(severity=severity))[0].severity == shown


def test_a_flood_fills_no_timeline() -> None:
    entries = [link(entity=f"ether{number}") for number in range(MOST_LINES + 7)]
    rows, untold = OURS.of_lines(1, log_event(ORIGIN, "192.0.2.1", [entry("firewall.hit"), *entries], AT))
    assert [row.part for row in rows] == list(range(1, MOST_LINES + 1))
    assert untold == 7


def test_a_long_line_is_told_by_its_beginning() -> None:
    found = link()
    found.text = "x" * 5000
    assert len(rows_of(found)[0].message) == 1000


@given(st.lists(st.text(max_size=8), min_size=3, max_size=3), st.none() | st.text(max_size=8))
def test_a_fact_is_a_number_that_postgresql_holds(words: list[str], value: str | None) -> None:
    number = fact_number(*words, value)
    assert -(2**63) <= number < 2**63
    assert number == fact_number(*words, value)
