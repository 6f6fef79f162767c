"""Links of lab routers go down: what polls, log lines and traps tell of it is one event, also when it is made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mtd.testing.harness import free_port, free_udp_port
from tests.e2e.kit import QUICK_TIERS, Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "one"
interfaces = 3
syslog = "127.0.0.1:{port}"
traps = "127.0.0.1:{traps}"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    port, traps_port = free_port(), free_udp_port()
    syslog = {"enabled": True, "host": "127.0.0.1", "udp_port": port, "flush_s": 0.1}
    traps = {"enabled": True, "host": "127.0.0.1", "port": traps_port}
    settings = {**QUICK_TIERS, "syslog": syslog, "traps": traps}
    with rig(SCENARIO.format(port=port, traps=traps_port), settings=settings) as stage:
        stage.add_all()
        # A trap tells an interface's number: its name comes from the inventory, which has to be read once.
        wait_for(lambda: stage.sql("SELECT 1 FROM interface HAVING count(*) = 3"), "interfaces are known")
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


def test_a_link_that_goes_down_and_up_is_two_events_with_three_evidences_each(running: Rig) -> None:
    with running.control() as control:
        control.inject("one", "link-flap", interfaces=["*1"], for_s=4.0)

    def both() -> list[dict[str, Any]] | None:
        found = links(running, "ether1")
        return found if sum(len(event["evidences"]) for event in found) == 6 else None

    down, up = wait_for(both, "poll, line and trap of down and of up", 30)
    for event, state in ((down, "down"), (up, "up")):
        assert event["new_value"] == state
        # Of two datagrams to two ports, either may be read first.
        assert (sorted(seen_by(event)[:2]), seen_by(event)[2:]) == (["syslog", "trap"], ["poll"])
    by_source = {one["source"]: one for one in down["evidences"]}
    first, last = down["evidences"][0], by_source["poll"]
    assert (down["collected_at"], by_source["syslog"]["message"]) == (
        first["collected_at"],
        "ether1 link down",
    )
    assert (down["message"], down["entity_id"]) == (last["message"], "*1")
    assert last["after_first_s"] > first["after_first_s"] == 0
    # Programs are told where the line is; SQL has both rows, which know each other.
    text = running.value(
        "SELECT text FROM log_record WHERE log_id = %s AND seq = %s AND part = %s",
        *(by_source["syslog"][name] for name in ("log_id", "seq", "part")),
    )
    assert text == "ether1 link down"
    assert ", poll" in (told := running.mtd("events", "-d", "one").out)
    assert "trap" in told


def test_flaps_that_are_faster_than_polls_are_told_each(running: Rig) -> None:
    with running.control() as control:
        control.inject("one", "link-flap", interfaces=["*2"], every_s=0.5, down_s=0.02, for_s=3.0)
    sent = 12

    def told() -> list[dict[str, Any]] | None:
        found = links(running, "ether2")
        heard = [source for event in found for source in seen_by(event) if source != "poll"]
        return found if heard.count("syslog") >= sent and heard.count("trap") >= sent else None

    found = wait_for(told, "all lines and traps are events", 30)
    lines = [event["new_value"] for event in found if "syslog" in seen_by(event)]
    assert lines[:sent] == ["down", "up"] * (sent // 2)
    assert any(sorted(seen_by(event)) == ["syslog", "trap"] for event in found)


def test_made_again_it_is_the_same(running: Rig) -> None:
    assert running.daemon is not None
    # A poll may still tell of the last flap: what was polled after it is stored before anything is compared.
    over = running.value("SELECT clock_timestamp()")
    later = "SELECT max(ts_collected) - %s > interval '3 s' FROM latest"
    wait_for(lambda: running.value(later, over), "polls after the flaps are stored")
    before = {label: links(running, label) for label in ("ether1", "ether2")}
    running.verify()
    assert running.daemon.stop() < 30
    running.mtd("rebuild", "events", "--json", timeout_s=60)
    running.start_daemon()
    after = {label: links(running, label) for label in ("ether1", "ether2")}
    assert after == before
    running.verify()
