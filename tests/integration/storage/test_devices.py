from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from mtd.core.errors import AlreadyExists, Conflict, NotFound, Refused
from mtd.model.device import (
    InterfaceNaming,
    RestSettings,
    SnmpAuth,
    SnmpPriv,
    SnmpSettings,
    SnmpVersion,
    TlsMode,
    Way,
)
from mtd.model.metric import Tier
from mtd.model.selection import T0Settings
from mtd.security.keyfile import MasterKey
from mtd.security.vault import Vault
from mtd.storage.metrics import DEVICES_UNREADABLE
from mtd.storage.pool import Database
from mtd.storage.stores.device_settings import DeviceSettings, Secret
from mtd.storage.stores.devices import DeviceStore, has_secrets
from mtd.storage.stores.polled import InventorySnapshot, PolledDevices
from mtd.testing import run_async

PASSWORD = "correct horse battery"
OTHER_TENANT = "00000000-0000-4000-8000-0000000000ff"
SETTINGS = DeviceSettings(
    name="core-1",
    host="192.0.2.1",
    username="mtd",
    tls_mode=TlsMode.PINNED,
    tls_fingerprint="ab" * 32,
    naming=InterfaceNaming.BOTH,
    intervals_s={Tier.T0: 2.0},
    labels={"role": "core", "кто": "это"},
    notes="second rack",
    t0=T0Settings(interfaces="all", metrics=150, pins=("ether1", "*A")),
)


class Store(DeviceStore):
    """Both halves: what doors do, and what the collector reads."""

    def __init__(self, db: Database, vault: Vault) -> None:
        super().__init__(db, vault.sealer)
        polled = PolledDevices(db, vault.opener)
        self.password, self.polled = polled.password, polled.polled
        self.snapshot, self.watch = polled.snapshot, polled.watch


def vault() -> Vault:
    return Vault([MasterKey.of(bytes(32))])


def with_store(dsn: str, body: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        db = Database(dsn)
        await db.start()
        try:
            await body(Store(db, vault()))
        finally:
            await db.stop()

    run_async(main())


def test_what_was_put_in_comes_out(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        created = await store.create(SETTINGS, PASSWORD)
        assert created.settings == replace(SETTINGS, port=8729)
        assert created.revision == 1
        assert await store.get("core-1") == created
        assert await store.get(created.device_id) == created
        assert await store.password("core-1") == PASSWORD
        (polled,) = (await store.snapshot()).devices
        assert (polled.device_id, polled.password, polled.port) == (created.device_id, PASSWORD, 8729)
        assert polled.intervals_s == {Tier.T0: 2.0}
        assert polled.t0 == SETTINGS.t0
        assert polled.connect_timeout_s > 0  # 0 means the default
        assert PASSWORD not in repr(polled) + repr(created)

    with_store(postgres_dsn, body)


def test_no_password_in_the_database(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)

    with_store(postgres_dsn, body)
    connection = psycopg2.connect(postgres_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM mtd.device_credential")
        ((secret,),) = cursor.fetchall()
        cursor.execute("SELECT row_to_json(d)::text FROM mtd.device d")
        ((device,),) = cursor.fetchall()
    connection.close()
    assert PASSWORD.encode() not in bytes(secret)
    assert PASSWORD not in device


def test_an_update_changes_what_the_mask_names(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        created = await store.create(SETTINGS, PASSWORD)
        other = DeviceSettings(name="core-2", host="192.0.2.2", username="x", enabled=False)
        changed = await store.update("core-1", other, ["host", "enabled"], revision=created.revision)
        assert changed.settings == replace(created.settings, host="192.0.2.2", enabled=False)
        assert changed.revision == 2
        assert await store.password("core-1") == PASSWORD
        await store.update("core-1", other, [], password="new")
        assert await store.password("core-1") == "new"
        with pytest.raises(Conflict, match="at revision 3, not 1"):
            await store.update("core-1", other, ["host"], revision=1)
        with pytest.raises(Refused, match="not settings of a device: device_id"):
            await store.update("core-1", other, ["device_id"])

    with_store(postgres_dsn, body)


def test_the_port_follows_the_transport_until_someone_chooses_it(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        clear = replace(SETTINGS, tls_mode=TlsMode.OFF)
        await store.create(SETTINGS, PASSWORD)
        assert (await store.update("core-1", clear, ["tls_mode"])).settings.port == 8728
        assert (await store.update("core-1", replace(clear, port=9000), ["port"])).settings.port == 9000
        assert (await store.update("core-1", SETTINGS, ["tls_mode"])).settings.port == 9000

    with_store(postgres_dsn, body)


def test_names_are_unique(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)
        await store.create(replace(SETTINGS, name="core-2"), PASSWORD)
        with pytest.raises(AlreadyExists, match="core-1"):
            await store.create(SETTINGS, PASSWORD)
        with pytest.raises(AlreadyExists, match="core-1"):
            await store.update("core-2", SETTINGS, ["name"])

    with_store(postgres_dsn, body)


def test_pages_in_the_order_of_names(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        for number in (3, 1, 2):
            await store.create(replace(SETTINGS, name=f"r{number}"), PASSWORD)
        first = await store.list(limit=2)
        assert [record.settings.name for record in first] == ["r1", "r2"]
        rest = await store.list(after_name="r2", limit=2)
        assert [record.settings.name for record in rest] == ["r3"]

    with_store(postgres_dsn, body)


def test_gone_is_gone(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)
        await store.delete("core-1")
        for use in (store.get, store.password, store.delete):
            with pytest.raises(NotFound, match="core-1"):
                await use("core-1")
        assert await store.snapshot() == InventorySnapshot([], [])

    with_store(postgres_dsn, body)


def test_settings_that_make_no_sense_name_all_that_is_wrong(postgres_dsn: str) -> None:
    wrong = DeviceSettings(
        name=" ",
        host="",
        username="",
        port=70000,
        tls_mode=TlsMode.PINNED,
        code_page="klingon",
        command_timeout_s=-1,
        intervals_s={Tier.T1: 0.0},
    )

    async def body(store: Store) -> None:
        with pytest.raises(Refused) as refused:
            await store.create(wrong, PASSWORD)
        for part in ("name", "host", "port 70000", "tls_fingerprint", "timeout", "t1", "klingon"):
            assert part in str(refused.value)

    with_store(postgres_dsn, body)


def test_a_password_that_cannot_be_read_costs_only_its_own_device(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)
        await asyncio.to_thread(
            query, postgres_dsn, f"INSERT INTO tenant (tenant_id, name) VALUES ('{OTHER_TENANT}', 'other')"
        )
        await store.create(replace(SETTINGS, name="core-2"), PASSWORD, OTHER_TENANT)
        await asyncio.to_thread(
            query,
            postgres_dsn,
            f"UPDATE tenant_data_key SET master_key_id = 'lost' WHERE tenant_id = '{OTHER_TENANT}'",
        )
        store = Store(store._db, vault())  # one that has unwrapped no key yet
        found = await store.snapshot()
        assert [device.name for device in found.devices] == ["core-1"]
        assert [(one.name, "master key" in one.reason) for one in found.unreadable] == [("core-2", True)]

    with_store(postgres_dsn, body)


def test_watchers_hear_of_every_kind_of_change(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        changes = store.watch()

        async def changed() -> None:
            async with asyncio.timeout(5):
                await anext(changes)

        await changed()  # the first look
        await store.create(SETTINGS, PASSWORD)
        await changed()
        await store.update("core-1", replace(SETTINGS, host="192.0.2.9"), ["host"])
        await changed()
        await store.update("core-1", SETTINGS, [], password="new")
        await changed()
        await store.delete("core-1")
        await changed()
        await changes.aclose()

    with_store(postgres_dsn, body)


def query(dsn: str, statement: str) -> Any:
    connection = psycopg2.connect(dsn, options="-c search_path=mtd")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_a_watch_that_ends_gives_its_connection_back(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        for _ in range(3):
            changes = store.watch()
            async with aclosing(changes):
                await anext(changes)
                assert await asyncio.to_thread(query, postgres_dsn, listening) == [(1,)]
        async with asyncio.timeout(5):
            while await asyncio.to_thread(query, postgres_dsn, listening) != [(0,)]:
                await asyncio.sleep(0.02)

    with_store(postgres_dsn, body)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tls_mode", "bogus"),
        ("naming", "Name"),
        ("intervals_s", "[]"),
        ("intervals_s", '{"t9": 1}'),
        ("intervals_s", '{"t0": "soon"}'),
        ("intervals_s", '{"t0": 0}'),
        ("labels", '{"a": 1}'),
    ],
)
def test_rows_that_make_no_sense_are_refused(postgres_dsn: str, column: str, value: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)

    with_store(postgres_dsn, body)
    with pytest.raises(psycopg2.errors.CheckViolation):
        query(postgres_dsn, f"UPDATE device SET {column} = '{value}'")


def test_an_odd_row_costs_only_its_own_device(postgres_dsn: str) -> None:
    query(postgres_dsn, "ALTER TABLE device DROP CONSTRAINT device_naming_check")

    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)
        await store.create(replace(SETTINGS, name="core-2"), PASSWORD)
        assert len((await store.snapshot()).devices) == 2
        await asyncio.to_thread(
            query, postgres_dsn, "UPDATE device SET naming = 'Name' WHERE name = 'core-2'"
        )
        before = DEVICES_UNREADABLE.labels(what="row")._value.get()
        found = await store.snapshot()
        assert [device.name for device in found.devices] == ["core-1"]
        assert [(one.name, "'Name'" in one.reason) for one in found.unreadable] == [("core-2", True)]
        assert DEVICES_UNREADABLE.labels(what="row")._value.get() == before + 1

    with_store(postgres_dsn, body)


def test_what_others_write_counts_without_a_new_revision(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SETTINGS, PASSWORD)
        await store.snapshot()
        await asyncio.to_thread(query, postgres_dsn, "UPDATE device SET host = '192.0.2.99'")
        assert [device.host for device in (await store.snapshot()).devices] == ["192.0.2.99"]

    with_store(postgres_dsn, body)


def test_whether_there_are_secrets(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        assert not await has_secrets(store._db)
        await store.create(SETTINGS, PASSWORD)
        assert await has_secrets(store._db)

    with_store(postgres_dsn, body)


def test_a_name_that_no_text_can_be_is_refused(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        for name in ("a\0b", "\ud800"):
            with pytest.raises(Refused):
                await store.get(name)
            with pytest.raises(Refused):
                await store.create(replace(SETTINGS, name=name), PASSWORD)

    with_store(postgres_dsn, body)


SNMP = replace(
    SETTINGS,
    ways=(Way.API, Way.SNMP),
    rest_port=8443,
    rest_tls_mode=TlsMode.VERIFY,
    snmp_version=SnmpVersion.V3,
    snmp_username="watcher",
    snmp_auth=SnmpAuth.SHA1,
    snmp_priv=SnmpPriv.AES,
)
SECRETS = {Secret.SNMP_AUTH_PASSWORD: "auth correct horse", Secret.SNMP_PRIV_PASSWORD: "priv battery staple"}


def test_ways_and_their_secrets_come_out_for_the_collector_only(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        created = await store.create(SNMP, PASSWORD, secrets=SECRETS)
        assert await store.get("core-1") == created
        assert created.settings == replace(SNMP, port=8729)
        (polled,) = (await store.snapshot()).devices
        assert polled == await store.polled("core-1")
        assert polled.ways == (Way.API, Way.SNMP)
        assert polled.rest == RestSettings(8443, TlsMode.VERIFY, SETTINGS.tls_fingerprint)
        assert polled.snmp == SnmpSettings(
            SnmpVersion.V3,
            username="watcher",
            auth=SnmpAuth.SHA1,
            auth_password=SECRETS[Secret.SNMP_AUTH_PASSWORD],
            priv=SnmpPriv.AES,
            priv_password=SECRETS[Secret.SNMP_PRIV_PASSWORD],
        )
        shown = repr(polled) + repr(created)
        assert not any(secret in shown for secret in SECRETS.values())

    with_store(postgres_dsn, body)
    connection = psycopg2.connect(postgres_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT name, secret FROM mtd.device_secret")
        stored = {name: bytes(secret) for name, secret in cursor.fetchall()}
        cursor.execute("SELECT row_to_json(d)::text FROM mtd.device d")
        ((device,),) = cursor.fetchall()
    connection.close()
    assert stored.keys() == set(SECRETS)
    for secret in SECRETS.values():
        assert not any(secret.encode() in sealed for sealed in stored.values())
        assert secret not in device


def test_secrets_follow_the_settings(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        with pytest.raises(Refused, match="snmp_auth_password is missing"):
            await store.create(SNMP, PASSWORD)
        await store.create(SNMP, PASSWORD, secrets=SECRETS)
        changed = {Secret.SNMP_AUTH_PASSWORD: "another auth"}
        await store.update("core-1", SNMP, [], secrets=changed)
        polled = await store.polled("core-1")
        assert polled.snmp is not None
        assert polled.snmp.auth_password == "another auth"
        assert polled.snmp.priv_password == SECRETS[Secret.SNMP_PRIV_PASSWORD]
        v2c = replace(SNMP, snmp_version=SnmpVersion.V2C, snmp_auth=SnmpAuth.NONE, snmp_priv=SnmpPriv.NONE)
        mask = ["snmp_version", "snmp_auth", "snmp_priv"]
        with pytest.raises(Refused, match="snmp_community is missing"):
            await store.update("core-1", v2c, mask)
        await store.update("core-1", v2c, mask, secrets={Secret.SNMP_COMMUNITY: "community"})
        polled = await store.polled("core-1")
        assert polled.snmp == SnmpSettings(SnmpVersion.V2C, community="community", username="watcher")
        # What nothing needs any more is gone: back to version 3, its passwords have to be given again.
        with pytest.raises(Refused, match="snmp_auth_password is missing"):
            await store.update("core-1", SNMP, mask)
        with pytest.raises(Refused, match="ways names snmp"):
            await store.update("core-1", replace(SNMP, snmp_version=None), ["snmp_version"])
        await store.update("core-1", replace(SNMP, snmp_version=None, ways=()), ["snmp_version", "ways"])
        assert (await store.polled("core-1")).snmp is None

    with_store(postgres_dsn, body)


def test_a_changed_secret_is_a_change_of_the_device(postgres_dsn: str) -> None:
    async def body(store: Store) -> None:
        await store.create(SNMP, PASSWORD, secrets=SECRETS)
        async with aclosing(store.watch()) as changes:
            await anext(changes)
            (before,) = (await store.snapshot()).devices
            await store.update("core-1", SNMP, [], secrets={Secret.SNMP_PRIV_PASSWORD: "renewed battery"})
            async with asyncio.timeout(10):
                await anext(changes)
            (after,) = (await store.snapshot()).devices
        assert before != after
        assert after.snmp is not None
        assert after.snmp.priv_password == "renewed battery"

    with_store(postgres_dsn, body)


def test_a_secret_in_the_place_of_another_is_not_opened(postgres_dsn: str) -> None:
    async def create(store: Store) -> None:
        await store.create(SNMP, PASSWORD, secrets=SECRETS)

    with_store(postgres_dsn, create)
    connection = psycopg2.connect(postgres_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mtd.device_secret SET secret = (SELECT secret FROM mtd.device_secret"
            " WHERE name = 'snmp_priv_password')"
        )
    connection.close()

    async def body(store: Store) -> None:
        snapshot = await store.snapshot()
        assert snapshot.devices == []
        (unreadable,) = snapshot.unreadable
        assert "snmp_auth_password" in unreadable.reason

    with_store(postgres_dsn, body)
