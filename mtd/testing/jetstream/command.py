"""``scripts/bench jetstream``."""

from __future__ import annotations

import click
from rich.console import Console

from mtd.testing.bench_output import folder, show
from mtd.testing.jetstream.run import JetStreamPlan, measure_jetstream


@click.command()
@click.option("--frames", type=click.IntRange(1000), default=50_000, show_default=True, help="Of each log.")
@click.option(
    "--routers",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="Whose frames these are, of each hub.",
)
@click.option(
    "--interfaces", type=click.IntRange(1, 500), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--batch", type=click.IntRange(1, 5000), default=100, show_default=True, help="Frames appended at a time."
)
@click.option(
    "--together",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Batches on their way at once.",
)
@click.option("--hubs", type=click.IntRange(1, 8), default=3, show_default=True, help="In parallel, at most.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def jetstream(
    frames: int,
    routers: int,
    interfaces: int,
    batch: int,
    together: int,
    hubs: int,
    as_json: bool,
    keep: bool,
) -> None:
    """The event log on NATS JetStream: appended durable on one server and on three, and hubs in parallel.

    All servers run on this machine and write before they confirm (`sync_interval: always`);
    three of them share its disk. Every frame has a router's counters, rates and layout.

    \b
    append_1_node      Frames a second until confirmed, R1, batches of --batch.
    append_3_nodes     The same, R3: confirmed by a majority.
    hubs_in_parallel   1, 2, ... hubs, each with a log and projections of its own, into one
                       PostgreSQL: frames a second in all. Logs are filled before.
    hubs_speedup       The most that hubs did together, beside what one does.
                       Says something on a quiet machine only: on a busy one (machine
                       load_1min) several processes get more of the processor than one.
    """
    console = Console(stderr=True)
    plan = JetStreamPlan(frames, routers, interfaces, batch, together, hubs)
    with folder(console, keep=keep) as place, console.status("starting") as status:
        figures = measure_jetstream(place, plan, status.update)
    show(console, figures, as_json=as_json)
