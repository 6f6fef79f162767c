"""A collector at the edge: polls without a database, through cuts and crashes, and its hub has all of it, once.

Runbook: `agent-offline`.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
from typing import Any

import pytest

from mtd.testing.edges.edge import Edge
from mtd.testing.edges.line import Line
from tests.e2e.edge_kit import QUICK_FORWARD, Hub, Watchman, frames_in_database, frames_in_log, hub_with_edges
from tests.e2e.kit import wait_for

SCENARIO = """
[[router]]
name = "one"
interfaces = 4

[[router]]
name = "two"
interfaces = 4
"""
FAR = "127.0.0.2"
SLOW_BACKFILL = {**QUICK_FORWARD, "backfill_events_per_s": 10.0}


def is_lost(edge: Edge, cut_us: int) -> bool:
    status = edge.status()
    return not status["connected"] and status["since_us"] > cut_us and status["buffer_events"] > 30


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_when_the_line_is_cut_and_both_ends_are_killed() -> None:
    with hub_with_edges(
        SCENARIO,
        "edge-1",
        host=FAR,
        hub_settings={"grpc": {"host": "127.0.0.1"}},
        edge_settings={"forward": SLOW_BACKFILL},
    ) as (hub, (edge,)):
        hub.add_routers()
        with Line(FAR, [hub.client_port]) as line:
            edge.start(ready=False)
            wait_for(lambda: len(hub.collected()) == 2, "both have live values at the hub", 30)
            with Watchman(hub) as watchman:
                # The cable is pulled: polling goes on, what routers tell waits.
                cut_us = time.time_ns() // 1000
                line.cut()
                wait_for(lambda: is_lost(edge, cut_us), "the loss is noticed, and events wait", 40)
                assert not edge.readiness()["ready"]
                assert "hub" in edge.readiness()["reasons"]
                shown = hub.ask("collector", "status", "--config", str(edge.config_path), code=1)
                assert "takes nothing" in shown
                assert "events wait" in shown
                # Without a hub it polls on after a restart, too.
                edge.kill()
                edge.start(ready=False)
                before = edge.metric("mtd_eventlog_last_seq")
                wait_for(lambda: edge.metric("mtd_eventlog_last_seq") > before + 10, "it polls on", 30)
                line.mend()
                wait_for(lambda: max(hub.collected().values()) < 4, "live values come first", 30)
                assert edge.status()["backfill"]["events"] > 0
                edge.kill()  # in the middle of the backfill
                edge.write_config(forward={"backfill_events_per_s": 100.0})
                edge.start(ready=False)
                wait_for(lambda: edge.metric("mtd_forwarding_hub_connected") == 1, "connected again", 30)
                assert hub.daemon is not None
                hub.daemon.kill()
                hub.start()
                wait_for(edge.is_ready, "all is well again", 60)
                wait_for(lambda: edge.status()["buffer_events"] < 10, "all is sent", 60)
            assert watchman.looks > 10
            assert watchman.moved_back == []
            check_what_it_says_of_itself(hub, edge)
            edge.stop()
        check_that_all_is_there_once(hub, edge)


def check_what_it_says_of_itself(hub: Hub, edge: Edge) -> None:
    shown = hub.ask("collector", "status", "--config", str(edge.config_path), "--json")
    assert json.loads(shown)["connected"]
    assert edge.process is not None
    os.kill(edge.process.pid, signal.SIGHUP)
    wait_for(lambda: "configuration reloaded; changed: nothing" in edge.tail(), "it reads its settings", 20)

    def stats() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            hub.ask("log", "stats", "--config", str(edge.config_path), "--json")
        )
        return found

    assert stats()["forwarding"]["log_id"] == stats()["log_id"]
    # Positions are written down when the log is looked after, every ten seconds.
    wait_for(lambda: stats()["consumers"]["forwarder"] > 0, "what the hub has may be forgotten", 30)
    with pytest.raises(urllib.error.HTTPError, match="404") as elsewhere:
        edge.http("/console/")
    with elsewhere.value as page:
        assert "The console is at the hub" in page.read().decode()


def check_that_all_is_there_once(hub: Hub, edge: Edge) -> None:
    polled = frames_in_log(edge)
    wait_for(lambda: len(frames_in_database(hub)) >= len(polled), "all of it is in the database", 30)
    assert frames_in_database(hub) == polled
    told = {event_type for (event_type,) in hub.sql("SELECT event_type FROM event")}
    assert {"collector.hub.lost", "collector.hub.back", "collector.started"} <= told
    hub.verify()
