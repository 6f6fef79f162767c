"""``mtd table``: what there is on a router now, as it was read last."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
    server_option,
)
from mtd.client import MtdClient, TableRow

_PAGE = 1000
_SHOWN_ROWS = 200


@click.command()
@click.argument("device")
@click.argument("name", metavar="TABLE", required=False)
@click.option("--contains", "-c", default="", help="Only rows with this text in their key or in a field.")
@click.option(
    "--where", "-w", multiple=True, metavar="FIELD=VALUE", help="Only rows with this value; may be repeated."
)
@click.option("--limit", "-n", type=click.IntRange(1), help="Most rows. Default: 200 on screen, else all.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
@server_option
@json_option
@explain_errors
def table(
    device: str,
    name: str | None,
    contains: str,
    where: Sequence[str],
    limit: int | None,
    as_csv: bool,
    server: Connection,
    as_json: bool,
) -> None:
    """Show what there is on DEVICE now: its sessions, leases, neighbours. Without TABLE: which tables there are.

    \b
    mtd table core-1                                   the tables of core-1
    mtd table core-1 ppp_session -c customer-42        whose session it is
    mtd table core-1 dhcp_lease -w status=bound --csv  leases that are bound
    """
    if as_csv and as_json:
        raise click.UsageError("choose --csv or --json, not both")
    fields = _conditions(where)
    with server.client() as client:
        if name is None:
            _list_tables(client, device, as_json=as_json)
            return
        rows = _rows(client, device, name, contains, fields)
        if as_json:
            for row in islice(rows, limit):
                print_json(row)
        elif as_csv:
            _print_csv(list(islice(rows, limit)))
        else:
            most = limit or _SHOWN_ROWS
            _print_table(client, device, name, list(islice(rows, most + 1)), most)


def _conditions(where: Sequence[str]) -> dict[str, str]:
    fields = {}
    for condition in where:
        name, sign, value = condition.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--where {condition}: give FIELD=VALUE")
        fields[name] = value
    return fields


def _rows(
    client: MtdClient, device: str, name: str, contains: str, fields: Mapping[str, str]
) -> Iterator[TableRow]:
    token = ""
    while True:
        page = client.table_rows(
            device, name, contains=contains, fields=fields, page_size=_PAGE, page_token=token
        )
        yield from page.rows
        token = page.next_token
        if not token:
            return


def _list_tables(client: MtdClient, device: str, *, as_json: bool) -> None:
    found = client.tables(device)
    if as_json:
        print_json(found)
        return
    if not found:
        progress_console.print(
            plain(f"Nothing is known of {device} yet: tables come with the first slow polls.")
        )
        return
    shown = Table("Table")
    shown.add_column("Rows", justify="right")
    shown.add_column("Changed")
    for one in found:
        shown.add_row(plain(one.name), f"{one.rows:,}", f"{one.changed_at:%Y-%m-%d %H:%M:%S} UTC")
    console.print(shown)


def _columns(rows: Sequence[TableRow]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.fields))


def _print_csv(rows: Sequence[TableRow]) -> None:
    names = _columns(rows)
    writer = csv.writer(sys.stdout)
    writer.writerow(["key", *names, "first_seen", "changed_at"])
    for row in rows:
        fields = [row.fields.get(name, "") for name in names]
        writer.writerow([row.key, *fields, row.first_seen.isoformat(), row.changed_at.isoformat()])


def _print_table(client: MtdClient, device: str, name: str, rows: Sequence[TableRow], most: int) -> None:
    if not rows:
        names = ", ".join(one.name for one in client.tables(device)) or "none yet"
        progress_console.print(plain(f"No row of {name} matches. Tables of {device}: {names}."))
        return
    names_shown = _columns(rows[:most])
    printed = Table("key", *map(plain, names_shown))
    for row in rows[:most]:
        printed.add_row(plain(row.key), *(plain(row.fields.get(field, "")) for field in names_shown))
    if len(rows) > most:
        printed.caption = f"The first {most:,} rows: --limit shows more, --csv all."
    console.print(printed)
