"""``scripts/bench syslog``."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show
from mtd.testing.syslog.run import SyslogPlan, judge, measure_syslog


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=10_000.0,
    show_default=True,
    help="Lines a second, of all together.",
)
@click.option(
    "--seconds", type=click.FloatRange(min=1), default=20.0, show_default=True, help="Of the steady phase."
)
@click.option(
    "--senders", type=click.IntRange(1, 5000), default=50, show_default=True, help="Routers that send."
)
@click.option(
    "--burst-rate",
    type=click.FloatRange(min=1),
    default=100_000.0,
    show_default=True,
    help="Lines a second of a burst after it.",
)
@click.option(
    "--burst-seconds",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How long that is; 0 for none.",
)
@click.option(
    "--workers", type=click.IntRange(0, 64), default=0, show_default=True, help="Processes that receive."
)
@click.option("--without-rsyslog", is_flag=True, help="Leave the peer out, which has to be installed for it.")
@click.option("--profile", is_flag=True, help="Sample the daemon's stack: where its time goes.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def syslog(
    *,
    without_rsyslog: bool,
    as_json: bool,
    keep: bool,
    **plan: Any,
) -> None:
    """Log lines of many routers over UDP, up to rows in PostgreSQL; and rsyslog with the same.

    The daemon as it is run, with its PostgreSQL: lines are read, understood by the rules,
    appended to the event log on the disk, and inserted into log_record with its indexes.
    rsyslog parses the same datagrams, before, and writes JSON to a file: no rules, no
    index, no log that outlives a crash. Half of the routers write RouterOS' default form,
    half the BSD form.

    \b
    stored_per_s     From the first datagram to the last row. Where drain_s is more than
                     a second, it is what the machine can do, not what was sent.
    drain_s          How long after the last datagram rows still came.
    lost             Lines that aren't stored, by the counter that tells of them.
    unaccounted      Lines that are neither stored nor counted. There must be none.
    lines_per_cpu_s  Lines for each second of a processor that was used: by the daemon without its workers, by PostgreSQL, by
                     all together.
    daemon_waited_for_cpu_s  So long it could have gone on, and other processes had the processors.
    profile          Shares of the samples, in percent: of a function alone, and with what it called.

    Ends with 1 if a line of the steady phase is lost, or one of either unaccounted for.
    """
    console = Console(stderr=True)
    with folder(console, keep=keep) as place, console.status("starting") as status:
        figures = measure_syslog(place, SyslogPlan(**plan, rsyslog=not without_rsyslog), status.update)
    show(console, figures, as_json=as_json)
    end_with(console, judge(figures))
