"""``mtd device poll`` against a door on a real socket."""

from __future__ import annotations

import json

from mtd.model.metric import Tier
from mtd.scheduler.errors import PollTooSoon
from tests.unit.cli.conftest import Commands, DoorInThread


def test_it_tells_what_was_polled_and_why_not(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    mtd("device", "add", "r1", "192.0.2.1", "--user", "u", "--password", "p", *server)
    told = json.loads(mtd("device", "poll", "r1", "--json", *server).output)
    assert [(one["tier"], one["result"], one["commands"]) for one in told] == [
        ("t0", "polled", 3), ("t1", "skipped", 0), ("t2", "polled", 3), ("t3", "polled", 3),
    ]  # fmt: skip
    text = mtd("device", "poll", "r1", "--tier", "t1", "--tier", "t0", *server).output
    assert "the router's CPU load is high" in text
    assert "1.5 ms" in text
    assert door.inventory.polled == [("r1", frozenset(Tier)), ("r1", frozenset({Tier.T0, Tier.T1}))]
    door.inventory.error = PollTooSoon("r1 was asked a moment ago", retry_after_s=4, hint="ask again in 4 s")
    assert "ask again in 4 s" in mtd("device", "poll", "r1", *server, code=1).output
