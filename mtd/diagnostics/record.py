"""What is kept of a run: a document of its device.

Rows of ping, traceroute and bandwidth tests are kept as they came. Torch and
sniffer see what subscribers do: of them only sums are kept, by protocol and by
port, and no address.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.diagnostics.tools import ToolName, ToolRow
from mtd.model.documents import canonical_json
from mtd.model.observation import Document

if TYPE_CHECKING:
    from mtd.diagnostics.plans import Plan
    from mtd.model.principal import Principal

KIND_PREFIX = "tool."
"""Of the kinds of documents that hold runs."""

_SUMMED = frozenset({ToolName.TORCH, ToolName.SNIFF})
_MOST_GROUPS = 20


def kind_of(tool: str) -> str:
    """Return the kind of document that holds runs of a tool."""
    return KIND_PREFIX + tool


@dataclass(slots=True)
class Kept:
    """What of a run's rows is kept, as they come."""

    tool: ToolName
    most_rows: int
    rows: list[ToolRow] = field(default_factory=list)
    left_out: int = 0
    _protocols: Counter[str] = field(default_factory=Counter)
    _ports: Counter[str] = field(default_factory=Counter)
    _bytes: int = 0

    def take(self, rows: Sequence[ToolRow]) -> None:
        """Take rows."""
        if self.tool in _SUMMED:
            for row in rows:
                self._sum(row)
            return
        room = max(0, self.most_rows - len(self.rows))
        self.rows += rows[:room]
        self.left_out += len(rows[room:])

    def _sum(self, row: ToolRow) -> None:
        self._protocols[str(row.get("ip_protocol") or row.get("protocol") or "other")] += 1
        for name in ("source_port", "destination_port"):
            port = row.get(name)
            if port is not None:
                self._ports[str(port)] += 1
        size = row.get("size_bytes")
        if isinstance(size, int):
            self._bytes += size

    def summary(self) -> dict[str, object]:
        """Return the sums; empty for tools whose rows are kept."""
        if self.tool not in _SUMMED:
            return {}
        sums: dict[str, object] = {"rows_by_protocol": dict(self._protocols.most_common(_MOST_GROUPS))}
        if self._ports:
            sums["rows_by_port"] = dict(self._ports.most_common(_MOST_GROUPS))
        if self._bytes:
            sums["bytes"] = self._bytes
        return sums


def document_of(
    plan: Plan,
    caller: Principal,
    started_us: int,
    seconds: float,
    result: tuple[str, str],
    kept: Kept,
    rows: int,
) -> Document:
    """Return the document of a run that ended. ``result``: its word, and what there is to say about it."""
    content: Mapping[str, object] = {
        "tool": str(plan.tool.name),
        "from_collector": plan.from_collector,
        "arguments": plan.told,
        "caller": str(caller),
        "started_us": started_us,
        "seconds": round(seconds, 3),
        "result": result[0],
        "detail": result[1],
        "row_count": rows,
        "rows": kept.rows,
        "rows_left_out": kept.left_out,
        "summary": kept.summary(),
    }
    body = canonical_json(content)
    return Document(kind_of(plan.tool.name), body, hashlib.sha256(body).digest())
