"""Which collector polls which device. ``writer``: a pool that sees all tenants.

Whatever changes an assignment locks the row of `coordination` and gives it a new revision: the coordinator decides
by what it read at a revision, and writes only if that is still the newest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mtd.core.errors import Conflict, LeaseLost
from mtd.model.assignment import CollectorFacts
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.stores.memberships import CHANNEL, MEMBER_COLUMNS, MemberRow, member_of, refuse_superseded
from mtd.storage.txn import Transaction

ASSIGNED, RELEASING, FREE = "assigned", "releasing", "free"
LEASE, EXCLUSIVE, WITHDRAWN = "lease", "exclusive", "withdrawn"


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """Who polls a device, or did: see the table ``device_assignment``."""

    tenant_id: str
    device_id: str
    slot: int
    collector_id: str
    epoch: int
    granted_epoch: int
    state: str
    hold: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlacedDevice:
    """What of a device decides who polls it. ``pin``: the collector that it is pinned to, or empty."""

    tenant_id: str
    device_id: str
    site_id: str
    pin: str
    redundancy: int


@dataclass(frozen=True, slots=True)
class SettingRow:
    """What operators say about a collector."""

    collector_id: str
    draining: bool = False
    weight: float = 1.0
    sites_only: bool = False
    canary_percent: int | None = None
    canary_group_id: str = ""
    sites: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """All by which it is decided who polls what, as of a revision. ``groups``: devices of canary groups."""

    revision: int
    devices: Sequence[PlacedDevice]
    members: Mapping[str, MemberRow]
    settings: Mapping[str, SettingRow]
    groups: Mapping[str, frozenset[str]]
    disabled: frozenset[str]  # collectors that are shut out
    rows: Sequence[AssignmentRow]


_ROWS_AT_ONCE = 500
_ROW = "tenant_id::text, device_id::text, slot, collector_id, epoch, granted_epoch, state, hold, reason"
_UPSERT = """
INSERT INTO device_assignment AS a
    (tenant_id, device_id, slot, collector_id, epoch, granted_epoch, state, hold, reason, revision)
SELECT t.tenant_id, t.device_id, t.slot, t.collector_id, t.epoch, t.granted_epoch, t.state, t.hold, t.reason, %s
  FROM unnest(%s::uuid[], %s::uuid[], %s::int2[], %s::text[], %s::int8[], %s::int8[], %s::text[], %s::text[], %s::text[])
       AS t (tenant_id, device_id, slot, collector_id, epoch, granted_epoch, state, hold, reason)
  JOIN device d USING (tenant_id, device_id)
ON CONFLICT (tenant_id, device_id, slot) DO UPDATE SET
    collector_id = excluded.collector_id, epoch = excluded.epoch, granted_epoch = excluded.granted_epoch,
    state = excluded.state, hold = excluded.hold, reason = excluded.reason, revision = excluded.revision,
    since = CASE WHEN a.granted_epoch = excluded.granted_epoch THEN a.since ELSE clock_timestamp() END
"""


class AssignmentStore:
    """Assignments, as collectors ask for them and as the coordinator makes them."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    # -- of a collector --------------------------------------------------------

    async def of_collector(self, facts: CollectorFacts) -> tuple[int, Sequence[AssignmentRow]]:
        """Return what a collector is to poll, or to let go, and of which revision that is. Raises Superseded."""

        async def read(tx: Transaction) -> tuple[int, Sequence[AssignmentRow]]:
            await refuse_superseded(tx, facts)
            # One statement: the rows are those of the revision.
            await tx.execute(
                "SELECT c.revision, a.* FROM coordination c LEFT JOIN LATERAL"
                f" (SELECT {_ROW} FROM device_assignment WHERE collector_id = %s AND state <> 'free') a ON true",
                [facts.collector_id],
            )
            rows = tx.fetchall()
            return rows[0][0], [AssignmentRow(*row) for _, *row in rows if row[0] is not None]

        return await self._writer.run("assignments.of_collector", read)

    async def applied(self, facts: CollectorFacts, revision: int) -> None:
        """Note that a collector acts by a revision: what is withdrawn in it is polled under the lease. Raises Superseded."""

        async def change(tx: Transaction) -> None:
            await refuse_superseded(tx, facts)
            await tx.execute(
                "SELECT EXISTS (SELECT FROM device_assignment WHERE collector_id = %s AND hold = 'withdrawn')",
                [facts.collector_id],
            )
            if tx.fetchall() == [(False,)]:
                return  # as nearly always: nobody has to wait for a lock
            await _lock(tx)
            await tx.execute(
                "UPDATE device_assignment SET hold = 'lease' WHERE collector_id = %s AND hold = 'withdrawn'"
                " AND revision <= %s",
                [facts.collector_id, revision],
            )
            if tx.rowcount:
                await _changed(tx, "plan")

        await self._writer.run("assignments.applied", change)

    async def released(self, facts: CollectorFacts, epochs: Mapping[str, int]) -> None:
        """Note that a collector polls devices no more, as far as it was told to let them go. Raises Superseded."""
        devices, known = list(epochs), list(epochs.values())

        async def change(tx: Transaction) -> None:
            await _lock(tx)
            await refuse_superseded(tx, facts)
            await tx.execute(
                "UPDATE device_assignment a SET state = 'free', hold = 'lease'"
                " FROM unnest(%s::uuid[], %s::int8[]) AS t (device_id, epoch)"
                " WHERE a.device_id = t.device_id AND a.collector_id = %s AND a.state = 'releasing'"
                " AND a.granted_epoch <= t.epoch",
                [literals.plain(devices), literals.plain(known), facts.collector_id],
            )
            if tx.rowcount:
                await _changed(tx, "plan")

        await self._writer.run("assignments.released", change)

    # -- of the coordinator ----------------------------------------------------

    async def begin_term(self, coordinator: str, deadline_s: float | None = None) -> int:
        """Make this the coordinator, and older ones write nothing any more; return its term.

        Raises StorageUnavailable if that isn't done within ``deadline_s``, or the deadline of all transactions.
        """

        async def change(tx: Transaction) -> int:
            await tx.execute(
                "UPDATE coordination SET term = term + 1, coordinator = %s, changed_at = clock_timestamp()"
                " RETURNING term",
                [coordinator],
            )
            [(term,)] = tx.fetchall()
            return int(term)

        return await self._writer.run("assignments.begin_term", change, deadline_s=deadline_s)

    async def picture(self) -> Picture:
        """Return all by which it is decided who polls what."""

        async def read(tx: Transaction) -> Picture:
            await tx.execute("SELECT revision FROM coordination")
            [(revision,)] = tx.fetchall()
            await tx.execute(
                "SELECT d.tenant_id::text, d.device_id::text, coalesce(d.site_id::text, ''), d.collector,"
                " coalesce(d.redundancy, s.redundancy, 1) FROM device d LEFT JOIN site s USING (tenant_id, site_id)"
            )
            devices = [PlacedDevice(*row) for row in tx.fetchall()]
            await tx.execute(f"SELECT {MEMBER_COLUMNS} FROM collector_membership m")
            members = {one.collector_id: one for one in map(member_of, tx.fetchall())}
            settings = await read_settings(tx)
            await tx.execute(
                "SELECT g.group_id::text, array_agg(g.device_id::text) FROM device_group_member g WHERE g.group_id IN"
                " (SELECT canary_group_id FROM collector_setting WHERE canary_group_id IS NOT NULL) GROUP BY 1"
            )
            groups = {group: frozenset(found) for group, found in tx.fetchall()}
            await tx.execute("SELECT collector_id::text FROM collector WHERE state = 'disabled'")
            disabled = frozenset(row[0] for row in tx.fetchall())
            await tx.execute(f"SELECT {_ROW} FROM device_assignment")
            rows = [AssignmentRow(*row) for row in tx.fetchall()]
            return Picture(revision, devices, members, settings, groups, disabled, rows)

        return await self._writer.run("assignments.picture", read)

    async def commit(
        self, term: int, picture: Picture, changes: Sequence[AssignmentRow], gone: Collection[str]
    ) -> None:
        """Write down what was decided by a picture. ``gone``: collectors that are offline from now on.

        Raises Conflict if anything changed since: look again. Raises LeaseLost if there is another coordinator.
        """

        async def change(tx: Transaction) -> None:
            await tx.execute("SELECT term, revision FROM coordination FOR UPDATE")
            [(newest, revision)] = tx.fetchall()
            if newest != term:
                raise LeaseLost("there is another coordinator")
            if revision != picture.revision:
                raise Conflict("assignments changed meanwhile")
            # Who joined meanwhile isn't gone; who joins from here on sees what is written here.
            await tx.execute("SELECT collector_id, term, state FROM collector_membership FOR UPDATE")
            members = {key: (known, state) for key, known, state in tx.fetchall()}
            if members != {one.collector_id: (one.term, one.state) for one in picture.members.values()}:
                raise Conflict("a collector joined or left meanwhile")
            if gone:
                await tx.execute(
                    "UPDATE collector_membership SET state = 'offline', changed_at = clock_timestamp()"
                    " WHERE collector_id = ANY (%s)",
                    [list(gone)],
                )
            if changes:
                await _changed(tx, "assigned")
                for first in range(0, len(changes), _ROWS_AT_ONCE):
                    some = changes[first : first + _ROWS_AT_ONCE]
                    columns = zip(*[_values(row) for row in some], strict=True)
                    await tx.execute(_UPSERT, [revision + 1, *[literals.texts(column) for column in columns]])

        await self._writer.run("assignments.commit", change)

    async def release_all(self, collector_id: str) -> int:
        """Let others have the devices that a collector polls without a lease, though it isn't heard of; return how many.

        Nothing happens if it is heard of again.
        """

        async def change(tx: Transaction) -> int:
            await _lock(tx)
            await tx.execute(
                "UPDATE device_assignment SET hold = 'lease', reason = 'operator' WHERE collector_id = %s"
                " AND hold <> 'lease' AND NOT EXISTS"
                # One that came back meanwhile would poll them on, and others as well.
                " (SELECT FROM collector_membership m WHERE m.collector_id = %s AND m.state = 'online')",
                [collector_id, collector_id],
            )
            count = tx.rowcount
            if count:
                await _changed(tx, "plan")
            return count

        return await self._writer.run("assignments.release_all", change)


async def read_settings(tx: Transaction) -> dict[str, SettingRow]:
    """Return what operators said about collectors, by collector."""
    await tx.execute(
        "SELECT coalesce(s.collector_id, t.collector_id), coalesce(s.draining, false), coalesce(s.weight, 1),"
        " coalesce(s.sites_only, false), s.canary_percent, coalesce(s.canary_group_id::text, ''),"
        " coalesce(t.sites, '{}') FROM collector_setting s FULL JOIN"
        " (SELECT collector_id, array_agg(site_id::text) AS sites FROM collector_site GROUP BY 1) t USING (collector_id)"
    )
    found = {}
    for *columns, sites in tx.fetchall():
        columns.append(frozenset(sites))
        found[columns[0]] = SettingRow(*columns)
    return found


async def _lock(tx: Transaction) -> None:
    await tx.execute("SELECT 1 FROM coordination FOR UPDATE")


async def _changed(tx: Transaction, who: str) -> None:
    await tx.execute(
        "UPDATE coordination SET revision = revision + 1, changed_at = clock_timestamp();"
        " SELECT pg_notify(%s, %s)",
        [CHANNEL, who],
    )


def _values(row: AssignmentRow) -> tuple[str, ...]:
    return (
        *(row.tenant_id, row.device_id, str(row.slot), row.collector_id),
        *(str(row.epoch), str(row.granted_epoch), row.state, row.hold, row.reason),
    )
