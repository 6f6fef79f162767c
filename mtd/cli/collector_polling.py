"""``mtd collector``, as far as it is about who polls what."""

from __future__ import annotations

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import polling as calls
from mtd.client.errors import MtdClientError
from mtd.client.polling import Assignment, Poller

UNIMPLEMENTED = "UNIMPLEMENTED"


def all_pollers(server: Connection) -> list[Poller]:
    """Return all that poll for the caller's tenant; none if the hub is older than that question."""
    found: list[Poller] = []
    with server.client() as client:
        token = ""
        while True:
            try:
                page = client.ask(calls.page(page_token=token))
            except MtdClientError as error:
                if error.code != UNIMPLEMENTED:
                    raise
                return []
            found += page.pollers
            token = page.next_page_token
            if not token:
                return found


def polls(one: Poller) -> str:
    """Return in a few words how a collector takes part."""
    words = [{"left": "stopped", "never": "never polled"}.get(one.state, one.state)]
    if one.draining:
        words.append("draining")
    if one.canary_percent is not None or one.canary_group:
        words.append("canary")
    return ", ".join(words)


def reported(one: Poller) -> list[str]:
    """Return what a collector said of itself: what waits there, when it last sent something, its clock."""
    report = one.report
    if report is None:
        return ["", "", ""]
    push = "never" if report.last_push is None else report.last_push.astimezone().strftime("%H:%M:%S")
    return [f"{report.buffer_events} events", push, f"{report.clock_ahead_s:+.1f} s"]


def describe(one: Poller) -> list[str]:
    """Return sentences about how a collector takes part."""
    since = one.since.astimezone().strftime(" since %Y-%m-%d %H:%M") if one.since else ""
    what = "It" if one.edge else "It is a hub that polls; it"
    lines = [f"{what} is {polls(one)}{since}, version {plain(one.version) or 'unknown'}."]
    lease = f"its lease lasts {one.lease_left_s:.1f} s" if one.lease_left_s > 0 else "it has no lease"
    lines.append(f"It polls {one.devices} devices, {one.exclusive_devices} of them alone; {lease}.")
    if one.report is not None:
        waits, push, clock = reported(one)
        heard = one.report.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        lines.append(
            f"At {heard} it said: {waits} wait there, last push {push}, its clock is {clock} from the hub's,"
            f" polled less often: {plain(one.report.pressure)}."
        )
    if one.sites:
        how = "nothing but" if one.sites_only else "rather than others"
        lines.append(f"Its sites: {plain(', '.join(one.sites))} ({how}).")
    if one.weight != 1.0:
        lines.append(f"Its part of the devices is {one.weight:g} beside 1 of others.")
    tried = [f"{one.canary_percent} % of the devices"] if one.canary_percent is not None else []
    tried += [f"the group {plain(one.canary_group)}"] if one.canary_group else []
    if tried:
        lines.append(f"It tries its version out on {' and '.join(tried)}.")
    if one.state == "offline" and one.exclusive_devices:
        lines.append(
            f"Nobody else gets the {one.exclusive_devices} devices that it has alone. If it is gone for good:"
            f" mtd collector release {plain(one.name)}"
        )
    return lines


@click.command()
@click.argument("name", metavar="COLLECTOR")
@server_option
@json_option
@explain_errors
def drain(name: str, server: Connection, as_json: bool) -> None:
    """Have others poll the devices of the COLLECTOR, one after the other, before it is stopped.

    What nobody else could poll stays with it. It takes part until it is stopped: back again with
    `mtd collector undrain`.
    """
    with server.client() as client:
        found = client.ask(calls.drain(name))
    _told(found, "is drained: others get its devices. See what is left: mtd collector show", as_json=as_json)


@click.command()
@click.argument("name", metavar="COLLECTOR")
@server_option
@json_option
@explain_errors
def undrain(name: str, server: Connection, as_json: bool) -> None:
    """Let the COLLECTOR have devices again."""
    with server.client() as client:
        found = client.ask(calls.drain(name, draining=False))
    _told(found, "gets devices again", as_json=as_json)


@click.command()
@click.argument("name", metavar="COLLECTOR")
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@click.option("--off", is_flag=True, help="Let any collector poll them again.")
@server_option
@json_option
@explain_errors
def pin(name: str, devices: tuple[str, ...], off: bool, server: Connection, as_json: bool) -> None:
    """Have the COLLECTOR poll these DEVICEs whenever it can; others do while it is away."""
    with server.client() as client:
        count = client.ask(calls.place(devices, poller="" if off else name))
    if as_json:
        print_json({"collector": None if off else name, "devices": count})
    else:
        where = "no collector" if off else plain(name)
        console.print(f"{count} devices are pinned to {where}.")


@click.command()
@click.argument("name", metavar="COLLECTOR")
@click.argument("names", nargs=-1, metavar="[SITE]...")
@click.option(
    "--only/--prefer",
    "only",
    default=None,
    help="Only: it polls nothing but these, and nobody else polls them, even while it is away. Prefer: others take over.",
)
@server_option
@json_option
@explain_errors
def sites(name: str, names: tuple[str, ...], only: bool | None, server: Connection, as_json: bool) -> None:
    """Have the COLLECTOR poll the devices of these SITEs rather than others; none if none is named.

    \b
    mtd collector sites edge-1 graz-1 graz-2           others take over when it ends
    mtd collector sites edge-1 graz-1 --only           its network is nobody else's
    """
    call = calls.prefer_sites(name, names) if only is None else calls.sites(name, names, only=only)
    with server.client() as client:
        found = client.ask(call)
    _told(found, f"has {len(found.sites)} sites", as_json=as_json)


@click.command()
@click.argument("name", metavar="COLLECTOR")
@click.option("--percent", type=click.IntRange(0, 100), help="Part of the devices, always the same ones.")
@click.option("--group", help="Device group, by name or id.")
@click.option("--off", is_flag=True, help="It is like all others again.")
@server_option
@json_option
@explain_errors
def canary(
    name: str, percent: int | None, group: str | None, off: bool, server: Connection, as_json: bool
) -> None:
    """Have the COLLECTOR, with a new version, poll a part of the devices and nothing else.

    \b
    mtd collector canary edge-new --percent 5
    mtd collector canary edge-new --group test-routers
    mtd collector canary edge-new --off
    """
    if off == (percent is not None or group is not None):
        raise click.UsageError("say --percent, --group or both; or --off")
    with server.client() as client:
        found = client.ask(calls.canary(name, percent=percent, group=group))
    _told(found, "is like all others" if off else "tries its version out", as_json=as_json)


@click.command()
@click.argument("name", metavar="COLLECTOR")
@click.argument("weight", type=float)
@server_option
@json_option
@explain_errors
def weight(name: str, weight: float, server: Connection, as_json: bool) -> None:
    """Give the COLLECTOR a part of the devices: WEIGHT beside 1 of others."""
    with server.client() as client:
        found = client.ask(calls.weigh(name, weight))
    _told(found, f"gets {found.weight:g} devices where others get one", as_json=as_json)


@click.command()
@click.argument("name", metavar="COLLECTOR")
@click.option("--yes", is_flag=True, help="Don't ask: it is gone for good.")
@server_option
@json_option
@explain_errors
def release(name: str, yes: bool, server: Connection, as_json: bool) -> None:
    """Let others have the devices that the COLLECTOR had alone, and that isn't heard of any more.

    If it is only cut off from the hub, it polls them still: both do then until it is back, and
    what it sends later doubles what was seen meanwhile. Make sure that it is switched off.
    """
    if not yes:
        click.confirm(
            f"Is {name} switched off for good? If it is only cut off, two collectors will poll its devices",
            abort=True,
            err=True,
        )
    with server.client() as client:
        count = client.ask(calls.release(name))
    if as_json:
        print_json({"collector": name, "devices": count})
    else:
        console.print(f"Others may have {count} devices of {plain(name)}.")


@click.command("devices")
@click.argument("name", metavar="[COLLECTOR]", default="")
@server_option
@json_option
@explain_errors
def list_devices(name: str, server: Connection, as_json: bool) -> None:
    """List who polls which device: those of the COLLECTOR, or all."""
    found: list[Assignment] = []
    with server.client() as client:
        token = ""
        while True:
            page = client.ask(calls.assignments(name, page_token=token))
            found += page.assignments
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json(found)
        return
    table = Table("Device", "Collector", "Since", "How")
    for one in found:
        how = [
            word
            for word, is_so in (
                ("alone", one.exclusive),
                ("pinned", one.pinned),
                ("letting go", one.releasing),
            )
            if is_so
        ]
        since = one.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(plain(one.device), plain(one.poller), since, ", ".join(how))
    console.print(table)


@click.command()
@click.argument("count", type=click.IntRange(0, 2))
@click.option("--site", "site_names", multiple=True, help="Site, by name or id; may be repeated.")
@click.option("--device", "devices", multiple=True, help="Device, by name or id; may be repeated.")
@server_option
@json_option
@explain_errors
def redundancy(
    count: int,
    site_names: tuple[str, ...],
    devices: tuple[str, ...],
    server: Connection,
    as_json: bool,
) -> None:
    """Have devices, or the devices of sites, polled by COUNT collectors at a time: 1 or 2; 0 for the default.

    Each poll interval is stored once, of whichever collector came first. It costs the routers twice as much.
    """
    if not site_names and not devices:
        raise click.UsageError("name devices with --device, or sites with --site")
    changed = {"devices": 0, "sites": 0}
    with server.client() as client:
        if devices:
            changed["devices"] = client.ask(calls.place(devices, redundancy=count))
        if site_names:
            changed["sites"] = client.ask(calls.place_sites(site_names, count))
    if as_json:
        print_json(changed)
    else:
        console.print(f"{changed['devices']} devices and {changed['sites']} sites are changed.")


COMMANDS = (drain, undrain, pin, sites, canary, weight, release, redundancy, list_devices)
"""What is added to ``mtd collector``."""


def _told(found: Poller, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        console.print(f"{plain(found.name)} {what}.")
