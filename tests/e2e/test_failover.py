"""Two daemons that poll for one database: one is held up, then killed."""

from __future__ import annotations

from pathlib import Path

from mtd.testing.failover.measure import measure_hold, measure_kill, share
from mtd.testing.failover.stage import FailoverStage
from mtd.testing.postgres import postgres_dsn, postgres_server

__all__ = ["postgres_dsn", "postgres_server"]

QUICK = {"coordination": {"lease_s": 2.4, "renew_s": 0.6, "margin_s": 0.3, "check_s": 0.3}}
LAB = ("--scenario", "fleet", "--routers", "6", "--interfaces", "2")


def test_a_daemon_that_is_held_up_polls_nothing_that_another_has(tmp_path: Path, postgres_dsn: str) -> None:
    """SIGSTOP for longer than its lease: what it was about to poll, or had just polled, isn't stored when it goes on."""
    with (
        FailoverStage(tmp_path, LAB, QUICK, lambda _: None, postgres_dsn) as stage,
        stage.connect() as connection,
    ):
        share(stage, connection, lambda _: None)
        held = measure_hold(stage, connection, 4.0, lambda _: None)
        assert held["polled_after_lease"] == 0
        assert held["moved_back"] == held["held_devices"] > 0
        killed = measure_kill(stage, connection, 5.0, lambda _: None)
        assert killed["killed_devices"] > 0
        assert killed["polled_after_kill"] == 0
        # Not how soon, which depends on the machine, but that all of them are polled again.
        assert killed["stored_gap_max_s"] < float("inf")
        moves = connection.execute(
            "SELECT count(*) FROM mtd.event WHERE event_type = 'device.assigned'"
        ).fetchone()
        went = connection.execute(
            "SELECT count(*) FROM mtd.event WHERE event_type = 'collector.offline'"
        ).fetchone()
        assert moves is not None
        assert moves[0] >= held["held_devices"] * 2 + killed["killed_devices"]
        assert went == (2,)
