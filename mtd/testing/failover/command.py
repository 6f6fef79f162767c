"""``scripts/bench failover``."""

from __future__ import annotations

import click
from rich.console import Console

from mtd.testing.bench_output import folder, show

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

    How long were its routers without a poll, by what they say themselves and by
    what is stored; and was any polled by two at a time?
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
