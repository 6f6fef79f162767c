"""``scripts/bench``: how fast it is, measured from outside, on this machine."""

from __future__ import annotations

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show
from mtd.testing.end_to_end import Plan, measure, running_stage
from mtd.testing.failover.command import failover
from mtd.testing.faults.bench import faults
from mtd.testing.flows.command import flow
from mtd.testing.jetstream.command import jetstream
from mtd.testing.odoo.command import odoo
from mtd.testing.outage.command import outage
from mtd.testing.poll_bench import PollPlan, measure_polling, running_lab
from mtd.testing.syslog.command import syslog
from mtd.testing.telemetry.commands import COMMANDS
from mtd.testing.trace_bench import traces


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure mtd. Figures hold for the machine they were taken on."""


@main.command()
@click.option(
    "--routers", type=click.IntRange(1, 20_000), default=1000, show_default=True, help="Lab routers."
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--seconds", type=click.FloatRange(min=15), default=60.0, show_default=True, help="How long to measure."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def end2end(routers: int, interfaces: int, seconds: float, as_json: bool, keep: bool) -> None:
    """Lab, daemon and PostgreSQL together: every counter of every interface, each second.

    All of it goes router, session, log, PostgreSQL and gRPC stream; one client
    reads the whole stream. What is stored is compared with what the routers
    truly did, for up to 50 of them.
    """
    console = Console(stderr=True)
    plan = Plan(seconds=seconds, lab_arguments=_fleet(routers, interfaces))
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_stage(place, plan, status.update) as (stage, _),
    ):
        figures = measure(stage, plan, status.update)
    show(console, figures, as_json=as_json)


@main.command()
@click.option(
    "--viewers", type=click.IntRange(1, 2000), default=200, show_default=True, help="Consoles open."
)
@click.option(
    "--routers", type=click.IntRange(1, 500), default=50, show_default=True, help="Lab routers, all in view."
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--seconds", type=click.FloatRange(min=5), default=30.0, show_default=True, help="How long to measure."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def watch(viewers: int, routers: int, interfaces: int, seconds: float, as_json: bool, keep: bool) -> None:
    """Open many consoles on the same routers: how fresh is what they show, and what does it cost?

    Each console is a WebSocket with every router in view, as the device list has
    them. The consoles are read by one process that parses all they get.
    """
    from mtd.testing.watch_bench import measure_watching

    console = Console(stderr=True)
    settings = {"console": {"max_viewers": viewers + 10}, "http": {"max_connections": viewers + 50}}
    plan = Plan(seconds=seconds, lab_arguments=_fleet(routers, interfaces), settings=settings)
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_stage(place, plan, status.update) as (stage, _),
    ):
        figures = measure_watching(stage, plan, viewers, status.update)
    show(console, figures, as_json=as_json)


@main.command()
@click.option(
    "--streams", type=click.IntRange(1, 2000), default=200, show_default=True, help="Live streams open."
)
@click.option(
    "--routers",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    help="Lab routers, all in each stream.",
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=5),
    default=30.0,
    show_default=True,
    help="How long streams are read.",
)
@click.option(
    "--calls",
    type=click.IntRange(min=100),
    default=2000,
    show_default=True,
    help="Of each kind that is timed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def api(
    streams: int, routers: int, interfaces: int, seconds: float, calls: int, as_json: bool, keep: bool
) -> None:
    """Time the gRPC door: calls, an edge's stream of frames, and many live streams of the same routers.

    Calls are timed alone (each after the answer of the one before) and 16 at a time. An
    edge appends batches of frames over one connection, as a collector does that was cut
    off. Streams are read by one process that counts bytes; what they cost the daemon is
    the processor time beyond that of polling alone.
    """
    from mtd.testing.api_bench import UnaryPlan, measure_api

    console = Console(stderr=True)
    plan = Plan(
        seconds=seconds,
        lab_arguments=_fleet(routers, interfaces),
        settings={
            "grpc": {"max_streams": streams + 10, "max_concurrent_calls": streams + 100},
            # The hub itself is timed, not what a tenant or a collector may send.
            "ingest.push": {"tenant_values_per_s": 1e9},
            "ingest.append": {"values_per_s": 1e9},
        },
    )
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_stage(place, plan, status.update) as (stage, _),
    ):
        figures = measure_api(stage, plan, streams, UnaryPlan(calls=calls), status.update)
    show(console, figures, as_json=as_json)


@main.command()
@click.option("--routers", type=click.IntRange(1, 5000), default=200, show_default=True, help="Lab routers.")
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Turns of each.")
@click.option(
    "--polls",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Of each router in each round, one a second.",
)
@click.option("--without-mktxp", is_flag=True, help="Leave the peer out, which has to be installed for it.")
@click.option("--without-daemon", is_flag=True, help="Leave the whole way out, and PostgreSQL with it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def poll(
    routers: int,
    interfaces: int,
    rounds: int,
    polls: int,
    without_mktxp: bool,
    without_daemon: bool,
    as_json: bool,
    keep: bool,
) -> None:
    """Processor time of one poll of one router: mtd, its peer, and a floor.

    Microseconds, user and system, of the client's process; the median of the rounds,
    which the contenders take in turns: A B C D, A B C D. All poll the same lab routers
    (RouterOS 7.16), and what each read is compared with the lab's truth in the same run.

    \b
    floor_us      On mtd's reactor: the same commands sent once a second, the replies
                  received, one compiled pattern over them that finds all fields.
                  No number is made of anything: the least there can be.
    mtd_poll_us   The daemon's scheduler, device loops, sessions, codec and mapper:
                  deadlines, decoding, exact counters, states with their events, and
                  rates, with a recorder that discards what it is given.
    mtd_whole_us  The daemon as it is run: that, and its frames, the event log on the
                  disk, the projection into PostgreSQL, and the stream hub (nobody
                  listens). postgresql_us is what PostgreSQL itself takes beside it.
    mktxp_us      mktxp's exporter for a scrape of one router, limited to the same:
                  resources and interface counters. Of 50 of the routers, one after
                  the other, as fast as it can: it has no interval of its own.

    Slower tiers are read once while warming up and not in the measured time. Many
    routers in turn keep the process warm, and its caches cold: as it is in use.
    """
    console = Console(stderr=True)
    plan = PollPlan(routers, interfaces, rounds, polls, mktxp=not without_mktxp, daemon=not without_daemon)
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_lab(place, plan) as stage,
    ):
        figures = measure_polling(stage, plan, status.update)
    show(console, figures, as_json=as_json)


@main.command()
@click.option(
    "--rows", type=click.IntRange(100, 50_000), default=20_000, show_default=True, help="PPPoE sessions."
)
@click.option(
    "--churn",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Sessions that end, and as many begin, in each cycle, percent.",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=1),
    default=10.0,
    show_default=True,
    help="Seconds from one read of the table to the next: a cycle.",
)
@click.option(
    "--cycles", type=click.IntRange(min=1), default=12, show_default=True, help="How many to measure."
)
@click.option(
    "--subscribers",
    type=click.Choice(["hashed", "kept"]),
    default="hashed",
    show_default=True,
    help="Whether names are replaced by pseudonyms.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def tables(
    rows: int, churn: float, interval: float, cycles: int, subscribers: str, as_json: bool, keep: bool
) -> None:
    """A table of 20,000 rows, read each 10 s, of which 200 come and 200 go each time.

    A lab concentrator (RouterOS 7.16), the daemon as it is run, and its PostgreSQL.
    The table is read whole in one command; only what changed may be written.

    \b
    changes_per_cycle       Sessions that end and begin, by the lab's truth.
    rows_written_per_cycle  Rows of the table that PostgreSQL inserted, updated and
                            deleted. It has to be about the changes, not the rows.
    reactor_blocked_max_ms  The longest that the daemon's loop was on the processor
                            between two beats of a heart on it (each two milliseconds), the
                            first read of all rows included. It has to be 10 ms at most.
                            heartbeat has the same by the clock: other processes of a
                            busy machine make that longer.
    cycle_cpu_ms            Processor time of the daemon for each cycle, with all else
                            that it does for the router in that time.
    memory_mb               Of the daemon, at the start of the cycles and at their end.
    names_stored            Subscribers' names in the database: none, unless they are kept.

    Ends with 1 if one of them isn't as it has to be, and says which.
    """
    from mtd.testing.tables_bench import TablesPlan, judge, measure_tables, running_tables

    console = Console(stderr=True)
    plan = TablesPlan(rows, churn, interval, cycles, subscribers=subscribers)
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_tables(place, plan, status.update) as stage,
    ):
        figures = measure_tables(stage, plan, status.update)
    show(console, figures, as_json=as_json)
    end_with(console, judge(figures, plan))


def _fleet(routers: int, interfaces: int) -> tuple[str, ...]:
    return ("--scenario", "fleet", "--routers", str(routers), "--interfaces", str(interfaces))


for _command in (*COMMANDS, faults, flow, outage, jetstream, failover, traces, syslog, odoo):
    main.add_command(_command)


if __name__ == "__main__":
    main(prog_name="scripts/bench")
