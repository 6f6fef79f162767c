"""NATS servers that keep the log, and are killed while it is written: what was acknowledged is there.

Runbook: `ingest-backlog`.
"""

from __future__ import annotations

import pytest

from mtd.testing.faults.catalogue.nats import NatsNode
from mtd.testing.faults.fault import strike
from mtd.testing.faults.fleet import running
from mtd.testing.nats import running_servers

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]

ROUTERS, INTERFACES = 5, 3


@pytest.mark.parametrize("nodes", [1, 3], ids=["one server", "three servers"])
def test_a_server_that_is_killed_during_writes(nodes: int) -> None:
    with running_servers(nodes) as servers:
        settings = {
            "event_log": {"backend": "jetstream", "max_bytes": 200_000_000},
            "event_log.jetstream": servers.settings(name="hub-1"),
        }
        with running(ROUTERS, INTERFACES, settings=settings) as fleet:
            figures = strike(fleet, NatsNode(servers, "mtd-log-hub-1"))
    assert figures.acknowledged > ROUTERS
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0
