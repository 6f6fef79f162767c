"""Which hub's log has brought what of collectors' logs: each event is projected from one of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mtd.core.errors import Misconfigured
from mtd.model.ranges import SeqRanges
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.stores.ingest_logs import LogKey
from mtd.storage.txn import Transaction

# Any number will do, as long as it is ours.
_ENTER_LOCK = 0x6D746410
_EVENTS_PER_PART = 10_000_000
_RANGE = re.compile(r"\[(-?\d+),(-?\d+)\)")

# In order of their names, so that two hubs never wait for each other. Whoever waited sees what the other one wrote:
# the row is read again once its lock is there.
_LOCK = (
    "SELECT l.log_id::text, (l.projected * t.spans::int8multirange)::text, coalesce("
    "  (SELECT range_agg(h.projected) FROM mtd.hub_source h WHERE h.hub_log_id = %s AND h.log_id = l.log_id),"
    "  '{}')::text"
    " FROM unnest(%s::uuid[], %s::text[]) AS t (log_id, spans) JOIN mtd.ingest_log l USING (log_id)"
    " ORDER BY l.log_id"
)
_MAKE = (
    "INSERT INTO mtd.ingest_log (tenant_id, log_id) SELECT tenant_id, log_id FROM unnest(%s::uuid[], %s::uuid[])"
    " AS t (tenant_id, log_id) ORDER BY log_id ON CONFLICT DO NOTHING"
)
_NOTE = (
    "WITH t AS (SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS t (tenant_id, log_id, spans)),"
    " shared AS (UPDATE mtd.ingest_log l SET projected = l.projected + t.spans::int8multirange"
    "  FROM t WHERE l.log_id = t.log_id),"
    " own AS (INSERT INTO mtd.hub_source AS h (tenant_id, hub_log_id, log_id, part, projected)"
    "  SELECT tenant_id, %s::uuid, log_id, %s, spans::int8multirange FROM t"
    "  ON CONFLICT (hub_log_id, log_id, part) DO UPDATE SET projected = h.projected + excluded.projected)"
    " UPDATE mtd.hub_log SET decided = greatest(decided, %s) WHERE log_id = %s"
)
_OPEN = (
    "INSERT INTO mtd.hub_log AS h (log_id, decided, uncounted) SELECT %(log)s, p.position,"
    "  CASE WHEN p.position > 0 THEN int8multirange(int8range(1, p.position, '[]')) ELSE '{}' END"
    " FROM (SELECT coalesce((SELECT position FROM mtd.projection_position"
    "  WHERE log_id = %(log)s AND name = %(name)s), 0) AS position) p"
    " ON CONFLICT (log_id) DO UPDATE SET decided = greatest(h.decided, excluded.decided), uncounted ="
    "  CASE WHEN excluded.decided > h.decided"
    "   THEN h.uncounted + int8multirange(int8range(h.decided, excluded.decided, '(]')) ELSE h.uncounted END"
    "  - int8multirange(int8range(0, %(first)s, '[)'))"
    " RETURNING uncounted::text"
)
_FORGET = "DELETE FROM mtd.hub_source WHERE hub_log_id = %s AND part < %s"


@dataclass(frozen=True, slots=True)
class Shares:
    """What is projected of some events of a collector's log: from any hub's log, and from this hub's."""

    projected: SeqRanges
    own: SeqRanges

    @property
    def foreign(self) -> SeqRanges:
        """What another hub's log has brought."""
        found = SeqRanges(self.projected)
        for first, last in self.own:
            found.remove(first, last)
        return found


class OtherKey(Misconfigured):
    """Another hub on this database has other master keys."""

    hint = (
        "copy the file of master keys of the hub that has the right ones (security.master_key_file), and start this"
        " one again"
    )


class HubStore:
    """Knows the hubs on a database, and by which master keys each seals: they have to share one."""

    def __init__(self, db: Database, hub_log_id: str) -> None:
        self._db = db
        self._hub = hub_log_id

    async def enter(self, key_ids: Collection[bytes], gone_after_s: float) -> None:
        """Be there, or go on being there. Raises OtherKey if a hub that is there has none of these keys."""

        async def put(tx: Transaction) -> bool:
            # Two that start at once see each other.
            await tx.execute("SELECT pg_advisory_xact_lock(%s)", (_ENTER_LOCK,))
            await tx.execute(
                "SELECT count(*) FROM mtd.hub_log WHERE log_id <> %s AND NOT key_ids && %s::bytea[]"
                " AND seen_at > now() - %s * interval '1 second'",
                (self._hub, literals.bytea(key_ids), gone_after_s),
            )
            (strangers,) = tx.fetchone() or (0,)
            if strangers:
                return False
            await tx.execute(
                "INSERT INTO mtd.hub_log AS h (log_id, key_ids, seen_at) VALUES (%s, %s::bytea[], now())"
                " ON CONFLICT (log_id) DO UPDATE SET key_ids = excluded.key_ids, seen_at = excluded.seen_at",
                (self._hub, literals.bytea(key_ids)),
            )
            return True

        if not await self._db.run("hubs.enter", put):
            raise OtherKey(
                "another hub on this database has another master key: neither could open what the other one seals"
            )

    async def leave(self) -> None:
        """Be gone."""

        async def put(tx: Transaction) -> None:
            await tx.execute("UPDATE mtd.hub_log SET seen_at = NULL WHERE log_id = %s", (self._hub,))

        await self._db.run("hubs.leave", put)


class HubLogStore:
    """Decides for one hub's log which events of collectors' logs are projected from it."""

    def __init__(self, db: Database, hub_log_id: str) -> None:
        self._db = db
        self._hub = hub_log_id

    async def open(self, first_seq: int, counter: str) -> SeqRanges:
        """Begin, or go on; return which of the log's events were projected without a note, and so are its own.

        ``counter``: the projection whose position tells how far that may be. What is noted of events in front of
        ``first_seq`` is forgotten.
        """

        async def put(tx: Transaction) -> SeqRanges:
            await tx.execute(_OPEN, {"log": self._hub, "name": counter, "first": max(first_seq, 0)})
            row = tx.fetchone()
            await tx.execute(_FORGET, (self._hub, first_seq // _EVENTS_PER_PART))
            return ranges_of(row[0]) if row else SeqRanges()

        return await self._db.run("hub_logs.open", put)

    async def lock(self, tx: Transaction, wanted: Mapping[LogKey, SeqRanges]) -> dict[str, Shares]:
        """Return what of these events is projected already, by log; it stays so until the transaction ends."""
        found = await self._read(tx, wanted, f"{_LOCK} FOR UPDATE OF l")
        if len(found) < len(wanted):
            keys = [key for key in wanted if key[1] not in found]
            await tx.execute(
                _MAKE, (literals.plain(key[0] for key in keys), literals.plain(key[1] for key in keys))
            )
            found = await self._read(tx, wanted, f"{_LOCK} FOR UPDATE OF l")
        return found

    async def look(self, wanted: Mapping[LogKey, SeqRanges]) -> dict[str, Shares]:
        """Return what of these events is projected, by log, at this moment."""

        async def read(tx: Transaction) -> dict[str, Shares]:
            return await self._read(tx, wanted, _LOCK)

        return await self._db.run("hub_logs.look", read)

    async def _read(
        self, tx: Transaction, wanted: Mapping[LogKey, SeqRanges], statement: str
    ) -> dict[str, Shares]:
        logs = literals.plain(log_id for _, log_id in wanted)
        await tx.execute(statement, (self._hub, logs, literals.texts(map(_text, wanted.values()))))
        return {
            str(log): Shares(ranges_of(projected), ranges_of(own)) for log, projected, own in tx.fetchall()
        }

    async def note(self, tx: Transaction, added: Mapping[LogKey, SeqRanges], last_seq: int) -> None:
        """Note that these events are projected from this hub's log, and that it is decided up to ``last_seq``."""
        kept = {key: ranges for key, ranges in added.items() if len(ranges)}
        await tx.execute(
            _NOTE,
            (
                literals.plain(tenant_id for tenant_id, _ in kept),
                literals.plain(log_id for _, log_id in kept),
                literals.texts(map(_text, kept.values())),
                self._hub,
                last_seq // _EVENTS_PER_PART,
                last_seq,
                self._hub,
            ),
        )


def ranges_of(text: str) -> SeqRanges:
    """Return a multirange from its text, which PostgreSQL writes as ``{[1,5),[7,8)}``."""
    return SeqRanges((int(first), int(end) - 1) for first, end in _RANGE.findall(text))


def _text(ranges: SeqRanges) -> str:
    return "{" + ",".join(f"[{first},{last}]" for first, last in ranges) + "}"
