"""How rows of tools look while they come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mtd.cli.output import console, format_rate, plain
from mtd.client.tools import BandwidthSample, PingReply, SniffedPacket, TorchFlow, TracerouteHop

Row = TypeVar("Row")


class Screen(ABC, Generic[Row]):
    """Takes rows, and draws what a person wants to see of them."""

    headings: Sequence[str] = ()

    def __init__(self) -> None:
        self.rows: deque[Row] = deque(maxlen=max(5, console.height - 6))

    def take(self, row: Row) -> None:
        """Take a row."""
        self.rows.append(row)

    @abstractmethod
    def cells(self, place: int, row: Row) -> Sequence[object]:
        """Return a row as it is shown, at its place from 1."""

    def summary(self) -> str:
        """Return what it comes to, in a line."""
        return ""

    def draw(self) -> Group:
        """Return what is shown now."""
        table = Table()
        for heading in self.headings:
            table.add_column(heading, no_wrap=heading in ("Host", "From", "To"), overflow="fold")
        for place, row in enumerate(self.shown(), start=1):
            cells = self.cells(place, row)
            table.add_row(*(plain("" if cell is None else cell) for cell in cells))
        summary = self.summary()
        return Group(table, Text(summary)) if summary else Group(table)

    def shown(self) -> Sequence[Row]:
        """Return the rows that are shown: the newest."""
        return list(self.rows)


class _Sections(Screen[Any]):
    """Shows the rows of the newest section."""

    def __init__(self) -> None:
        self._section: int | None = None
        self._rows: list[Any] = []

    def take(self, row: Any) -> None:
        """Take a row; the first one of a section takes those of the one before away."""
        if row.section != self._section:
            self._section, self._rows = row.section, []
        self._rows.append(row)

    def shown(self) -> Sequence[Any]:
        """Return the rows of the newest section."""
        return self._rows[: max(5, console.height - 6)]


class PingScreen(Screen[PingReply]):
    """Answers, and what they come to."""

    headings = ("#", "Host", "Bytes", "TTL", "Time", "Status")

    def cells(self, place: int, row: PingReply) -> Sequence[object]:
        """Return an answer."""
        return row.sequence, row.host, row.size_bytes, row.ttl, milliseconds(row.time_ms), row.status

    def summary(self) -> str:
        """Return loss and times."""
        if not self.rows:
            return ""
        last = self.rows[-1]
        times = ", ".join(
            f"{word} {milliseconds(value)}"
            for word, value in (("least", last.min_ms), ("mean", last.avg_ms), ("most", last.max_ms))
            if value is not None
        )
        told = [f"{last.sent} sent, {last.received} received"] if last.sent is not None else []
        told += [f"{last.loss_pct} % lost"] if last.loss_pct is not None else []
        return "; ".join([*told, *([times] if times else [])])


class TracerouteScreen(_Sections):
    """The path, as it stands."""

    headings = ("#", "Host", "Loss", "Sent", "Last", "Mean", "Best", "Worst", "Status")

    def cells(self, place: int, row: TracerouteHop) -> Sequence[object]:
        """Return a hop."""
        times = map(milliseconds, (row.last_ms, row.avg_ms, row.best_ms, row.worst_ms))
        loss = "" if row.loss_pct is None else f"{row.loss_pct} %"
        return place, row.address or "no answer", loss, row.sent, *times, row.status


class TorchScreen(_Sections):
    """The flows of the last second, the busiest first."""

    headings = ("Protocol", "From", "Port", "To", "Port", "VLAN", "tx", "rx")

    def shown(self) -> Sequence[TorchFlow]:
        """Return the busiest flows."""
        busiest = sorted(self._rows, key=lambda row: -((row.tx_bps or 0) + (row.rx_bps or 0)))
        return busiest[: max(5, console.height - 6)]

    def cells(self, place: int, row: TorchFlow) -> Sequence[object]:
        """Return a flow."""
        return (
            row.ip_protocol or row.mac_protocol,
            row.source_address,
            row.source_port,
            row.destination_address,
            row.destination_port,
            row.vlan_id,
            format_rate(row.tx_bps),
            format_rate(row.rx_bps),
        )

    def summary(self) -> str:
        """Return the sum of all flows."""
        if not self._rows:
            return "waiting: routers take two seconds to look"
        tx, rx = (sum(getattr(row, name) or 0 for row in self._rows) for name in ("tx_bps", "rx_bps"))
        return f"{len(self._rows)} flows, tx {format_rate(tx)}, rx {format_rate(rx)}"


class SniffScreen(Screen[SniffedPacket]):
    """The newest packets."""

    headings = ("#", "Time", "", "From", "To", "Protocol", "VLAN", "Bytes", "Flags")

    def cells(self, place: int, row: SniffedPacket) -> Sequence[object]:
        """Return a packet; by its MAC addresses where it has no others."""
        return (
            row.number,
            "" if row.time_s is None else f"{row.time_s:.3f}",
            row.direction,
            row.source_address or row.source_mac,
            row.destination_address or row.destination_mac,
            row.protocol,
            row.vlan,
            row.size_bytes,
            row.tcp_flags,
        )


class BandwidthScreen(Screen[BandwidthSample]):
    """Second by second."""

    headings = ("Status", "After", "tx", "tx mean", "rx", "rx mean", "Lost", "CPU here", "CPU there")

    def cells(self, place: int, row: BandwidthSample) -> Sequence[object]:
        """Return how the test stood."""
        rates = map(format_rate, (row.tx_bps, row.tx_total_bps, row.rx_bps, row.rx_total_bps))
        loads = ("" if load is None else f"{load} %" for load in (row.local_cpu_pct, row.remote_cpu_pct))
        after = "" if row.duration_s is None else f"{row.duration_s:g} s"
        return row.status, after, *rates, row.lost_packets, *loads


def milliseconds(value: float | None) -> str:
    """Return a time; nothing where there is none."""
    return "" if value is None else f"{value:.3g} ms" if value < 100 else f"{value:.0f} ms"
