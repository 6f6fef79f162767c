"""What a tool brings, as lines of text. What the router did not tell is left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from .bounds import size_of, text_within

MOST_LINES = 200
MOST_BYTES = 48 * 1024
"""Of all lines together, as the bus has them."""

_ENDS = {"finished": "finished", "time": "stopped: its time is over", "rows": "stopped: enough rows"}


class Transcript:
    """The last lines of a run. Rounds of a table take the place of the round before."""

    def __init__(self, tool: str) -> None:
        self._row = _ROWS[tool]
        self._in_rounds = tool != "ping"
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._section: int | None = None
        self.version = 0

    def take(self, part: Any) -> None:
        """Take a row, or the end of the run."""
        self.version += 1
        if hasattr(part, "reason"):
            self._lines.append(
                f"{text_within(_ENDS.get(part.reason, part.reason))} after {part.seconds:.1f} s"
            )
            return
        if self._in_rounds and part.section != self._section:
            self._section = part.section
            self._lines.clear()
        self._lines.append(text_within(self._row(part)))

    @property
    def lines(self) -> list[str]:
        """Return the newest lines that have room, oldest first."""
        left = MOST_BYTES
        found: list[str] = []
        for line in reversed(self._lines):
            left -= size_of(line) + 1
            if left < 0:
                break
            found.append(line)
        return found[::-1]


def _joined(parts: Iterable[tuple[str, Any]]) -> str:
    return "  ".join(text.format(value) for text, value in parts if value is not None and value != "")


def _ping(row: Any) -> str:
    return _joined(
        (
            ("seq={}", row.sequence),
            ("{}", row.host),
            ("size={}", row.size_bytes),
            ("ttl={}", row.ttl),
            ("time={:g} ms", row.time_ms),
            ("{}", row.status),
            ("sent={}", row.sent),
            ("received={}", row.received),
            ("loss={} %", row.loss_pct),
            ("min={:g} ms", row.min_ms),
            ("avg={:g} ms", row.avg_ms),
            ("max={:g} ms", row.max_ms),
        )
    )


def _traceroute(row: Any) -> str:
    return _joined(
        (
            ("{:<39}", row.address or "*"),
            ("loss={} %", row.loss_pct),
            ("sent={}", row.sent),
            ("last={:g} ms", row.last_ms),
            ("avg={:g} ms", row.avg_ms),
            ("best={:g} ms", row.best_ms),
            ("worst={:g} ms", row.worst_ms),
            ("{}", row.status),
        )
    )


def _torch(row: Any) -> str:
    return _joined(
        (
            ("{}", row.ip_protocol or row.mac_protocol),
            ("{}", _end_of(row.source_address, row.source_port)),
            ("-> {}", _end_of(row.destination_address, row.destination_port)),
            ("vlan={}", row.vlan_id),
            ("rx={:,} bit/s", row.rx_bps),
            ("tx={:,} bit/s", row.tx_bps),
            ("rx={:,} p/s", row.rx_packets_per_s),
            ("tx={:,} p/s", row.tx_packets_per_s),
        )
    )


def _end_of(address: str | None, port: str | None) -> str | None:
    return f"{address}:{port}" if address and port else address


_ROWS = {"ping": _ping, "traceroute": _traceroute, "torch": _torch}
