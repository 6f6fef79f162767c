"""``mtd poll HOST``: what is read of one router, without any database."""

from __future__ import annotations

import contextlib
from typing import Any

import click
from rich.live import Live

from mtd.cli import poll_screen
from mtd.cli.output import console, explain_errors, json_option, plain, print_json
from mtd.cli.reactor import run_on_reactor
from mtd.cli.router_options import login_options, read_password
from mtd.model.device import DEFAULT_TENANT_ID, Device, InterfaceNaming, TlsMode
from mtd.model.metric import DEFAULT_INTERVAL_S, Tier
from mtd.plugin.manager import PluginManager


@click.command()
@click.argument("host")
@login_options
@click.option(
    "--tier",
    "tier_name",
    type=click.Choice(("t0", "t1", "t2", "t3")),
    default="t0",
    show_default=True,
    help="What to read: t0 live values; t1 states; t2 sensors and long tables; t3 configuration.",
)
@click.option(
    "--collector",
    "only",
    metavar="NAME",
    help="Only what this collector reads (mtd plugins list names them).",
)
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.2, 3600),
    help="Seconds between polls. Default: those of the tier (1, 10, 60, 900).",
)
@click.option(
    "--count", type=click.IntRange(1), help="Stop after so many polls. Default: go on until Ctrl-C."
)
@json_option
@explain_errors
def poll(
    host: str,
    tier_name: str,
    only: str | None,
    interval_s: float | None,
    count: int | None,
    as_json: bool,
    **login: Any,
) -> None:
    """Print what mtd reads of the router HOST, with no daemon and no database.

    It logs in once, keeps the session, and reads what a tier reads: values,
    rows of tables, documents, and the events of changes. Rates are there from
    the second poll on; of tables and documents, what changed since the poll
    before. With --json, each poll is one line, and the rows are in it.
    (mtd device poll NAME has the daemon poll one of its own routers at once.)

    \b
    mtd poll 192.0.2.1 --user monitor
    mtd poll 192.0.2.1 --user monitor --collector ups --tier t1 --count 2
    """
    mode = TlsMode(login["tls_mode"])
    device = Device(
        device_id="",
        tenant_id=DEFAULT_TENANT_ID,
        name=host,
        host=host,
        port=login["port"] or (8728 if mode is TlsMode.OFF else 8729),
        username=login["username"],
        password=read_password(login["password"], login["password_file"]),
        tls_mode=mode,
        tls_fingerprint=login["fingerprint"],
        naming=InterfaceNaming(login["naming"]),
    )
    run_on_reactor(_poll(device, Tier(tier_name), only, interval_s, count, as_json))


async def _poll(
    device: Device, tier: Tier, only: str | None, interval_s: float | None, count: int | None, as_json: bool
) -> None:
    from mtd.app.direct import DirectPoller

    manager = chosen(only, tier)
    poller = DirectPoller(device, manager, interval_s or DEFAULT_INTERVAL_S[tier], tier=tier)
    live = Live(console=console, auto_refresh=False, transient=False)
    screen = tier is Tier.T0 and only is None and not as_json
    sizes, number = poll_screen.TableSizes(), 0
    try:
        facts = await poller.open()
        with live if screen else contextlib.nullcontext():
            async for result in poller.polls():
                number += 1
                if as_json:
                    print_json(poll_screen.as_json(result, tier))
                else:
                    for change in result.changes:
                        console.print(plain(change.message))
                if screen:
                    live.update(poll_screen.interfaces(device, facts, result), refresh=True)
                elif not as_json:
                    for part in poll_screen.everything(result, tier, sizes):
                        console.print(part)
                if count is not None and number >= count:
                    return
    finally:
        await poller.close()


def chosen(only: str | None, tier: Tier) -> PluginManager:
    """Return all that is installed, or one collector. Raises ClickException if that reads nothing at the tier."""
    manager = PluginManager.load()
    if only is None:
        return manager
    found = [collector for collector in manager.collectors if collector.name == only]
    if not found:
        names = ", ".join(collector.name for collector in manager.collectors)
        problems = "".join(f"\n{problem}" for problem in manager.problems)
        raise click.ClickException(f"there is no collector {only!r}, but {names}{problems}")
    tiers = sorted({menu.tier for menu in found[0].menus})
    if tier not in tiers:
        raise click.ClickException(f"{only} reads nothing at {tier}: choose --tier {' or '.join(tiers)}")
    return PluginManager(found, (), manager.settings)
