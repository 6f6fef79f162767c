"""Sites and groups of devices, and requests done once, as doors work: behind the walls."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import psycopg2
import pytest

from mtd.core.errors import AlreadyExists, Conflict, NotFound, QuotaExceeded, Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.devices import DeviceQueries
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.pool import Database
from mtd.storage.stores import places as places_module
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from mtd.storage.stores.places import GROUPS, SITES, InUse, PlaceKind, PlaceSettings, PlaceStore
from mtd.storage.stores.requests import StoredRequests, prune_requests
from mtd.testing import run_async

MINE = DEFAULT_TENANT_ID
OTHER = "00000000-0000-4000-8000-0000000000ff"
DEVICE = DeviceSettings(name="core-1", host="192.0.2.1", username="u")


class Doors:
    """What doors have of the inventory."""

    def __init__(self, dsn: str) -> None:
        self.db = Database.for_queries(dsn)
        self.sites, self.groups = PlaceStore(self.db, SITES), PlaceStore(self.db, GROUPS)
        self.devices = DeviceStore(self.db, Vault([MasterKey.of(bytes(32))]).sealer)
        self.views = DeviceQueries(self.db)
        self.requests = StoredRequests(self.db)


def with_doors(dsn: str, body: Callable[[Doors], Awaitable[None]]) -> None:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO mtd.tenant (tenant_id, name) VALUES (%s, 'other')", (OTHER,))
    connection.close()

    async def main() -> None:
        doors = Doors(dsn)
        await doors.db.start()
        try:
            await body(doors)
        finally:
            await doors.db.stop()

    run_async(main())


@pytest.mark.parametrize("kind", [SITES, GROUPS], ids=lambda kind: kind.word)
def test_places_are_kept_by_tenant(postgres_dsn: str, kind: PlaceKind) -> None:
    async def body(doors: Doors) -> None:
        store = PlaceStore(doors.db, kind)
        made = await store.create(MINE, PlaceSettings(" graz ", {"a": "ж"}, "n"))
        assert (made.settings, made.revision, made.devices) == (PlaceSettings("graz", {"a": "ж"}, "n"), 1, 0)
        assert await store.get(MINE, "graz") == await store.get(MINE, made.place_id) == made
        with pytest.raises(AlreadyExists, match="'graz' already"):
            await store.create(MINE, PlaceSettings("graz"))
        theirs = await store.create(OTHER, PlaceSettings("graz"))  # another's name is free
        for place in (theirs.place_id, "missing"):
            for refused in (store.get(MINE, place), store.delete(MINE, place)):
                with pytest.raises(NotFound, match=f"there is no {kind.word} '{place}'"):
                    await refused
        assert [one.place_id for one in await store.list(OTHER)] == [theirs.place_id]
        for number in range(3):
            await store.create(MINE, PlaceSettings(f"p{number}"))
        page = await store.list(MINE, after_name="graz", limit=2)
        assert [one.settings.name for one in page] == ["p0", "p1"]

    with_doors(postgres_dsn, body)


@pytest.mark.parametrize("kind", [SITES, GROUPS], ids=lambda kind: kind.word)
def test_places_are_changed_by_mask_and_revision(postgres_dsn: str, kind: PlaceKind) -> None:
    async def body(doors: Doors) -> None:
        store = PlaceStore(doors.db, kind)
        await store.create(MINE, PlaceSettings("graz", {"a": "1"}, "n"))
        await store.create(MINE, PlaceSettings("wien"))
        new = PlaceSettings("graz-1", {"b": "2"}, "m")
        changed = await store.update(MINE, "graz", new, ["name", "notes"], 1)
        assert (changed.settings, changed.revision) == (PlaceSettings("graz-1", {"a": "1"}, "m"), 2)
        with pytest.raises(Conflict, match="at revision 2, not 1"):
            await store.update(MINE, "graz-1", new, ["notes"], 1)
        with pytest.raises(AlreadyExists):
            await store.update(MINE, "wien", new, ["name"])
        with pytest.raises(Refused, match="the mask names colour"):
            await store.update(MINE, "wien", new, ["colour"])
        with pytest.raises(Refused, match="name is empty"):
            await store.update(MINE, "wien", PlaceSettings(" "), ["name"])
        await store.delete(MINE, "wien")
        assert [one.settings.name for one in await store.list(MINE)] == ["graz-1"]

    with_doors(postgres_dsn, body)


def test_there_is_an_end_to_places(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_module, "MOST", 2)

    async def body(doors: Doors) -> None:
        for name in ("a", "b"):
            await doors.sites.create(MINE, PlaceSettings(name))
        with pytest.raises(QuotaExceeded, match="2 sites already"):
            await doors.sites.create(MINE, PlaceSettings("c"))
        await doors.sites.create(OTHER, PlaceSettings("c"))
        for wrong in (
            PlaceSettings("x" * 201),
            PlaceSettings("x", notes="n" * 20_001),
            PlaceSettings("x", {str(number): "" for number in range(101)}),
        ):
            with pytest.raises(Refused):
                await doors.groups.create(MINE, wrong)

    with_doors(postgres_dsn, body)


def test_devices_stand_at_sites_and_are_in_groups(postgres_dsn: str) -> None:
    async def body(doors: Doors) -> None:
        site = await doors.sites.create(MINE, PlaceSettings("graz"))
        core = await doors.groups.create(MINE, PlaceSettings("core"))
        await doors.groups.create(MINE, PlaceSettings("noc"))
        at = replace(DEVICE, site=site.place_id, groups=("noc", core.place_id))
        made = await doors.devices.create(at, "pw", MINE)
        await doors.devices.create(replace(DEVICE, name="edge-1"), "pw", MINE)
        view = await doors.views.get("core-1", MINE)
        assert (view.settings.site, view.settings.groups) == ("graz", ("core", "noc"))
        for where in ({"site": "graz"}, {"group": "noc"}, {"site": site.place_id, "group": "core"}):
            (found,) = await doors.views.list(MINE, **where)
            assert found.settings.name == "core-1"
        with pytest.raises(NotFound, match="there is no site 'wels'"):
            await doors.views.list(MINE, site="wels")
        with pytest.raises(InUse, match=r"site 'graz' has 1 device\(s\): core-1; move them first"):
            await doors.sites.delete(MINE, "graz")
        with pytest.raises(InUse, match="group 'core' has 1"):
            await doors.groups.delete(MINE, "core")
        assert (await doors.sites.get(MINE, "graz")).devices == 1
        # What the mask doesn't name stays; what it names is replaced.
        await doors.devices.update("core-1", replace(DEVICE, notes="x"), ["notes"], tenant_id=MINE)
        assert (await doors.views.get("core-1", MINE)).settings.site == "graz"
        await doors.devices.update("core-1", replace(DEVICE, groups=("noc",)), ["groups"], tenant_id=MINE)
        await doors.devices.update("core-1", DEVICE, ["site"], tenant_id=MINE)
        view = await doors.views.get("core-1", MINE)
        assert (view.settings.site, view.settings.groups, view.settings.notes) == ("", ("noc",), "x")
        await doors.sites.delete(MINE, "graz")
        await doors.devices.delete(made.device_id, MINE)
        await doors.groups.delete(MINE, "noc")

    with_doors(postgres_dsn, body)


def test_places_of_another_tenant_are_not_there(postgres_dsn: str) -> None:
    async def body(doors: Doors) -> None:
        site = await doors.sites.create(OTHER, PlaceSettings("graz"))
        group = await doors.groups.create(OTHER, PlaceSettings("core"))
        for name in ("graz", site.place_id, "never"):
            with pytest.raises(Refused, match=f"site: there is no site '{name}'; make it first"):
                await doors.devices.create(replace(DEVICE, site=name), "pw", MINE)
        for name in ("core", group.place_id):
            with pytest.raises(Refused, match=f"groups: there is no group '{name}'"):
                await doors.devices.create(replace(DEVICE, groups=(name,)), "pw", MINE)
        assert await doors.views.list(MINE) == []  # nothing of it was stored

    with_doors(postgres_dsn, body)


def test_a_request_is_claimed_once(postgres_dsn: str) -> None:
    async def body(doors: Doors) -> None:
        key = str(uuid.uuid4())
        store = doors.requests
        assert await store.claim(MINE, key, "Create", b"d") is None
        under_way = await store.claim(MINE, key, "Create", b"d")
        assert under_way is not None
        assert not under_way.done
        assert await store.claim(OTHER, key, "Create", b"d") is None  # ids are of tenants
        await store.keep(MINE, key, b"answer")
        done = await store.claim(MINE, key, "Create", b"other")
        assert done is not None
        assert (done.method, done.digest, done.done, done.answer) == ("Create", b"d", True, b"answer")
        await store.release(MINE, key)  # what was done isn't given back
        assert await store.claim(MINE, key, "Create", b"d") == done
        await store.release(OTHER, key)
        assert await store.claim(OTHER, key, "Create", b"d") is None

    with_doors(postgres_dsn, body)


def test_requests_leave_after_a_day_and_abandoned_ones_sooner(postgres_dsn: str) -> None:
    keys = [str(uuid.uuid4()) for _ in range(3)]

    async def body(doors: Doors) -> None:
        for key in keys:
            await doors.requests.claim(MINE, key, "Create", b"d")
        await doors.requests.keep(MINE, keys[0], None)
        await doors.requests.keep(MINE, keys[1], None)
        with psycopg2.connect(postgres_dsn) as connection, connection.cursor() as cursor:
            age = "UPDATE mtd.api_request SET claimed_at = now() - %s::interval WHERE request_id = %s"
            for key, interval in zip(keys, ("25 hours", "23 hours", "11 minutes"), strict=True):
                cursor.execute(age, (interval, key))
        connection.close()
        found = [await doors.requests.claim(MINE, key, "Create", b"d") for key in keys]
        assert [one is None for one in found] == [True, False, True]
        # Those of tenants that do nothing are removed by the writer.
        await doors.requests.claim(OTHER, keys[0], "Create", b"d")
        with psycopg2.connect(postgres_dsn) as connection, connection.cursor() as cursor:
            cursor.execute(age.replace("request_id", "tenant_id"), ("25 hours", OTHER))
        connection.close()
        writer = Database.for_writing(postgres_dsn)
        await writer.start()
        try:
            assert await prune_requests(writer) == 1
            assert await prune_requests(writer) == 0
        finally:
            await writer.stop()

    with_doors(postgres_dsn, body)
