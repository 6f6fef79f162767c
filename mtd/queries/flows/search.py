"""Records by address, port and time: the newest first, page by page. Runs in a thread, on one snapshot of the database."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows import text_of
from mtd.core.errors import Refused
from mtd.model.flows import DIMENSIONS
from mtd.queries.flows.keys import Columns
from mtd.queries.flows.matching import SEARCHED, found_by
from mtd.queries.flows.naming import devices_of, names_of
from mtd.queries.flows.reading import device_of, unpack, us_of
from mtd.queries.flows.records import FoundFlow, SearchPage, SearchQuestion
from mtd.storage.cold.connection import ColdConnection, timestamp

MOST_SEARCHED = 5_000_000
"""Records that one page unpacks, about a second of a core; the page after goes on behind them."""
_BLOCKS_AT_ONCE = 4

# Whoever tells of a flow does so when it has ended or has gone on for some time, an hour at most mostly; and its clock,
# although it was corrected, may be a little ahead.
_TOLD_WITHIN_US = 24 * 3600 * 1_000_000
_AHEAD_US = 300 * 1_000_000

_TOKEN = re.compile(r"(\d{1,17})/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(\d{1,18})/(\d{1,5})")
_SELECT = """
SELECT b.device_id, b.ts, b.log_id, b.seq, b.exporter, b.domain, b.block FROM flow_block b
WHERE b.tenant_id = %(tenant)s {devices} AND b.ts >= %(after)s AND b.ts < %(before)s
AND b.first_ts <= %(last)s AND b.last_ts >= %(first)s {behind}
ORDER BY b.ts DESC, b.log_id DESC, b.seq DESC
"""
_BEHIND = "AND (b.ts, b.log_id, b.seq) {before} (%(ts)s, %(log_id)s::uuid, %(seq)s::int8)"


class _Place(NamedTuple):
    """Where a page begins: with the records of a batch before the ``record``-th, then batches that came before it."""

    us: int
    log_id: str
    seq: int
    record: int

    @property
    def token(self) -> str:
        """Return it as a text."""
        return "/".join(map(str, self))


class _Batch(NamedTuple):
    """Records that came together, as they are stored."""

    device_id: str
    received_us: int
    log_id: str
    seq: int
    exporter: str
    domain: int | None
    block: bytes

    def place(self, record: int = 0) -> _Place:
        """Return the place before one of its records."""
        return _Place(self.received_us, self.log_id, self.seq, record)


def read_page(
    conn: ColdConnection,
    tenant_id: str,
    asked: SearchQuestion,
    device_ids: Sequence[str],
    after: str,
    limit: int,
) -> SearchPage:
    """Return at most ``limit`` records behind a token. Raises Refused for a token that isn't ours, and FlowsDamaged."""
    begin = _place_of(after) if after else None
    found: list[tuple[_Batch, Columns, NDArray[np.intp]]] = []
    missing, searched = limit, 0
    end: _Place | None = None
    truncated = False
    for batch in _batches(conn, tenant_id, asked, device_ids, begin):
        conn.check()
        count, columns = unpack(batch.block, batch.device_id, batch.received_us, SEARCHED)
        which = np.flatnonzero(found_by(asked, columns, count, batch.received_us))[::-1]
        if begin is not None and begin[:3] == batch.place()[:3]:
            which = which[which < begin.record]
        taken = which[:missing]
        if len(taken):
            whole = unpack(batch.block, batch.device_id, batch.received_us)[1]
            found.append((batch, {name: column[taken] for name, column in whole.items()}, taken))
        missing -= len(taken)
        searched += count
        if not missing:
            end = batch.place(int(taken[-1]) if len(which) > len(taken) else 0)
            break
        if searched >= MOST_SEARCHED:
            end, truncated = batch.place(), True
            break
    flows = _named(conn, tenant_id, found)
    return SearchPage(flows, end.token if end is not None else "", truncated)


def _batches(
    conn: ColdConnection,
    tenant_id: str,
    asked: SearchQuestion,
    device_ids: Sequence[str],
    begin: _Place | None,
) -> Iterator[_Batch]:
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "devices": list(device_ids),
        "after": timestamp(asked.first_ms * 1000 - _AHEAD_US),
        "before": timestamp(asked.last_ms * 1000 + _TOLD_WITHIN_US),
        "first": timestamp(asked.first_ms * 1000),
        "last": timestamp(asked.last_ms * 1000 + 999),
    }
    if begin is not None:
        values |= {"ts": timestamp(begin.us), "log_id": begin.log_id, "seq": begin.seq}
        values["before"] = min(values["before"], timestamp(begin.us + 1))
    statement = _SELECT.format(
        devices="AND b.device_id = ANY (%(devices)s::uuid[])" if device_ids else "",
        # A batch of which nothing is left isn't looked through again: a page always comes further.
        behind=_BEHIND.format(before="<=" if begin.record else "<") if begin is not None else "",
    )
    for device_id, ts, log_id, seq, exporter, domain, block in conn.stream_raw(
        statement, values, at_once=_BLOCKS_AT_ONCE
    ):
        yield _Batch(
            device_of(device_id),
            us_of(ts),
            str(uuid.UUID(bytes=log_id)),
            int.from_bytes(seq or b"", "big", signed=True),
            (exporter or b"").decode(),
            int.from_bytes(domain, "big") if domain is not None else None,
            block or b"",
        )


def _place_of(text: str) -> _Place:
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise Refused("page_token is not one that this server gave out; begin without a token")
    return _Place(int(found[1]), found[2], int(found[3]), int(found[4]))


def _named(
    conn: ColdConnection, tenant_id: str, found: Sequence[tuple[_Batch, Columns, NDArray[np.intp]]]
) -> list[FoundFlow]:
    device_ids = {batch.device_id for batch, *_ in found}
    devices = devices_of(conn, tenant_id, device_ids) if device_ids else {}
    names = names_of(conn, tenant_id, device_ids) if device_ids else {}
    flows = []
    for batch, columns, which in found:
        for place in range(len(which)):
            values = _values(columns, place)
            if batch.domain is not None:
                values["domain"] = batch.domain
            in_name, out_name = (
                names.get((batch.device_id, int(values[name]))) if name in values else None
                for name in ("in_interface", "out_interface")
            )
            flows.append(
                FoundFlow(
                    batch.received_us,
                    batch.device_id,
                    devices.get(batch.device_id, ""),
                    batch.exporter,
                    values,
                    in_name.label if in_name is not None else "",
                    out_name.label if out_name is not None else "",
                )
            )
    return flows


_NAMED = frozenset({"src_country", "dst_country", "traffic"})
_ZERO_IS_ABSENT = frozenset({"start_ms", "end_ms", "duration_ms", "sampling"})


def _values(columns: Columns, place: int) -> dict[str, int | str]:
    """Return what a record tells."""
    found: dict[str, int | str] = {}
    for name, column in columns.items():
        if column.dtype.names is not None:
            found[name] = text_of(column[place])
            continue
        number = int(column[place])
        if name.endswith("_mac"):
            found[name] = number.to_bytes(8, "big")[2:].hex(":").upper()
        elif name in _NAMED:
            found |= _name_of(name, number)
        elif number or name not in _ZERO_IS_ABSENT:
            found[name] = number
    return found


def _name_of(name: str, number: int) -> dict[str, str]:
    """Return what a number stands for; nothing if that isn't known."""
    dimension = DIMENSIONS[name]
    text = dimension.text(number.to_bytes(8, "big")[-dimension.width :])
    return {name: text} if text else {}
