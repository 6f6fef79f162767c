"""``mtd watch`` and ``mtd events`` against a door on a real socket."""

from __future__ import annotations

import json
import time

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
