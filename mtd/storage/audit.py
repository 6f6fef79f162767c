"""Counting what is stored, to hold it against the event log.

Blocking, on a connection of its own, so that the command line needs no reactor.
Reads only; a daemon may be writing meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self

import psycopg2

from mtd.codec.blocks.axis import decode_axis
from mtd.core.errors import Bug
from mtd.model.ranges import SeqRanges
from mtd.storage.cold.blocks import read_axes_of
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.errors import SchemaTooOld, StorageUnavailable
from mtd.storage.partitioned import HOUR_US
from mtd.storage.schema import connect_blocking
from mtd.storage.stores.hub_logs import ranges_of

TABLES = frozenset({"telemetry_frame", "event", "device_health", "log_record"})
"""Tables in which every row is named by the event, and maybe the part of it, that it came from."""
_PARTS = frozenset({"event", "log_record"})
_TIMES = {"log_record": "ts"}
_FROM = (
    "log_id = %s AND seq BETWEEN %s AND %s AND {time} BETWEEN mtd.from_us(%s) AND mtd.from_us(%s)"
    " AND tenant_id = ANY (%s::uuid[])"
)


class Span(NamedTuple):
    """Events of a log, by position and time of collection; both ends belong to it."""

    first_seq: int
    last_seq: int
    first_us: int
    last_us: int


class Row(NamedTuple):
    """What a row is named by: its event, and which part of it."""

    seq: int
    part: int = 0

    @property
    def name(self) -> str:
        """It in words."""
        return f"event {self.seq}" + (f", part {self.part}" if self.part else "")


class Block(NamedTuple):
    """What a block of flows is said to hold, and what it is."""

    device_id: str
    first_us: int
    last_us: int
    exporter: str
    domain: int | None  # None: stored before it was kept, or a form without
    form: int
    sampling: int
    records: int
    octets: int
    packets: int
    estimated_octets: int
    estimated_packets: int
    sha256: str

    def difference(self, told: Block) -> str:
        """Return what it says else than it was told, in words; empty if nothing is."""
        pairs = zip(self._fields, self, told, strict=True)
        return ", ".join(
            f"{name} {one}, not {other}"
            for name, one, other in pairs
            if one != other and not (name == "domain" and one is None)
        )


class Newest(NamedTuple):
    """What a row of ``latest`` holds; times in microseconds since the epoch."""

    log_id: str
    seq: int
    collected_us: int


class Poll(NamedTuple):
    """What a frame of a closed hour is known by when it has become part of blocks."""

    device_id: str
    poll_group: str
    collected_us: int


class Audit:
    """Reads positions and names of rows. Use it as a context manager."""

    def __init__(self, dsn: str, log_id: str) -> None:
        self._connection = connect_blocking(dsn, "mtd verify")
        self._connection.set_session(readonly=True, autocommit=True)
        self._dsn = dsn
        self._cold: ColdConnection | None = None
        self._log_id = log_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        if self._cold is not None:
            self._cold.close()

    def positions(self) -> dict[str, int]:
        """Return how far each projection is in the log."""
        rows = self._rows(
            "SELECT name, position FROM mtd.projection_position WHERE log_id = %s", [self._log_id]
        )
        return {str(name): int(position) for name, position in rows}

    def dead_letters(self) -> dict[str, set[int]]:
        """Return the events that a projection could not take, by its name."""
        found: dict[str, set[int]] = {}
        for projection, seq in self._rows(
            "SELECT projection, seq FROM mtd.dead_letter WHERE log_id = %s", [self._log_id]
        ):
            found.setdefault(projection, set()).add(seq)
        return found

    def elsewhere(self) -> tuple[dict[str, SeqRanges], SeqRanges]:
        """Return which events of collectors' logs are projected from another hub's log, and which of this one's never are.

        The first by the collector's log and its positions, the second by the positions of this log.
        """
        rows = self._rows(
            "SELECT l.log_id::text, (l.projected - coalesce((SELECT range_agg(h.projected) FROM mtd.hub_source h"
            "  WHERE h.hub_log_id = %s AND h.log_id = l.log_id), '{}'))::text FROM mtd.ingest_log l",
            [self._log_id],
        )
        own = self._rows("SELECT uncounted::text FROM mtd.hub_log WHERE log_id = %s", [self._log_id])
        return (
            {str(log_id): ranges_of(projected) for log_id, projected in rows},
            ranges_of(own[0][0] if own else "{}"),
        )

    def rows(self, table: str, span: Span, tenants: Collection[str]) -> list[Row]:
        """Return what the rows are named by that came from the events of a span, which are of these tenants.

        The times choose the partitions and, by their index, the pages; tenants do where it begins with them.
        """
        if table not in TABLES:
            raise Bug(f"rows of {table} are not named by events")
        part = "part" if table in _PARTS else "0"
        found = self._rows(
            f"SELECT seq, {part} FROM mtd.{table} WHERE {_FROM.format(time=_TIMES.get(table, 'ts_collected'))}",
            [self._log_id, *span, list(tenants)],
        )
        return [Row(*names) for names in found]

    def blocks(self, span: Span, tenants: Collection[str]) -> list[tuple[int, Block]]:
        """Return what the blocks of flows say that came from the events of a span, with their positions."""
        found = self._rows(
            "SELECT seq, device_id::text, mtd.to_us(first_ts), mtd.to_us(last_ts), exporter, domain, form, sampling,"
            f" records, octets, packets, estimated_octets, estimated_packets, encode(sha256(block), 'hex') FROM mtd.flow_block WHERE {_FROM.format(time='ts')}",
            [self._log_id, *span, list(tenants)],
        )
        return [(int(seq), Block(*said)) for seq, *said in found]

    def told_before(self, given: Mapping[int, tuple[str, str]]) -> set[int]:
        """Return those events, by tenant and UUID, whose UUID is another event's: they have no row on purpose."""
        if not given:
            return set()
        tenants, ids = zip(*given.values(), strict=True)
        rows = self._rows(
            "SELECT t.seq FROM unnest(%s::int8[], %s::uuid[], %s::uuid[]) AS t (seq, tenant_id, event_id)"
            " JOIN mtd.ingest_event e USING (tenant_id, event_id) WHERE (e.log_id, e.seq) <> (%s, t.seq)",
            [list(given), list(tenants), list(ids), self._log_id],
        )
        return {int(seq) for (seq,) in rows}

    def compacted(self, polls: Mapping[int, Poll]) -> set[int]:
        """Return which polls, by any number, the axes of blocks hold: to the millisecond, as blocks do."""
        if not polls:
            return set()
        if self._cold is None:
            self._cold = ColdConnection(self._dsn, "mtd verify")
        wanted: dict[tuple[str, str, int], dict[int, list[int]]] = {}
        for number, (device_id, poll_group, us) in polls.items():
            hour_us = us - us % HOUR_US
            moments = wanted.setdefault((device_id, poll_group, hour_us), {})
            moments.setdefault((us - hour_us) // 1000, []).append(number)
        hours = [hour_us for _, _, hour_us in wanted]
        devices = {device_id for device_id, _, _ in wanted}
        found: set[int] = set()
        for row in read_axes_of(self._cold, devices, min(hours), max(hours) + 1):
            moments = wanted.get((row.device_id, row.poll_group, row.hour_us), {})
            if moments:
                for ms in moments.keys() & set(decode_axis(row.axis).tolist()):
                    found.update(moments[ms])
        return found

    def poll_groups(self) -> dict[tuple[str, int], str]:
        """Return the poll group of each layout, by tenant and layout."""
        rows = self._rows("SELECT tenant_id::text, layout_id, poll_group FROM mtd.series_layout", [])
        return {(tenant_id, layout_id): group for tenant_id, layout_id, group in rows}

    def newest(self) -> dict[tuple[str, str, str], Newest]:
        """Return what ``latest`` holds, by tenant, device and poll group."""
        rows = self._rows(
            "SELECT tenant_id::text, device_id::text, poll_group, log_id::text, seq, mtd.to_us(ts_collected)"
            " FROM mtd.latest",
            [],
        )
        return {
            (tenant_id, device_id, group): Newest(*values) for tenant_id, device_id, group, *values in rows
        }

    def devices(self) -> set[tuple[str, str]]:
        """Return tenant and id of the devices of the inventory."""
        return set(self._rows("SELECT tenant_id::text, device_id::text FROM mtd.device", []))

    def _rows(self, sql: str, params: list[Any]) -> list[Any]:
        with _explained(), self._connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows: list[Any] = cursor.fetchall()
            return rows


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except psycopg2.errors.UndefinedTable as error:
        raise SchemaTooOld(f"the database lacks tables of mtd, run `mtd migrate`: {error}") from error
    except psycopg2.OperationalError as error:
        raise StorageUnavailable(f"reading PostgreSQL: {str(error).strip()}") from error
