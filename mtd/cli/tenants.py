"""``mtd tenant``: who shares this mtd, and what each may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import identity as calls
from mtd.client.identity import QUOTAS, QuotaUse, Tenant

_NO_LIMIT = "none"
_HELP = {
    "devices": "Most devices in the inventory",
    "collectors": "Most collectors",
    "ingest_points_per_s": "Most values that its collectors and integrators send per second",
    "retention_days": "Days of telemetry that it is shown",
    "diagnostics_per_hour": "Most tools that its people run per hour",
}


def _limit(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """Return a whole number, or the word for no limit."""
    if value is None or value == _NO_LIMIT:
        return value
    try:
        return int(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a whole number nor {_NO_LIMIT!r}") from None


def _quota_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for quota in reversed(QUOTAS):
        option = click.option(
            f"--{quota.replace('_', '-')}",
            quota,
            metavar="NUMBER",
            callback=_limit,
            help=f"{_HELP[quota]}; `{_NO_LIMIT}` for no limit.",
        )
        command = option(command)
    return command


@click.group()
def tenant() -> None:
    """Tenants, which share one mtd without seeing each other.

    \b
    mtd tenant add north --devices 200 --retention-days 90
    mtd user add anna --role admin --tenant north
    mtd tenant set north --disable
    """


@tenant.command()
@click.argument("name")
@_quota_options
@server_option
@json_option
@explain_errors
def add(name: str, server: Connection, as_json: bool, **quotas: Any) -> None:
    """Add the tenant NAME. What has no quota isn't limited. For super-admins."""
    with server.client() as client:
        made = client.ask(calls.create_tenant(name, _given(quotas)))
    if as_json:
        print_json(made)
    else:
        console.print(
            f"{plain(made.name)} is there. Add its first user: mtd user add NAME --role admin --tenant {plain(made.name)}"
        )


@tenant.command("list")
@server_option
@json_option
@explain_errors
def list_tenants(server: Connection, as_json: bool) -> None:
    """List the tenants: all for a super-admin, their own for others."""
    with server.client() as client:
        found = list(calls.every(client, calls.tenants))
    if as_json:
        print_json(found)
        return
    table = Table("Name", "ID", "State", "Quotas", "Since")
    for one in found:
        quotas = ", ".join(f"{name} {value}" for name, value in one.quotas.items())
        since = one.created_at.astimezone().strftime("%Y-%m-%d")
        table.add_row(plain(one.name), one.id, _state(one), quotas, since)
    console.print(table)


@tenant.command()
@click.argument("name", default="")
@server_option
@json_option
@explain_errors
def show(name: str, server: Connection, as_json: bool) -> None:
    """Show the tenant NAME, and what it uses of its quotas: your own if you name none."""
    with server.client() as client:
        found = client.ask(calls.get_tenant(name))
        usage = client.ask(calls.quota_usage(found.id))
    if as_json:
        print_json({"tenant": found, "usage": usage})
        return
    console.print(f"{plain(found.name)} ({found.id}), {_state(found)}")
    table = Table("Quota")
    table.add_column("Used", justify="right")
    table.add_column("Limit", justify="right")
    table.add_column("Note")
    for use in usage:
        table.add_row(
            use.quota, _used(use), "no limit" if use.limit is None else str(use.limit), plain(use.note)
        )
    console.print(table)


@tenant.command("set")
@click.argument("tenant_name", metavar="TENANT")
@click.option("--name", help="Another name.")
@click.option("--enable/--disable", "enabled", default=None, help="Let its callers in, or refuse them.")
@_quota_options
@server_option
@json_option
@explain_errors
def set_tenant(
    tenant_name: str, name: str | None, enabled: bool | None, server: Connection, as_json: bool, **quotas: Any
) -> None:
    """Change the TENANT, by name or id. For super-admins.

    \b
    mtd tenant set north --devices 500 --retention-days none
    mtd tenant set north --disable
    """
    given = _given(quotas)
    if name is None and enabled is None and not given:
        raise click.UsageError("say what to change: --name, --enable, --disable, or a quota")
    with server.client() as client:
        changed = client.ask(calls.update_tenant(tenant_name, name=name, enabled=enabled, quotas=given))
    if as_json:
        print_json(changed)
    else:
        console.print(f"{plain(changed.name)} is changed. See: mtd tenant show {plain(changed.name)}")


def _given(quotas: dict[str, Any]) -> dict[str, int | None]:
    return {
        name: None if value == _NO_LIMIT else value for name, value in quotas.items() if value is not None
    }


def _state(tenant: Tenant) -> str:
    return "enabled" if tenant.enabled else "[red]disabled[/red]"


def _used(use: QuotaUse) -> str:
    return "not known" if use.used is None else f"{use.used:g}"
