"""The command ``scripts/bench odoo``."""

from __future__ import annotations

import click
from rich.console import Console

from mtd.testing.bench_output import end_with, folder, show
from mtd.testing.odoo.installation import OdooMissing, find_installation


@click.command()
@click.option(
    "--devices",
    type=click.IntRange(1, 2000),
    default=200,
    show_default=True,
    help="Lab routers, each polled once a second.",
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--viewers",
    type=click.IntRange(1, 200),
    default=20,
    show_default=True,
    help="Browsers, each on the page of a device of its own.",
)
@click.option(
    "--pairs", type=click.IntRange(min=1), default=6, show_default=True, help="Phases of each kind, in turns."
)
@click.option(
    "--seconds", type=click.FloatRange(min=5), default=20.0, show_default=True, help="Of each phase."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def odoo(
    devices: int, interfaces: int, viewers: int, pairs: int, seconds: float, as_json: bool, keep: bool
) -> None:
    """What live pages cost an Odoo: browsers on the pages of devices, and other people's requests meanwhile.

    Lab, daemon, an Odoo with two workers and its WebSocket process behind a proxy,
    PostgreSQL, and the bridge. ODOO_PATH names the Odoo 17. Phases in which nobody
    views take turns with those in which all do; the tabs are open in both.

    \b
    requests              Of one user: a list of devices, a form, a list of users. The
                          95th percentile while viewing is at most 1.2 times that of idle.
    messages_per_viewed_device_s, rows_per_viewed_device_s
                          Has to be 1: what came to the browsers, what was written.
    rows_of_unviewed      Rows of the bus for devices that nobody viewed: none.
    age_at_browser        From a router's answer until its values are at the browser.

    Ends with 1 if one of them isn't as it has to be, and says which.
    """
    from mtd.testing.odoo.bench import OdooPlan, judge, measure_odoo, running_odoo

    console = Console(stderr=True)
    try:
        find_installation()
    except OdooMissing as missing:
        raise click.ClickException(str(missing)) from None
    plan = OdooPlan(devices, interfaces, viewers, pairs, seconds)
    with (
        folder(console, keep=keep) as place,
        console.status("starting") as status,
        running_odoo(place, plan, status.update) as scene,
    ):
        figures = measure_odoo(scene, plan, status.update)
    show(console, figures, as_json=as_json)
    end_with(console, judge(figures))
