"""Snapshots that tell what changed."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from mtd.core.slices import in_slices
from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin import Collector, DocumentEvent, Menu, TableKind, columns
from mtd.plugin.checks import problems_of
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.snapshot_menu import SnapshotMenu
from mtd.testing import run_async
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import events_of
from mtd.testing.replies import replies_from
from tests.unit.plugin.conftest import TABLE

RULES = Menu(
    name="rules",
    path="/ip/firewall/filter",
    kind=TableKind.SNAPSHOT,
    tier=Tier.T3,
    table="config.firewall.filter",
    row_key=".id",
    fields=columns("chain", "action", "comment"),
    changes=DocumentEvent(
        event_type="config.changed",
        entity_type="configuration",
        message="filter rules: {changes}",
        section="firewall",
        severity=Severity.WARNING,
    ),
)
EGG = Collector(name="audit", api=1, description="Audit.", menus=(RULES,))


def poll(mapper: DeviceMapper, *rules: dict[str, str]) -> Observation:
    menus = {"/ip/firewall/filter/print": list(rules)}
    return mapper.observe(Tier.T3, replies_from(mapper.commands(Tier.T3), menus))


def test_a_change_is_told_and_the_first_sight_and_an_equal_answer_are_not() -> None:
    mapper = DeviceMapper(make_device(), [EGG], clock=FakeClock())
    rule = {".id": "*1", "chain": "input", "action": "drop", "comment": "guests"}
    first = poll(mapper, rule)
    assert (len(first.documents), first.state_changes) == (1, [])
    again = poll(mapper, dict(reversed(rule.items())))
    assert (again.documents, again.state_changes) == ([], [])
    changed = poll(mapper, rule | {"action": "accept"}, {".id": "*2", "chain": "forward", "action": "drop"})
    assert len(changed.documents) == 1
    [event] = changed.state_changes
    assert event.event_type == "config.changed"
    assert event.severity is Severity.WARNING
    assert (event.entity_type, event.entity_id, event.entity_label) == (
        "configuration",
        "config.firewall.filter",
        "/ip/firewall/filter",
    )
    assert (event.field, event.old, event.new) == (
        "firewall",
        "action=drop",
        "action=drop chain=forward, action=accept",
    )
    assert event.message == (
        "filter rules: 1 added: action=drop chain=forward; 1 changed: guests (action drop → accept)"
    )


def test_texts_of_an_event_are_bounded() -> None:
    mapper = DeviceMapper(make_device(), [EGG], clock=FakeClock())
    poll(mapper)
    many = [{".id": f"*{n}", "chain": "x" * 3000, "action": "{changes}"} for n in range(500)]
    [event] = poll(mapper, *many).state_changes
    assert len(event.message) < 400
    assert len(event.new) <= 200


def test_only_a_snapshot_has_it() -> None:
    [problem] = problems_of(replace(EGG, menus=(replace(TABLE, changes=RULES.changes),)))
    assert "snapshot" in problem


def test_rows_over_the_cap_are_told_and_what_they_push_out_was_not_removed() -> None:
    egg = replace(EGG, menus=(replace(RULES, max_instances=3),))
    mapper = DeviceMapper(make_device(), [egg], clock=FakeClock())
    rules = [{".id": f"*{number}", "chain": "input", "comment": f"rule {number}"} for number in range(1, 5)]
    first = poll(mapper, *rules)
    [capped] = events_of(first, "collector.rows.capped")
    assert (capped.old, capped.new) == ("3", "4")

    added = poll(mapper, {".id": "*9", "chain": "input", "comment": "rule 9"}, *rules)
    [event] = added.state_changes
    assert event.message == "filter rules: 1 added: rule 9"
    back = poll(mapper, *rules)
    [event] = back.state_changes
    assert event.message == "filter rules: 1 removed: rule 9"
    fewer = poll(mapper, *rules[1:])
    assert len(events_of(fewer, "collector.rows.uncapped")) == 1
    assert [event.message for event in events_of(fewer, "config.changed")] == [
        "filter rules: 1 removed: rule 1"
    ]


def test_a_long_document_is_not_written_in_the_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    observe = SnapshotMenu.observe

    def noted(*arguments: object) -> None:
        threads.append(threading.get_ident())
        observe(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SnapshotMenu, "observe", noted)
    mapper = DeviceMapper(make_device(), [EGG], clock=FakeClock())
    for rows in (3, 700):
        rules = [{".id": f"*{number}", "chain": "input"} for number in range(rows)]
        answers = replies_from(mapper.commands(Tier.T3), {"/ip/firewall/filter/print": rules})
        found = run_async(in_slices(mapper.observing(Tier.T3, answers)))
        assert len(found.documents) == 1
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, False]
