"""Processes that are killed, and a PostgreSQL that hangs or is gone: nothing acknowledged is lost or doubled.

Runbooks: `database-down`, `unreachable-spike` (the daemon itself is gone).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.faults.catalogue.processes import Freeze, Kill, StopPostgres
from mtd.testing.faults.fault import strike
from mtd.testing.faults.fleet import Fleet, place, postgres_in, running
from mtd.testing.faults.victims import Role

pytestmark = pytest.mark.timeout(300)

ROUTERS, INTERFACES = 10, 5

KILLS = (
    Kill(Role.DAEMON, "unreachable-spike"),
    Kill(Role.WORKER, "partition-failure"),
    Kill(Role.POSTMASTER, "database-down"),
    Kill(Role.BACKEND, "database-down", all_of_them=True),
)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running(ROUTERS, INTERFACES) as fleet:
        yield fleet


@pytest.mark.parametrize("fault", KILLS, ids=lambda fault: fault.name)
def test_kill_9(fleet: Fleet, fault: Kill) -> None:
    figures = strike(fleet, fault)
    assert figures.acknowledged > ROUTERS
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == (fault.role is Role.DAEMON)


def test_a_postgresql_that_hangs(fleet: Fleet) -> None:
    answered = fleet.polls_answered()
    figures = strike(fleet, Freeze(), held_s=4)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0
    assert fleet.polls_answered() > answered
    assert fleet.metric("mtd_ingest_dropped_events_total") == 0


def test_a_postgresql_that_is_stopped() -> None:
    """Routers are polled on, and each second of it is there when it is back."""
    with (
        place() as folder,
        postgres_in(folder / "server") as server,
        running(ROUTERS, INTERFACES, postgres=server, folder=folder) as fleet,
    ):
        figures = strike(fleet, StopPostgres(), held_s=5)
        assert (figures.lost, figures.doubled) == (0, 0), figures.examples
        assert figures.restarts == 0
        assert gap_s(fleet) < 3


def gap_s(fleet: Fleet) -> float:
    """Return the longest time between two T0 polls of a router, by what is stored."""
    return float(
        fleet.value(
            "SELECT max(extract(epoch FROM gap)) FROM (SELECT ts_collected - lag(ts_collected)"
            " OVER (PARTITION BY device_id ORDER BY ts_collected) AS gap FROM telemetry_frame"
            " JOIN series_layout USING (tenant_id, layout_id) WHERE poll_group = 't0') AS gaps"
        )
    )


def test_the_judge_finds_what_is_missing_and_what_is_doubled(fleet: Fleet) -> None:
    """The verdict of the others is worth something."""
    fleet.drain()
    rows = "(SELECT log_id, seq FROM telemetry_frame WHERE ts_collected > clock_timestamp() - interval '1 hour' LIMIT 2)"
    fleet.sql("CREATE TABLE spare AS SELECT * FROM telemetry_frame WHERE (log_id, seq) IN " + rows)
    fleet.sql("INSERT INTO telemetry_frame SELECT * FROM spare ORDER BY seq LIMIT 1")
    fleet.sql(
        "DELETE FROM telemetry_frame WHERE (log_id, seq) = (SELECT log_id, seq FROM spare ORDER BY seq DESC LIMIT 1)"
    )
    verdict = fleet.verdict()
    assert (verdict.lost, verdict.doubled) == (1, 1)
    assert not verdict.ok
    assert len(verdict.examples) == 2
