"""What a notification means as an event."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtd.codec.snmp import Binding, Notification, Plain, read_message
from mtd.codec.snmp.rules import Rules
from mtd.core.errors import Misconfigured
from mtd.listeners.traps.meaning import change_of, interface_of, load_rules
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from tests.unit.codec.snmp import samples
from tests.unit.listeners.kit import device
from tests.unit.listeners.traps.kit import COLD_START, IF_INDEX, LINK_DOWN, LINK_UP

RULES = load_rules()
ADMIN_STATUS = (1, 3, 6, 1, 2, 1, 2, 2, 1, 7, 3)
IF_DESCR = (1, 3, 6, 1, 2, 1, 2, 2, 1, 2, 3)
IF_NAME = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, 3)


def meaning(told: Notification, rules: Rules = RULES) -> StateChange:
    core = device("core-1", "192.0.2.1")
    return change_of(told, core, rules.find(told.trap), interface_of(told, core.code_page))


def test_a_start_is_told_as_the_poll_tells_it() -> None:
    change = meaning(Notification(COLD_START, 4250, ()))
    assert (change.event_type, change.severity) == ("device.rebooted", Severity.WARNING)
    assert (change.entity_type, change.entity_id, change.entity_label) == ("device", "id-core-1", "core-1")
    # How long it had run before, only the poll knows.
    assert (change.field, change.old, change.new, change.told_by) == ("uptime", "", "42s", "trap")


def test_what_isn_t_told_isn_t_invented() -> None:
    assert meaning(Notification(COLD_START, None, ())).new == ""
    change = meaning(Notification(LINK_UP, None, ()))
    assert (change.entity_id, change.entity_label) == ("", "")
    assert change.message == "an interface that isn't told is up"


@pytest.mark.parametrize(
    ("status", "severity"), [(1, Severity.WARNING), (2, Severity.INFO), (None, Severity.WARNING)]
)
def test_a_link_that_somebody_switched_off_is_no_alarm(status: int | None, severity: Severity) -> None:
    bindings = () if status is None else (Binding(ADMIN_STATUS, 2, status),)
    assert meaning(Notification(LINK_DOWN, 1, bindings)).severity is severity


@pytest.mark.parametrize(
    ("bindings", "found"),
    [
        ((Binding((*IF_INDEX, 255), 2, 255),), ("*FF", "")),
        # The value is what counts, whatever the instance says.
        ((Binding((*IF_INDEX, 1), 2, 9),), ("*9", "")),
        ((Binding(ADMIN_STATUS, 2, 1),), ("*3", "")),
        ((Binding(IF_DESCR, 4, b"descr"), Binding(IF_NAME, 4, b"name")), ("*3", "name")),
        ((Binding(IF_DESCR, 4, b"\xe9t\xe9"),), ("*3", "été")),
        ((Binding((*IF_INDEX, 0), 2, 0),), ("", "")),
        ((Binding((*IF_INDEX, 5), 2, -5),), ("", "")),
        ((Binding((1, 3, 6, 1), 4, b"x"),), ("", "")),
    ],
)
def test_the_interface_is_what_objects_of_interfaces_say(
    bindings: tuple[Binding, ...], found: tuple[str, str]
) -> None:
    told = interface_of(Notification(LINK_DOWN, 1, bindings), "latin-1")
    assert (told.id, told.name) == found


def test_of_other_traps_all_is_kept_within_bounds() -> None:
    values = tuple(Binding((1, 3, 6, 1, 4, 1, 9, number), 4, b"x" * 300) for number in range(40))
    change = meaning(Notification((1, 3, 6, 1, 4, 1, 9, 9), 1, values))
    assert (change.event_type, change.field, change.new) == ("snmp.trap.received", "trap", "1.3.6.1.4.1.9.9")
    assert change.message.startswith("core-1 sent the trap 1.3.6.1.4.1.9.9: 1.3.6.1.4.1.9.0 = xxx")
    assert len(change.message) == 4000
    few = meaning(Notification((1, 3, 6, 1, 4, 1, 9, 9), 1, (Binding((1, 3, 6), 4, b"\1\0"),) * 30))
    assert few.message.endswith("1.3.6 = 0x0100, and 6 more")


def test_traps_of_mikrotik_are_known_by_name() -> None:
    message = read_message(samples.V1_ENTERPRISE)
    assert isinstance(message, Plain)
    change = meaning(message.pdu.notification)
    assert (change.event_type, change.severity) == ("system.temperature.exceeded", Severity.CRITICAL)
    told = meaning(Notification((1, 3, 6, 1, 4, 1, 14988, 1, 1, 9, 0, 1), 1, ()))
    assert "mtxrTrap 1.3.6.1.4.1.14988.1.1.9.0.1" in told.message


OWN = """
rules:
  - trap: 1.3.6.1.4.1.9.9.7
    name: doorOpened
    event: site.door.opened
    severity: critical
    values: {door: 1.3.6.1.4.1.9.9.8}
    entity: door
    state: {field: state, old: closed, new: 'open since %{uptime}'}
    message: '%{door} of %{device} opened'
  - trap: 1.3.6.1.6.3.1.1.5.1
    name: coldStart
    event: site.started
"""


def test_rules_of_ones_own_go_first(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    rules = load_rules(tmp_path / "own.yaml")
    told = Notification(
        (1, 3, 6, 1, 4, 1, 9, 9, 7), 900, (Binding((1, 3, 6, 1, 4, 1, 9, 9, 8, 4), 4, b"north"),)
    )
    change = meaning(told, rules)
    assert (change.entity_type, change.entity_id, change.entity_label) == ("door", "north", "north")
    assert (change.old, change.new, change.message) == ("closed", "open since 9s", "north of core-1 opened")
    assert meaning(Notification(COLD_START, 1, ()), rules).event_type == "site.started"
    assert meaning(Notification(LINK_DOWN, 1, ()), rules).event_type == "interface.oper.changed"


@pytest.mark.parametrize("content", [None, b"rules: [", b"rules: {}", b"\xff", b"rules: [{}]"])
def test_rules_that_can_t_be_used_are_told(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured, match="own.yaml"):
        load_rules(path)
