"""Links of lab routers go down: what polls and log lines tell of it is one event, also when it is made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mtd.testing.harness import free_port
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "one"
interfaces = 3
syslog = "127.0.0.1:{port}"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    port = free_port()
    syslog = {"enabled": True, "host": "127.0.0.1", "udp_port": port, "flush_s": 0.1}
    with rig(SCENARIO.format(port=port), settings={**QUICK_TIERS, "syslog": syslog}) as stage:
        stage.add_all()
        yield stage


def links(stage: Rig, label: str) -> list[dict[str, Any]]:
    """Return what is told of an interface: once each, by time."""
    told = [
        event
        for event in stage.events("-d", "one")
        if event["event_type"] == "interface.oper.changed" and event["entity_label"] == label
    ]
    return sorted(told, key=lambda event: event["collected_at"])


def seen_by(event: dict[str, Any]) -> list[str]:
    return [one["source"] for one in event["evidences"]]


def test_a_link_that_goes_down_and_up_is_two_events_with_two_evidences_each(running: Rig) -> None:
    with running.control() as control:
        control.inject("one", "link-flap", interfaces=["*1"], for_s=4.0)

    def both() -> list[dict[str, Any]] | None:
        found = links(running, "ether1")
        return found if sum(len(event["evidences"]) for event in found) == 4 else None

    down, up = wait_for(both, "poll and line of down and of up", 30)
    assert [(event["new_value"], seen_by(event)) for event in (down, up)] == [
        ("down", ["syslog", "poll"]),
        ("up", ["syslog", "poll"]),
    ]
    first, second = down["evidences"]
    assert (down["collected_at"], first["message"]) == (first["collected_at"], "ether1 link down")
    assert (down["message"], down["entity_id"]) == (second["message"], "*1")
    assert second["after_first_s"] > first["after_first_s"] == 0
    # Programs are told where the line is; SQL has both rows, which know each other.
    text = running.value(
        "SELECT text FROM log_record WHERE log_id = %s AND seq = %s AND part = %s",
        *(first[name] for name in ("log_id", "seq", "part")),
    )
    assert text == "ether1 link down"
    assert "(syslog, poll" in running.mtd("events", "-d", "one").out


def test_flaps_that_are_faster_than_polls_are_told_each(running: Rig) -> None:
    with running.control() as control:
        control.inject("one", "link-flap", interfaces=["*2"], every_s=0.5, down_s=0.02, for_s=3.0)
    sent = 12

    def told() -> list[dict[str, Any]] | None:
        found = links(running, "ether2")
        lines = sum(seen_by(event).count("syslog") for event in found)
        return found if lines >= sent else None

    found = wait_for(told, "all lines are events", 30)
    assert [event["new_value"] for event in found[:sent]] == ["down", "up"] * (sent // 2)
    assert any(seen_by(event) == ["syslog"] for event in found)


def test_made_again_it_is_the_same(running: Rig) -> None:
    assert running.daemon is not None
    before = {label: links(running, label) for label in ("ether1", "ether2")}
    running.verify()
    assert running.daemon.stop() < 30
    running.mtd("rebuild", "events", "--json", timeout_s=60)
    running.start_daemon()
    after = {label: links(running, label) for label in ("ether1", "ether2")}
    assert after == before
    running.verify()
