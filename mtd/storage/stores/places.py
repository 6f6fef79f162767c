"""Where devices belong: sites, and groups. Both are kept alike; a device is at one site, and in any number of groups."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtd.core.errors import AlreadyExists, Conflict, NotFound, QuotaExceeded, Refused
from mtd.storage.errors import Duplicate, StatementRejected
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_FOREIGN_KEY = "23503"
_NAMED_AT_MOST = 5
_LONGEST_NAME = 200
_LONGEST_TEXT = 20_000
_MOST_LABELS = 100
MOST = 10_000
"""Sites, or groups, of a tenant."""


@dataclass(frozen=True, slots=True)
class PlaceKind:
    """A kind of place: its table, and what people can set. ``members``: the ids of the devices in it."""

    word: str
    table: str
    key: str
    settings: tuple[str, ...]
    members: str


SITES = PlaceKind(
    "site",
    "site",
    "site_id",
    ("name", "labels", "notes", "address"),
    "SELECT d.device_id FROM device d WHERE d.tenant_id = p.tenant_id AND d.site_id = p.site_id",
)
GROUPS = PlaceKind(
    "group",
    "device_group",
    "group_id",
    ("name", "labels", "notes"),
    "SELECT m.device_id FROM device_group_member m WHERE m.tenant_id = p.tenant_id AND m.group_id = p.group_id",
)


_Body = Callable[[Transaction], Awaitable["Place"]]


class InUse(Refused):
    """It can't be removed: something needs it."""


@dataclass(frozen=True, slots=True)
class PlaceSettings:
    """What people set about a site or a group; a group has no address."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""
    address: str = ""

    def checked(self) -> PlaceSettings:
        """Return the settings. Raises Refused."""
        name = self.name.strip()
        if not name:
            raise Refused("name is empty")
        if len(name) > _LONGEST_NAME:
            raise Refused(f"name has {len(name)} characters: {_LONGEST_NAME} are allowed")
        if len(self.labels) > _MOST_LABELS:
            raise Refused(f"labels: {len(self.labels)} are too many: {_MOST_LABELS} are allowed")
        texts = (self.notes, self.address, *self.labels, *self.labels.values())
        if sum(map(len, texts)) > _LONGEST_TEXT:
            raise Refused(f"notes, address and labels may have {_LONGEST_TEXT} characters together")
        return replace(self, name=name)


@dataclass(frozen=True, slots=True)
class Place:
    """A site or a group. ``devices``: how many are in it."""

    tenant_id: str
    place_id: str
    settings: PlaceSettings
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime
    devices: int


class PlaceStore:
    """Creates, reads, changes and deletes the sites of tenants, or the groups."""

    def __init__(self, db: Database, kind: PlaceKind) -> None:
        self._db = db
        self.kind = kind
        self._select = (
            f"SELECT tenant_id, {kind.key}, revision, created_at, updated_at,"
            f" (SELECT count(*) FROM ({kind.members}) m), {', '.join(kind.settings)} FROM {kind.table} p"
            " WHERE tenant_id = %s"
        )

    async def create(self, tenant_id: str, settings: PlaceSettings) -> Place:
        """Add one. Raises AlreadyExists if its name is taken, Refused, QuotaExceeded."""
        kind, settings = self.kind, settings.checked()
        names = ", ".join(kind.settings)
        marks = ", ".join(["%s"] * len(kind.settings))

        async def insert(tx: Transaction) -> Place:
            await tx.execute(f"SELECT count(*) FROM {kind.table} WHERE tenant_id = %s", (tenant_id,))
            count = tx.fetchone()
            if count and count[0] >= MOST:
                raise QuotaExceeded(
                    f"there are {count[0]} {kind.word}s already: remove those that aren't needed"
                )
            await tx.execute(
                f"INSERT INTO {kind.table} (tenant_id, {names}) VALUES (%s, {marks}) RETURNING {kind.key}",
                (tenant_id, *self._values(settings)),
            )
            row = tx.fetchone()
            return await self._find(tx, tenant_id, str(row[0] if row else ""))

        return await self._named(settings, insert, "create", tenant_id)

    async def get(self, tenant_id: str, place: str) -> Place:
        """Return one by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> Place:
            return await self._find(tx, tenant_id, place)

        return await self._db.run(f"{self.kind.table}.get", read, tenant=tenant_id)

    async def list(self, tenant_id: str, *, after_name: str = "", limit: int = 100) -> list[Place]:
        """Return those behind a name, by name."""

        async def read(tx: Transaction) -> list[Place]:
            await tx.execute(
                f"{self._select} AND name > %s ORDER BY name LIMIT %s", (tenant_id, after_name, limit)
            )
            return list(map(self._place_of, tx.fetchall()))

        return await self._db.run(f"{self.kind.table}.list", read, tenant=tenant_id)

    async def update(
        self, tenant_id: str, place: str, settings: PlaceSettings, mask: Sequence[str], revision: int = 0
    ) -> Place:
        """Change what the mask names.

        Raises NotFound, Refused, AlreadyExists (the new name), and Conflict if it was changed since ``revision``.
        """
        kind = self.kind
        unknown = sorted(set(mask) - set(kind.settings))
        if unknown:
            raise Refused(f"the mask names {', '.join(unknown)}; there are {', '.join(kind.settings)}")

        async def change(tx: Transaction) -> Place:
            before = await self._find(tx, tenant_id, place, lock=True)
            if revision and before.revision != revision:
                raise Conflict(f"{kind.word} {place!r} is at revision {before.revision}, not {revision}")
            changed = replace(before.settings, **{name: getattr(settings, name) for name in mask}).checked()
            pairs = ", ".join(f"{name} = %s" for name in kind.settings)
            await tx.execute(
                f"UPDATE {kind.table} SET {pairs}, revision = revision + 1, updated_at = now()"
                f" WHERE tenant_id = %s AND {kind.key} = %s",
                (*self._values(changed), tenant_id, before.place_id),
            )
            return await self._find(tx, tenant_id, before.place_id)

        return await self._named(settings, change, "update", tenant_id)

    async def delete(self, tenant_id: str, place: str) -> None:
        """Remove one. Raises NotFound, and InUse, with the names of some, while devices are in it."""
        kind = self.kind

        async def remove(tx: Transaction) -> None:
            found = await self._find(tx, tenant_id, place, lock=True)
            if found.devices:
                raise await self._in_use(tx, found)
            await tx.execute(
                f"DELETE FROM {kind.table} WHERE tenant_id = %s AND {kind.key} = %s",
                (tenant_id, found.place_id),
            )

        try:
            await self._db.run(f"{kind.table}.delete", remove, tenant=tenant_id)
        except StatementRejected as error:
            if error.sqlstate != _FOREIGN_KEY:
                raise
            raise InUse(f"{kind.word} {place!r} got a device in this moment") from None

    async def _named(self, settings: PlaceSettings, body: _Body, what: str, tenant_id: str) -> Place:
        try:
            return await self._db.run(f"{self.kind.table}.{what}", body, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a {self.kind.word} {settings.name.strip()!r} already") from None

    async def _find(self, tx: Transaction, tenant_id: str, place: str, *, lock: bool = False) -> Place:
        # A name may look like an id, so the id goes first.
        await tx.execute(
            f"{self._select} AND ({self.kind.key}::text = %s OR name = %s) ORDER BY {self.kind.key}::text = %s DESC"
            f" LIMIT 1{' FOR UPDATE OF p' if lock else ''}",
            (tenant_id, place, place, place),
        )
        row = tx.fetchone()
        if row is None:
            raise NotFound(f"there is no {self.kind.word} {place!r}")
        return self._place_of(row)

    async def _in_use(self, tx: Transaction, found: Place) -> InUse:
        kind = self.kind
        await tx.execute(
            f"SELECT d.name FROM {kind.table} p JOIN device d ON d.tenant_id = p.tenant_id AND d.device_id IN"
            f" ({kind.members}) WHERE p.tenant_id = %s AND p.{kind.key} = %s ORDER BY d.name LIMIT {_NAMED_AT_MOST}",
            (found.tenant_id, found.place_id),
        )
        names = ", ".join(str(name) for (name,) in tx.fetchall())
        more = f" and {found.devices - _NAMED_AT_MOST} more" if found.devices > _NAMED_AT_MOST else ""
        return InUse(
            f"{kind.word} {found.settings.name!r} has {found.devices} device(s): {names}{more}; move them first"
        )

    def _values(self, settings: PlaceSettings) -> Sequence[object]:
        values = {name: getattr(settings, name) for name in self.kind.settings}
        values["labels"] = json.dumps(dict(settings.labels))
        return tuple(values.values())

    def _place_of(self, row: Row) -> Place:
        tenant_id, place_id, revision, created_at, updated_at, devices, *values = row
        settings = PlaceSettings(**dict(zip(self.kind.settings, values, strict=True)))
        return Place(tenant_id, place_id, settings, revision, created_at, updated_at, devices)


async def place_id(tx: Transaction, tenant_id: str, kind: PlaceKind, place: str) -> str:
    """Return the id of one by its name or id. Raises NotFound."""
    await tx.execute(
        f"SELECT {kind.key} FROM {kind.table} WHERE tenant_id = %s AND ({kind.key}::text = %s OR name = %s)"
        f" ORDER BY {kind.key}::text = %s DESC LIMIT 1",
        (tenant_id, place, place, place),
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no {kind.word} {place!r}")
    return str(row[0])
