"""What callers of a hub ask of routers that only an edge reaches, and what the edge keeps of what it is told."""

from __future__ import annotations

import json

import pytest

from mtd.client import MtdClient, MtdClientError
from tests.e2e.edge_kit import hub_with_edges
from tests.e2e.kit import wait_for

SCENARIO = """
[[router]]
name = "one"
interfaces = 4
"""


@pytest.mark.timeout(180)
def test_a_hub_forwards_what_is_asked_of_routers_that_an_edge_polls() -> None:
    with hub_with_edges(SCENARIO, "edge-1") as (hub, (edge,)):
        hub.add_routers()
        edge.start()
        wait_for(lambda: len(hub.collected()) == 1, "it is polled", 30)
        with MtdClient(hub.server, ca_file=hub.ca_file, timeout_s=60) as client:
            device = client.refresh_capabilities("one")
            assert device.capabilities
            assert device.identity == "one"
            # The edge polls at once, and the answer comes when what it read is here.
            before = hub.sql("SELECT max(ts_collected) FROM telemetry_frame")
            polled = client.poll_now("one", tiers=["t0"]).tiers
            assert [(one.tier, one.result) for one in polled] == [("t0", "polled")]
            assert polled[0].commands > 0
            assert hub.sql("SELECT max(ts_collected) FROM telemetry_frame") > before
            with pytest.raises(MtdClientError) as soon:
                client.poll_now("one")
            assert (soon.value.code, soon.value.reason) == ("RESOURCE_EXHAUSTED", "POLL_TOO_SOON")
            assert {one.status for one in client.health("one", seconds=600).segments} >= {"up"}
            tested = client.test_connection("one")
            assert tested.identity == "one"
        pings = [
            json.loads(line)
            for line in hub.ask("ping", "one", "192.0.2.7", "--count", "2", "--json").splitlines()
        ]
        assert [row["sequence"] for row in pings if "sequence" in row] == [0, 1]
        assert "is polled by the collector 'edge-1', not by this daemon" in hub.ask("cost", "one", code=1)
        # How it is, as the hub knows it.
        wait_for(
            lambda: hub.sql("SELECT jobs_running FROM ingest_agent WHERE agent = 'mtd'") == [(1,)],
            "it reports",
            30,
        )
        ((ahead_s, pushed),) = hub.sql("SELECT clock_ahead_s, last_push_at IS NOT NULL FROM ingest_agent")
        assert abs(ahead_s) < 2
        assert pushed
        # On its disk there is nothing of it in clear.
        kept = edge.data_dir / "assignment.sealed"
        wait_for(kept.exists, "it keeps what it polls alone", 20)
        content = kept.read_bytes()
        assert hub.routers["one"]["password"].encode() not in content
        assert kept.stat().st_mode & 0o777 == 0o600
        assert hub.routers["one"]["password"] not in edge.tail(10_000)
        # Without it, callers are told who polls the router.
        edge.stop()
        wait_for(
            lambda: not hub.sql("SELECT 1 FROM collector_membership WHERE state = 'online' AND edge"),
            "it is gone",
            30,
        )
        assert "'edge-1', which isn't heard of" in hub.ask("device", "test", "one", code=1)
