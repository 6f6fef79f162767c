"""``mtd watch`` and ``mtd events`` against a door on a real socket."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from mtd.model.evidence import Source
from mtd.queries.records import Evidence
from tests.unit.api.fakes import declared, device, event, frame, interfaces, numbered
from tests.unit.cli.conftest import Commands, DoorInThread


def fill(door: DoorInThread) -> None:
    door.hub.apply_devices([device(), device("d2", "gh[/ost]")])
    door.hub.publish(
        numbered(declared(), interfaces({"*1": {"name": "eth[/1]"}}), frame(1), frame(1, device_id="d2"))
    )


def test_a_watch_that_brings_nothing_ends_in_time(mtd: Commands, door: DoorInThread) -> None:
    for arguments in (("-m", "nothing"), ("-m", "nothing", "--json"), ()):
        started = time.monotonic()
        mtd("watch", "--seconds", "0.5", *arguments, "--server", door.target)
        assert 0.4 < time.monotonic() - started < 5


def test_a_watch_prints_what_comes(mtd: Commands, door: DoorInThread) -> None:
    door.call(lambda: fill(door))
    lines = mtd(
        "watch", "--seconds", "0.5", "--json", "-m", "iface.*", "--server", door.target
    ).output.splitlines()
    assert {json.loads(line)["device"] for line in lines} == {"r1", "gh[/ost]"}
    table = mtd("watch", "--seconds", "0.5", "-m", "iface.*", "--server", door.target).output
    assert "gh[/ost]" in table
    assert "iface.eth[/1].rx_bps" in table


def test_a_device_that_is_removed_leaves_the_screen(mtd: Commands, door: DoorInThread) -> None:
    door.call(lambda: fill(door))
    door.later(0.5, lambda: door.hub.apply_devices([device()]))
    for arguments in (("-m", "iface.*"), ()):
        last = mtd("watch", "--seconds", "1.2", *arguments, "--server", door.target).output.split("Age")[-1]
        assert "r1" in last
        assert "gh[/ost]" not in last


def test_a_renamed_interface_is_one_line(mtd: Commands, door: DoorInThread) -> None:
    door.call(lambda: fill(door))
    door.later(0.5, lambda: door.hub.publish(numbered(interfaces({"*1": {"name": "uplink"}}), frame(2))))
    last = mtd("watch", "--seconds", "1.2", "-d", "r1", "-m", "iface.rx_bps", "--server", door.target)
    shown = last.output.split("Age")[-1]
    assert "iface.uplink.rx_bps" in shown
    assert "eth[/1]" not in shown


def test_a_watch_of_a_daemon_that_is_not_there_fails(mtd: Commands) -> None:
    assert "127.0.0.1:9" in mtd("watch", "--seconds", "1", "--server", "127.0.0.1:9", code=1).output


def test_events_are_printed_as_they_are(mtd: Commands, door: DoorInThread) -> None:
    door.telemetry.events.append(event(1, device_id="[/x]"))
    assert "name-[/x]" in mtd("events", "--server", door.target).output
    assert json.loads(mtd("events", "--json", "--server", door.target).output)["position"] == 1


def test_who_saw_an_event_is_told(mtd: Commands, door: DoorInThread) -> None:
    seen = [
        Evidence(Source.SYSLOG, 1_000_000, 0, "log", 7, 3, "ether1 link down"),
        Evidence(Source.POLL, 3_500_000, 2_500_000, "log", 9, 0, "ether1 is down"),
    ]
    door.telemetry.events += [replace(event(2), evidences=seen, replaces=[1]), event(3)]
    first, second = mtd("events", "--server", door.target).output.splitlines()
    assert first.endswith("event 2  (syslog, poll 2.5 s later)")
    assert second.endswith("event 3")
    told = json.loads(mtd("events", "--json", "--server", door.target).output.splitlines()[0])
    assert told["replaced_positions"] == [1]
    assert told["evidences"][1] == {
        "source": "poll",
        "collected_at": "1970-01-01 00:00:03.500000+00:00",
        "after_first_s": 2.5,
        "log_id": "log",
        "seq": 9,
        "part": 0,
        "message": "ether1 is down",
    }
