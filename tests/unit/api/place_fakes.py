"""Sites and groups in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from mtd.core.errors import AlreadyExists, Conflict, NotFound
from mtd.storage.stores.places import InUse, Place, PlaceSettings

THEN = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)


class FakePlaces:
    """One kind of place, of all tenants. ``used``: the names of those that have devices."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Place] = {}
        self.used: set[str] = set()

    async def create(self, tenant_id: str, settings: PlaceSettings) -> Place:
        settings = settings.checked()
        if (tenant_id, settings.name) in self.known:
            raise AlreadyExists(f"there is a place {settings.name!r} already")
        number = len(self.known) + 1
        made = Place(tenant_id, f"00000000-0000-4000-a000-{number:012}", settings, 1, THEN, THEN, 0)
        self.known[tenant_id, settings.name] = made
        return made

    async def get(self, tenant_id: str, place: str) -> Place:
        for (owner, name), found in self.known.items():
            if owner == tenant_id and place in (name, found.place_id):
                return found
        raise NotFound(f"there is no place {place!r}")

    async def list(self, tenant_id: str, *, after_name: str = "", limit: int = 100) -> list[Place]:
        names = sorted(name for owner, name in self.known if owner == tenant_id and name > after_name)
        return [self.known[tenant_id, name] for name in names[:limit]]

    async def update(
        self, tenant_id: str, place: str, settings: PlaceSettings, mask: Sequence[str], revision: int = 0
    ) -> Place:
        before = await self.get(tenant_id, place)
        if revision and revision != before.revision:
            raise Conflict("it was changed")
        changed = replace(before.settings, **{name: getattr(settings, name) for name in mask}).checked()
        del self.known[tenant_id, before.settings.name]
        after = replace(before, settings=changed, revision=before.revision + 1)
        self.known[tenant_id, changed.name] = after
        return after

    async def delete(self, tenant_id: str, place: str) -> None:
        found = await self.get(tenant_id, place)
        if found.settings.name in self.used:
            raise InUse(f"place {place!r} has 1 device(s): core-1; move them first")
        del self.known[tenant_id, found.settings.name]
