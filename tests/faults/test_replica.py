"""The machine of PostgreSQL is gone for good, and a replica that lagged behind is promoted.

Runbook: `database-down`.
"""

from __future__ import annotations

import pytest

from mtd.testing.faults.fleet import place, postgres_in, running
from mtd.testing.faults.replica import followed

pytestmark = pytest.mark.timeout(300)

ROUTERS, INTERFACES = 5, 3


def test_what_the_replica_lacks_is_projected_again() -> None:
    """Positions are in the database: they go back with the rows, and the log has what is missing."""
    with (
        place() as folder,
        postgres_in(folder / "first") as first,
        followed(first, folder / "second") as pair,
        running(ROUTERS, INTERFACES, postgres=pair, folder=folder) as fleet,
    ):
        pair.replica.cut_off()
        behind = fleet.value("SELECT max(position) FROM projection_position")
        fleet.wait_for(
            lambda: fleet.value("SELECT max(position) FROM projection_position") > behind + ROUTERS * 3,
            "the first has what the replica lacks",
        )
        pair.lose_first()
        fleet.wait_for(lambda: "database" in fleet.ready_reasons(), "it is told", 60)
        pair.replica.promote()
        assert fleet.value("SELECT max(position) FROM projection_position") < behind + ROUTERS * 3
        fleet.wait_for(lambda: fleet.is_ready() and fleet.fresh(), "it goes on with the replica", 60)
        verdict = fleet.verdict()
        assert (verdict.lost, verdict.doubled) == (0, 0), verdict.examples
        assert fleet.supervisor is not None
        assert fleet.supervisor.restarts == 0
