"""What ``mtd flows`` prints for people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rich.table import Table

from mtd.cli.output import format_rate, plain
from mtd.client.flow_values import Amounts, ComparedInterface, FlowRecord, OverTime, Ranking
from mtd.client.flows import PROTOCOLS

_NAMES = {number: name for name, number in PROTOCOLS.items()}


def _key(dimension: str, key: str, label: str) -> str:
    """Return a key as it is shown, with its name if it has one."""
    if dimension == "protocol" and key.isdecimal():
        label = _NAMES.get(int(key), "")
    return plain(f"{key} {label}".strip())


def ranking_table(dimension: str, found: Ranking) -> Table:
    """Return a ranking, with what it lacks of the total."""
    table = Table(dimension)
    for name in ("Octets", "Packets", "Flows", "Share"):
        table.add_column(name, justify="right")
    for row in found.rows:
        table.add_row(_key(dimension, row.key, row.label), *_figures(row.amounts), f"{row.share:.1%}")
    table.add_section()
    table.add_row("others", *_figures(found.others), "")
    table.add_row("total", *_figures(found.total), "")
    table.caption = f"{found.start.astimezone():%Y-%m-%d %H:%M} to {found.end.astimezone():%Y-%m-%d %H:%M}"
    return table


def _figures(amounts: Amounts) -> tuple[str, str, str]:
    return format_octets(amounts.octets), f"{amounts.packets:,}", f"{amounts.flows:,}"


def format_octets(octets: int | None) -> str:
    """Return octets for people: "12.3 GB", by thousands; nothing where there are none known."""
    if octets is None:
        return ""
    size = float(octets)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000:
            return f"{octets} B" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} PB"


def over_time_table(dimension: str, found: OverTime) -> Table:
    """Return mean rates, a row for each step."""
    table = Table("Time")
    for one in found.series:
        table.add_column(_key(dimension, one.key, one.label) or "total", justify="right")
    table.add_column("others", justify="right")
    for place, time in enumerate(found.times):
        rates = (format_rate(one.octets[place] * 8 / found.step_s) for one in (*found.series, found.others))
        table.add_row(f"{time.astimezone():%Y-%m-%d %H:%M}", *rates)
    return table


def records_table(records: Sequence[FlowRecord]) -> Table:
    """Return records."""
    table = Table("Time", "Device", "Protocol", "Source", "Destination", "Translated", "In", "Out")
    table.add_column("Octets", justify="right")
    for one in records:
        protocol = "" if one.protocol is None else _NAMES.get(one.protocol, str(one.protocol))
        table.add_row(
            _when(one.start or one.time, one.end),
            plain(one.device or one.exporter),
            protocol,
            _end(one.src_address, one.src_port),
            _end(one.dst_address, one.dst_port),
            " > ".join(
                filter(
                    None,
                    (
                        _end(one.post_nat_src_address, one.post_nat_src_port),
                        _end(one.post_nat_dst_address, one.post_nat_dst_port),
                    ),
                )
            ),
            plain(one.in_interface_name or ("" if one.in_interface is None else one.in_interface)),
            plain(one.out_interface_name or ("" if one.out_interface is None else one.out_interface)),
            format_octets(one.octets),
        )
    return table


def _when(start: dt.datetime, end: dt.datetime | None) -> str:
    told = f"{start.astimezone():%Y-%m-%d %H:%M:%S}"
    return told if end is None else f"{told} to {end.astimezone():%H:%M:%S}"


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def comparison_table(found: Sequence[ComparedInterface], left_out: int) -> Table:
    """Return interfaces by flows and by their counters."""
    table = Table("Device", "Interface")
    for name in ("In, flows", "In, counter", "Ratio", "Out, flows", "Out, counter", "Ratio"):
        table.add_column(name, justify="right")
    for one in found:
        table.add_row(
            plain(one.device or one.device_id),
            plain(f"{one.index} {one.name}".strip()),
            format_octets(one.in_octets),
            format_octets(one.rx_bytes),
            _ratio(one.in_ratio),
            format_octets(one.out_octets),
            format_octets(one.tx_bytes),
            _ratio(one.out_ratio),
        )
    if left_out:
        table.caption = f"and {left_out:,} more"
    return table


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3f}"
