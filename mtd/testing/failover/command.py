"""``scripts/bench failover``."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show

MUST_GAP_MAX_S = 15.0
MUST_GAP_P95_S = 11.0
_AROUND_S = 5.0


@click.command()
@click.option("--routers", type=click.IntRange(2, 2000), default=100, show_default=True, help="Lab routers.")
@click.option(
    "--interfaces", type=click.IntRange(1, 400), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--hold",
    "hold_s",
    type=click.FloatRange(min=5),
    default=30.0,
    show_default=True,
    help="Seconds that a daemon is held up before another one is killed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def failover(routers: int, interfaces: int, hold_s: float, as_json: bool, keep: bool) -> None:
    """Two daemons poll for one database: one is held up and goes on, then it is killed.

    \b
    stored_gap          Longest times without a poll of each router of the one that was
                        killed, by what is stored: median, 95 % of them, the longest.
    router_gap          The same by the routers' own count of what they answered, as exact
                        as they are asked: five times a second.
    polled_after_lease  Polls that are stored of the one that was held up, though another
                        one had its routers meanwhile.
    polled_after_kill   Polls that are stored of the one that was killed, of a time after that.

    Ends with 1 if a router was without a stored poll for more than 15 s, one in twenty for
    more than 11 s, or anything was polled by who didn't have it any more.
    """
    from mtd.testing.failover.measure import measure_hold, measure_kill, share
    from mtd.testing.failover.stage import FailoverStage

    console = Console(stderr=True)
    lab = ("--scenario", "fleet", "--routers", str(routers), "--interfaces", str(interfaces))
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        FailoverStage(place, lab, {}, status.update) as stage,
        stage.connect() as connection,
    ):
        share(stage, connection, status.update)
        figures = {"routers": routers, "interfaces": interfaces}
        figures |= measure_hold(stage, connection, hold_s, status.update)
        figures |= measure_kill(stage, connection, _AROUND_S, status.update)
    show(console, figures, as_json=as_json)
    end_with(console, judge(figures))


def judge(figures: dict[str, Any]) -> list[str]:
    """Return what is worse than it has to be."""
    checks = (
        (
            figures["stored_gap_max_s"] > MUST_GAP_MAX_S,
            f"a router was without a poll for {figures['stored_gap_max_s']} s, {MUST_GAP_MAX_S:g} at most are fine",
        ),
        (
            figures["stored_gap_p95_s"] > MUST_GAP_P95_S,
            f"one router in twenty was without a poll for {figures['stored_gap_p95_s']} s,"
            f" {MUST_GAP_P95_S:g} at most are fine",
        ),
        (
            figures["polled_after_lease"] > 0,
            f"{figures['polled_after_lease']} polls are stored of who was held up past its lease",
        ),
        (
            figures["polled_after_kill"] > 0,
            f"{figures['polled_after_kill']} polls are stored of who was killed before",
        ),
        (
            not (figures["held_devices"] and figures["killed_devices"]),
            "it had no routers: nothing was measured",
        ),
    )
    return [text for wrong, text in checks if wrong]
