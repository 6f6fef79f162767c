"""Log lines from lab routers to the command line: what was sent is stored, and says what happened."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from mtd.testing.harness import free_port
from tests.e2e.kit import Rig, rig, wait_for

SCENARIO = """
[[router]]
name = "one"
interfaces = 2
syslog = "127.0.0.1:{port}"

[[router]]
name = "two"
interfaces = 2
syslog = "127.0.0.1:{port}"
syslog_form = "cef"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Rig, int]]:
    port = free_port()
    settings = {"syslog": {"enabled": True, "host": "127.0.0.1", "udp_port": port, "flush_s": 0.1}}
    with rig(SCENARIO.format(port=port), settings=settings) as stage:
        # What routers said before the daemon listened is nobody's; mtd hasn't talked with them yet.
        stage.notes["unheard"] = sent(stage) - taken(stage)
        stage.add_all()
        yield stage, port


def listed(stage: Rig, *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stage.mtd("syslog", "list", "--json", *arguments).out.splitlines()]


def test_a_link_that_goes_down_is_told_by_the_router(running: tuple[Rig, int]) -> None:
    stage, _ = running
    with stage.control() as control:
        for name in ("one", "two"):
            control.inject(name, "link-flap", interfaces=["*1"], for_s=1.0)
    for name in ("one", "two"):
        lines = wait_for(
            lambda name=name: (
                found if len(found := listed(stage, "-d", name, "-e", "interface.*")) >= 2 else None
            ),  # type: ignore[misc]
            f"both lines of {name}",
            30,
        )
        up, down = lines[:2]
        assert (down["event_type"], down["entity"], down["new"]) == (
            "interface.oper.changed",
            "ether1",
            "down",
        )
        assert (up["entity"], up["new"]) == ("ether1", "up")
        assert down["device"] == name
        assert str(down["original"]).endswith(str(down["text"]))
    # What mtd itself does there is in the routers' logs, too.
    assert any(one["event_type"] == "user.logged_in" for one in listed(stage, "-d", "one"))
    shown = stage.mtd("syslog", "list", "-c", "link down").out
    assert "one" in shown
    assert "ether1 link down" in shown


def test_all_that_the_lab_sent_is_stored(running: tuple[Rig, int]) -> None:
    stage, _ = running
    unheard = stage.notes["unheard"]
    wait_for(lambda: sent(stage) - taken(stage) == unheard, "what was said until now has arrived", 30)
    before = taken(stage)
    with stage.control() as control:
        for name in ("one", "two"):
            control.inject(name, "link-flap", interfaces=["*1", "*2"], every_s=0.2, down_s=0.1, for_s=3.0)
    wait_for(lambda: taken(stage) >= before + 100, "lines come", 30)
    wait_for(lambda: sent(stage) - taken(stage) == unheard, "each line is stored, or counted", 30)
    assert stage.verify()["database"]["tables"]["log_record"]["found"] >= 100


def sent(stage: Rig) -> int:
    """Return how many lines the lab's routers have sent, to anybody."""
    with stage.control() as control:
        return sum(stats["log_lines_sent"] for stats in control.stats().values())


def taken(stage: Rig) -> float:
    """Return how many lines are stored, with those that came again, or counted as dropped."""
    return float(stage.value("SELECT coalesce(sum(1 + repeats), 0) FROM log_record")) + dropped(stage)


def dropped(stage: Rig) -> float:
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in stage.http("/metrics").splitlines()
        if line.startswith("mtd_listeners_dropped_total{")
    )


def test_who_is_nobodys_device_is_proposed(running: tuple[Rig, int]) -> None:
    stage, port = running
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.9", 0))
        stranger.sendto(b"<30>Jun 07 09:16:59 attic ether1 link down", ("127.0.0.1", port))
    found = wait_for(
        lambda: [
            one for one in stage.mtd("discovery", "list", "--json").json() if one["address"] == "127.0.0.9"
        ],
        "it is proposed",
        20,
    )
    assert found[0]["identity"] == "attic"


def test_rules_are_tested_by_the_command(running: tuple[Rig, int]) -> None:
    stage, _ = running
    assert "interface.oper.changed" in stage.mtd("syslog", "rules").out
    line = stage.mtd("syslog", "rules", "--line", "interface,info ether1 link down").out
    assert "event: interface.oper.changed" in line
    assert "interface: ether1" in line
    assert "on the timeline: yes" in line
    known = stage.mtd("syslog", "rules", "--json", "--line", "system,info,account user a logged in via local")
    assert known.json()["on_timeline"] is False
    wrong = stage.folder / "rules.yaml"
    wrong.write_text("rules:\n- {event: a.b, contains: x, pattern: 'x', samples: [{line: y}]}\n")
    answer = stage.mtd("syslog", "rules", str(wrong), code=1)
    assert "no rule knows its sample 'y'" in answer.err
