"""``scripts/bench flow``."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show
from mtd.testing.flows.prepared import FORMS, prepare
from mtd.testing.flows.whole import WholePlan, check, measure_whole

_RATE = 10_000  # flows a second of the exporter that is read


@click.command()
@click.option(
    "--records",
    type=click.IntRange(min=_RATE),
    default=300_000,
    show_default=True,
    help="Flows of each form that are read and kept.",
)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Turns of each.")
@click.option(
    "--rate",
    type=click.IntRange(min=100),
    default=20_000,
    show_default=True,
    help="Flows a second that are sent to the daemon.",
)
@click.option(
    "--seconds", type=click.IntRange(min=1), default=60, show_default=True, help="How long they are sent."
)
@click.option(
    "--exporters", type=click.IntRange(1, 200), default=4, show_default=True, help="Routers that send them."
)
@click.option("--without-nfdump", is_flag=True, help="Leave nfdump out, whose files ours are compared with.")
@click.option("--without-daemon", is_flag=True, help="Leave the whole way out, and PostgreSQL with it.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def flow(
    records: int,
    rounds: int,
    rate: int,
    seconds: int,
    exporters: int,
    without_nfdump: bool,
    without_daemon: bool,
    as_json: bool,
    keep: bool,
) -> None:
    """Flows: reading, keeping, and the whole way from a UDP socket to sums in PostgreSQL.

    The datagrams are the lab's, made before anything is timed: NetFlow v9 and IPFIX with
    the templates of RouterOS, and version 5; few addresses have most of the traffic. Who
    reads them takes turns, and what each reads is compared with the truth.

    \b
    decode_records_per_s           The decoders alone, records for a second of processor time;
                                   the median of the rounds.
    netflow_package_records_per_s  The package netflow of PyPI, of the first 30,000 of them.
    decode_encode_records_per_s    All that a worker of the listener does: decode, correct times,
                                   pack into blocks of at most five seconds each.
    block_bytes_per_record         Of these blocks.
    nfdump                         Bytes for each record in the files that Debian's nfcapd writes of
                                   the same datagrams, with each of its compressions.
    whole                          A daemon as it is run, with its PostgreSQL: exporters send at
                                   --rate over UDP. records_per_cpu_s is of the processor time of all
                                   its processes until the last minute is summed up, in the other
                                   one less what they use without flows. losses are its own counters;
                                   exact compares octets and packets in blocks and sums with what
                                   was sent.

    Ends with 1 if anything was lost or isn't exact, and says what.
    """
    from mtd.testing.flows.nfdump import measure_nfdump
    from mtd.testing.flows.reading import measure_reading

    console = Console(stderr=True)
    figures: dict[str, Any] = {}
    problems: list[str] = []
    with folder(console, keep=keep) as place, console.status("starting") as status:
        for name in FORMS:
            status.update(f"making datagrams: {name}")
            prepared = prepare(name, records // _RATE, _RATE, key=1)
            figures[name] = measure_reading(prepared, rounds, status.update)
            if not without_nfdump:
                status.update(f"{name}: nfdump")
                figures[name]["nfdump"] = measure_nfdump(prepared, place)
        if not without_daemon:
            plan = WholePlan(exporters, rate, seconds)
            figures["whole"] = measure_whole(place, plan, status.update)
            problems = check(figures["whole"])
    show(console, figures, as_json=as_json)
    end_with(console, problems)
