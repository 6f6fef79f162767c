"""A log that its disk spoiled: what is damaged is told and set aside, all else is served, and polling goes on.

Runbooks: `partition-failure`, `ingest-backlog`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.faults.catalogue import logs
from mtd.testing.faults.catalogue.disks import SpoiledLog
from mtd.testing.faults.fault import strike
from mtd.testing.faults.fleet import Fleet, place, postgres_in, running

pytestmark = pytest.mark.timeout(300)

ROUTERS, INTERFACES = 5, 5


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running(ROUTERS, INTERFACES) as fleet:
        yield fleet


def test_a_log_that_is_cut_in_half_goes_on(fleet: Fleet) -> None:
    figures = strike(fleet, SpoiledLog("log truncated", logs.cut))
    assert_only_the_last_second_is_gone(fleet, figures.lost)
    assert figures.doubled == 0, figures.examples


@pytest.mark.long
def test_a_log_that_is_gone_is_not_begun_anew(fleet: Fleet) -> None:
    before = fleet.value("SELECT max(seq) FROM telemetry_frame")
    figures = strike(fleet, SpoiledLog("log gone", logs.remove))
    assert_only_the_last_second_is_gone(fleet, figures.lost)
    assert figures.doubled == 0, figures.examples
    # The same log, at positions that nobody knew.
    (log_ids,) = fleet.sql("SELECT count(DISTINCT log_id), max(seq) FROM telemetry_frame")
    assert log_ids[0] == 1
    assert log_ids[1] > before


def assert_only_the_last_second_is_gone(fleet: Fleet, lost: int) -> None:
    """What PostgreSQL had is there; what was in the log alone, and only there, can be lost with it."""
    behind = ROUTERS * 4
    assert lost <= behind, "far more than what waits for PostgreSQL while all is well"
    assert fleet.mtd("log", "verify", "--json")["ok"]


def test_bits_that_flip_while_postgresql_is_away_cost_a_batch_at_the_most() -> None:
    """A backlog in the log, damaged: everything in it but the damaged batches reaches PostgreSQL."""
    with (
        place() as folder,
        postgres_in(folder / "server") as server,
        running(ROUTERS, INTERFACES, postgres=server, folder=folder) as fleet,
    ):
        server.stop_blocking()
        fleet.wait_for(lambda: fleet.metric("mtd_projections_lag_events") > ROUTERS * 8, "a backlog grows")
        fleet.without_daemon(lambda: (logs.flip_bits(fleet.data_dir / "events.db"), server.start_blocking()))
        fleet.wait_for(fleet.is_ready, "it goes on", 120)
        verdict = fleet.verdict()
        aside = fleet.mtd("log", "verify", "--json")["set_aside"]
        told = sum(one["last_seq"] + 1 - one["first_seq"] for one in aside)
        assert verdict.doubled == 0, verdict.examples
        assert verdict.lost <= told, verdict.examples
        assert verdict.lost <= ROUTERS * 4, "a batch or two"
        if aside:
            fleet.wait_for(lambda: fleet.event("collector.log.damaged"), "it is told")
