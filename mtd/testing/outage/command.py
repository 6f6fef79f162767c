"""``scripts/bench outage``."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show
from mtd.testing.outage.run import OutagePlan, measure_outage, running_outage

MUST_FRESH_S = 30.0
MUST_DRAIN_FACTOR = 20.0


@click.command()
@click.option(
    "--routers", type=click.IntRange(1, 20_000), default=100, show_default=True, help="Lab routers."
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=5),
    default=600.0,
    show_default=True,
    help="How long PostgreSQL is away.",
)
@click.option("--hung", is_flag=True, help="Freeze it (SIGSTOP) instead of stopping it: connections hang.")
@click.option(
    "--log-mb", type=click.IntRange(min=1), help="Quota of the event log; little of it makes tiers thin."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def outage(
    routers: int, interfaces: int, seconds: float, hung: bool, log_mb: int | None, as_json: bool, keep: bool
) -> None:
    """PostgreSQL goes away under load, and comes back.

    \b
    history          Polls of T0 that are in PostgreSQL at the end, and holes between them:
                     of the outage, and of the time in which the backlog was written.
    fresh_after_s    From the return until 95 % of the routers' newest values in the table
                     latest are at most two seconds old.
    drained_after_s  From the return until nothing waits but what has just been polled.
    drain_factor     Seconds of outage that are written in one second, while polling goes on.
    drain_cost       Processor time of that for each event, and how many processors mtd and
                     PostgreSQL had meanwhile: on a busy machine fewer than there are.
    polls_skipped    By tier and reason. Busy machines skip some by themselves (overrun).
    thinned          Which tier was polled how much less often, and when, seconds after PostgreSQL went.

    Ends with 1 if there is a hole that isn't told of, an event twice, values that weren't
    fresh within 30 s, or a backlog that was written less than 20 times as fast as it came.
    """
    console = Console(stderr=True)
    settings = {"event_log": {"max_bytes": log_mb * 1024 * 1024}} if log_mb else {}
    plan = OutagePlan(routers, interfaces, seconds, hung, settings=settings)
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_outage(place, plan, status.update) as (stage, database),
    ):
        figures = measure_outage(stage, database, plan, status.update)
    show(console, figures, as_json=as_json)
    end_with(console, judge(figures))


def judge(figures: dict[str, Any]) -> list[str]:
    """Return what is worse than it has to be. A poll that a busy machine skipped is told, and no loss."""
    skipped = figures["polls_skipped"].get("t0", {}).get("overrun", 0)
    lost = figures["history"]["polls_missing"] - skipped
    checks = (
        (lost > 0, f"{lost} live polls are missing in history"),
        (figures["history"]["doubled"] > 0, "live polls are in history twice"),
        (figures["events_dropped"] > 0, f"{figures['events_dropped']} events were dropped"),
        (
            figures["fresh_after_s"] > MUST_FRESH_S,
            f"values were fresh after {figures['fresh_after_s']} s, {MUST_FRESH_S:g} at most are fine",
        ),
        (
            figures["drain_factor"] < MUST_DRAIN_FACTOR,
            f"the backlog was written {figures['drain_factor']} times as fast as it came, at least"
            f" {MUST_DRAIN_FACTOR:g} are wanted",
        ),
    )
    return [text for wrong, text in checks if wrong]
