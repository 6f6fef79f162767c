"""``mtd device export``: the inventory as a CSV file that can be imported again."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mtd.cli.connection import Connection
from mtd.cli.device_csv import GROUPS, INTERVAL, LABEL, SEPARATOR, T0
from mtd.cli.device_settings import TIERS
from mtd.cli.output import explain_errors, json_option, plain, print_json, progress_console, server_option
from mtd.client.values import Device

_ALWAYS = (
    *("name", "host", "port", "username", "password", "tls_mode", "tls_fingerprint", "enabled"),
    *("interface_naming", "code_page", "connect_timeout_s", "command_timeout_s", "notes"),
)
_IF_USED = (
    *("ways", "rest_port", "rest_tls_mode", "rest_tls_fingerprint"),
    *("snmp_version", "snmp_port", "snmp_username", "snmp_auth", "snmp_priv"),
    *(f"{T0}{key}" for key in ("interfaces", "metrics", "pins")),
    *(f"{INTERVAL}{tier}" for tier in TIERS),
    *("site", GROUPS),
)


@click.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--excel", is_flag=True, help="As Excel likes it: semicolons, and a mark at the beginning.")
@server_option
@json_option
@explain_errors
def export_devices(file: Path | None, excel: bool, server: Connection, as_json: bool) -> None:
    """Write all routers to the CSV FILE, or to standard output. Passwords and other secrets are left out.

    ``mtd device import FILE --update`` takes it back: after a change in a
    spreadsheet, only what was changed is set.
    """
    with server.client() as client:
        devices = client.list_devices()
    records = [record_of(device) for device in devices]
    columns = columns_of(records)
    if as_json:
        print_json([{name: record.get(name, "") for name in columns} for record in records])
        return
    text = _csv(columns, records, excel=excel)
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8-sig" if excel else "utf-8", newline="")
    except OSError as error:
        raise click.ClickException(f"{file} can't be written: {error.strerror}") from None
    progress_console.print(f"{len(records)} router(s) are in {plain(file)}.")


def record_of(device: Device) -> dict[str, str]:
    """Return the cells of a router, by column; what is at its default is left out."""
    cells = {
        name: str(getattr(device, name))
        for name in (*_ALWAYS, *_IF_USED)
        if name not in ("password", GROUPS) and ":" not in name
    }
    cells["enabled"] = "true" if device.enabled else "false"
    cells["ways"] = " ".join(device.ways)
    for name in ("connect_timeout_s", "command_timeout_s"):
        cells[name] = _number(getattr(device, name))
    cells["rest_port"] = _number(device.rest_port)
    if not device.snmp_version:
        cells |= dict.fromkeys(("snmp_port", "snmp_auth", "snmp_priv"), "")
    cells |= {f"{T0}{key}": str(device.t0.get(key) or "") for key in ("interfaces", "metrics")}
    cells[GROUPS] = SEPARATOR.join(device.groups)
    cells[f"{T0}pins"] = SEPARATOR.join(device.t0.get("pins") or ())
    cells |= {f"{INTERVAL}{tier}": _number(seconds) for tier, seconds in device.intervals_s.items()}
    cells |= {f"{LABEL}{key}": value for key, value in device.labels.items()}
    return {name: value for name, value in cells.items() if value}


def columns_of(records: Sequence[dict[str, str]]) -> list[str]:
    """Return the columns that records need: some always, the others where a router has them."""
    used = {name for record in records for name in record}
    labels = sorted(name for name in used if name.startswith(LABEL))
    return [*_ALWAYS, *(name for name in _IF_USED if name in used), *labels]


def _number(value: float) -> str:
    return repr(int(value) if value == int(value) else value) if value else ""


def _csv(columns: Sequence[str], records: Sequence[dict[str, str]], *, excel: bool) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";" if excel else ",", lineterminator="\r\n" if excel else "\n")
    writer.writerow(columns)
    writer.writerows([record.get(name, "") for name in columns] for record in records)
    return out.getvalue()
