"""Keys are rotated: nothing is lost, whatever ends it half-way, and whoever reads meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mtd.model.credentials import Purpose
from mtd.model.device import SnmpVersion
from mtd.security.sealed import data_key_of
from mtd.security.vault import Vault
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.upkeep import one_round
from mtd.storage.stores.credential_sets import SetSecret, SetSettings
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.device_settings import Secret
from mtd.storage.stores.devices import DeviceStore
from mtd.storage.stores.ingest_keys import GoodKeys, IngestKeyStore
from mtd.storage.stores.polled import PolledDevices
from mtd.storage.stores.rotation import GRACE_S, Rotation
from mtd.storage.stores.sealed_columns import SEALED_COLUMNS
from mtd.storage.stores.secret_status import secret_status
from mtd.storage.txn import Transaction
from tests.integration.storage.secrets_kit import OTHER, TENANT, World, in_world, settings
from tests.unit.security.kit import sealed_of_old

pytestmark = pytest.mark.postgres
SNMP = {"snmp_version": SnmpVersion.V2C}
NAMES = [f"r{number}" for number in range(5)]


async def fill(world: World) -> None:
    """Store five devices with a password and a community each, a set, and a device of another tenant."""
    for name in NAMES:
        secrets = {Secret.SNMP_COMMUNITY: f"{name} community"}
        await world.devices.create(settings(name, **SNMP), f"{name} password", secrets=secrets)
    secrets_of_set = {"password": SetSecret("shared"), "snmp_community": SetSecret(reference="env:X")}
    await world.sets.create(TENANT, SetSettings("noc", Purpose.READONLY), secrets_of_set)
    await world.devices.create(settings("theirs"), "their password", OTHER)


async def opened(world: World) -> dict[str, tuple[str, str]]:
    """Return what another process opens."""
    snapshot = await world.another_poller().snapshot()
    assert not snapshot.unreadable
    return {
        device.name: (device.password, device.snmp.community if device.snmp else "")
        for device in snapshot.devices
    }


ALL = {name: (f"{name} password", f"{name} community") for name in NAMES} | {"theirs": ("their password", "")}


def keys_in_use(world: World, tenant_id: str = TENANT) -> set[str | None]:
    rows = world.sql(
        "SELECT secret FROM device_credential WHERE tenant_id = %s UNION ALL"
        " SELECT secret FROM device_secret WHERE tenant_id = %s UNION ALL"
        " SELECT secret FROM credential_secret WHERE tenant_id = %s AND secret IS NOT NULL",
        *(tenant_id,) * 3,
    )
    return {data_key_of(bytes(secret)) for (secret,) in rows}


def current_key(world: World, tenant_id: str = TENANT) -> str:
    ((found,),) = world.sql(
        "SELECT key_id::text FROM tenant_data_key WHERE tenant_id = %s AND retired_at IS NULL", tenant_id
    )
    return str(found)


def test_a_data_key_of_one_tenant(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        before, theirs = current_key(world), current_key(world, OTHER)
        rotation = world.rotation()
        await rotation.data_key(TENANT)
        assert (rotation.done.sealed, rotation.done.new_data_keys, rotation.done.unreadable) == (11, 1, [])
        assert keys_in_use(world) == {current_key(world)} != {before}
        assert keys_in_use(world, OTHER) == {theirs}
        assert await opened(world) == ALL
        # Who read a secret before may still open it: the old key stays for a while.
        assert [
            key for (key,) in world.sql("SELECT key_id::text FROM tenant_data_key WHERE key_id = %s", before)
        ]

    in_world(postgres_dsn, tmp_path, body)


def test_old_data_keys_go_when_nobody_can_need_them(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        first = current_key(world)
        await world.rotation().data_key(TENANT)
        second = current_key(world)
        world.sql(
            "UPDATE tenant_data_key SET retired_at = now() - make_interval(secs => %s) WHERE key_id = %s",
            *(GRACE_S + 60, first),
        )
        rotation = world.rotation()
        await rotation.data_key(TENANT)
        assert rotation.done.removed_data_keys == 1
        kept = {
            key
            for (key,) in world.sql("SELECT key_id::text FROM tenant_data_key WHERE tenant_id = %s", TENANT)
        }
        assert kept == {second, current_key(world)}

    in_world(postgres_dsn, tmp_path, body)


def test_a_key_that_something_is_sealed_with_stays(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        first = current_key(world)
        # Damaged: it can't be sealed anew, and perhaps somebody can mend it.
        world.sql("UPDATE device_credential SET secret = secret || 'x' WHERE tenant_id = %s", OTHER)
        theirs = current_key(world, OTHER)
        rotation = world.rotation()
        await rotation.data_key(OTHER)
        assert [("damaged" in reason) for reason in rotation.done.unreadable] == [True]
        world.sql("UPDATE tenant_data_key SET retired_at = '2000-01-01' WHERE retired_at IS NOT NULL")
        await world.rotation().data_key(OTHER)
        assert world.sql("SELECT 1 FROM tenant_data_key WHERE key_id = %s", theirs)
        assert current_key(world) == first
        (status,) = [await secret_status(world.db, world.another_vault())]
        assert len(status.unreadable) == 1
        assert any("can't be opened" in advice for advice in status.advice)

    in_world(postgres_dsn, tmp_path, body)


def test_the_master_key(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        running = world.polled
        await running.snapshot()
        old = world.vault.masters.newest.key_id
        rotation = world.rotation()
        await rotation.master_key()
        assert rotation.done.new_master_key
        assert rotation.done.rewrapped == 2
        lines = world.path.read_text().splitlines()
        assert len(lines) == 2
        # A process that runs has read the old file only, and finds the new key when it needs it.
        await world.devices.create(settings("later"), "later password", OTHER)
        assert {device.name for device in (await running.snapshot()).devices} == {*ALL, "later"}
        status = await secret_status(world.db, world.another_vault())
        new, older = status.master_keys
        assert (new.newest, new.data_keys, older.key_id, older.data_keys) == (True, 2, old.hex(), 0)
        names = dict(world.sql("SELECT tenant_id::text, name FROM tenant"))
        assert [key.tenant for key in status.data_keys] == [names[key.tenant_id] for key in status.data_keys]
        # The old line is taken out: nothing needs it.
        world.path.write_text(lines[0] + "\n")
        assert await opened(world) == {**ALL, "later": ("later password", "")}

    in_world(postgres_dsn, tmp_path, body)


def test_a_rotation_waits_for_no_compaction(postgres_dsn: str, tmp_path: Path) -> None:
    """Whose round may take hours."""

    async def body(world: World) -> None:
        await fill(world)
        compacting = await asyncio.to_thread(ColdConnection, postgres_dsn, "mtd compact")
        with one_round(compacting, lambda _: None, lambda: False, lambda *_: None) as turn:
            assert turn
            async with asyncio.timeout(20):
                await world.rotation().master_key()
        compacting.close()

    in_world(postgres_dsn, tmp_path, body)


def test_a_new_master_key_that_nothing_uses_yet_is_the_one(postgres_dsn: str, tmp_path: Path) -> None:
    """The operator put it there, for all machines to have it first; or a rotation ended after it."""

    async def body(world: World) -> None:
        await fill(world)
        added = world.another_vault().masters.add_new_blocking()
        rotation = world.rotation()
        await rotation.master_key()
        assert (rotation.done.new_master_key, rotation.done.rewrapped) == ("", 2)
        assert {bytes(key) for (key,) in world.sql("SELECT master_key_id FROM tenant_data_key")} == {
            added.key_id
        }

    in_world(postgres_dsn, tmp_path, body)


class Ended(Exception):
    """Somebody pulled the plug."""


class EndingDatabase:
    """A database whose user dies before, or after, its n-th transaction."""

    def __init__(self, db: Any, steps: int, *, after: bool) -> None:
        self._db = db
        self._steps = steps
        self._after = after

    async def run(self, name: str, body: Any, **options: Any) -> Any:
        self._steps -= 1
        if self._steps < 0 and not self._after:
            raise Ended
        result = await self._db.run(name, body, **options)
        if self._steps < 0:
            raise Ended
        return result


def test_ended_at_any_step_it_goes_on_from_there(postgres_dsn: str, tmp_path: Path) -> None:
    async def rotate(db: Any, vault: Vault) -> Rotation:
        rotation = Rotation(db, vault, batch=2)
        await rotation.master_key()
        for tenant_id in await rotation.tenants():
            await rotation.data_key(tenant_id)
        return rotation

    async def body(world: World) -> None:
        await fill(world)
        step, ended = 0, 0
        while True:
            world.sql("UPDATE tenant_data_key SET retired_at = '2000-01-01' WHERE retired_at IS NOT NULL")
            database = EndingDatabase(world.db, step // 2, after=bool(step % 2))
            try:
                await rotate(database, world.another_vault())
            except Ended:
                ended += 1
            else:
                break
            finally:
                assert await opened(world) == ALL, f"ended at step {step}"
            step += 1
        assert ended > 20
        assert keys_in_use(world) == {current_key(world)}
        status = await secret_status(world.db, world.another_vault())
        assert not [key for key in status.data_keys if key.retired_at is None and key.complete_at is None]
        assert status.secrets == 12

    in_world(postgres_dsn, tmp_path, body)


def test_an_ended_rotation_is_told_and_finished(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        with pytest.raises(Ended):
            await Rotation(EndingDatabase(world.db, 2, after=False), world.another_vault(), batch=2).data_key(
                TENANT
            )  # type: ignore[arg-type]
        half = current_key(world)
        assert len(keys_in_use(world)) == 2
        status = await secret_status(world.db, world.another_vault())
        assert any("wasn't finished" in advice for advice in status.advice)
        rotation = world.rotation()
        await rotation.data_key(TENANT)
        assert rotation.done.new_data_keys == 0
        assert keys_in_use(world) == {half}
        assert (await secret_status(world.db, world.another_vault())).advice == []

    in_world(postgres_dsn, tmp_path, body)


def test_who_seals_holds_the_rotation_up(postgres_dsn: str, tmp_path: Path) -> None:
    """Otherwise a secret could be stored, sealed with a key of before, after everything was sealed anew."""

    async def body(world: World) -> None:
        await fill(world)
        sealing, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(tx: Transaction) -> None:
            await world.vault.sealer.sealing(DataKeys(tx), TENANT)
            sealing.set()
            await go_on.wait()

        slow = asyncio.create_task(world.db.run("slow", slowly, tenant=TENANT))
        await sealing.wait()
        before = current_key(world)
        rotating = asyncio.create_task(world.rotation().data_key(TENANT))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with asyncio.timeout(10):
            while (await asyncio.to_thread(world.sql, waiting)) == [(0,)]:
                await asyncio.sleep(0.01)
        assert current_key(world) == before
        go_on.set()
        await slow
        await rotating
        assert current_key(world) != before

    in_world(postgres_dsn, tmp_path, body)


def test_secrets_change_while_they_are_rotated(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        done = asyncio.Event()

        async def rotate() -> None:
            for _ in range(4):
                rotation = world.rotation()
                await rotation.master_key()
                await rotation.data_key(TENANT)
                assert not rotation.done.unreadable
            done.set()

        async def change() -> int:
            count = 0
            while not done.is_set():
                await world.devices.update(NAMES[count % 5], settings("x"), [], password=f"password {count}")
                count += 1
            return count

        async def read() -> int:
            count = 0
            while not done.is_set():
                snapshot = await world.polled.snapshot()
                assert (len(snapshot.devices), snapshot.unreadable) == (6, [])
                count += 1
            return count

        _, changes, reads = await asyncio.gather(rotate(), change(), read())
        assert min(changes, reads) > 4
        wanted = {NAMES[number % 5]: f"password {number}" for number in range(changes)}
        found = {name: password for name, (password, _) in (await opened(world)).items() if name in wanted}
        assert found == wanted

    in_world(postgres_dsn, tmp_path, body)


def test_what_version_1_sealed_is_opened_and_sealed_anew(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        master = world.vault.masters.newest
        for device_id, name in world.sql(
            "SELECT device_id::text, name FROM device WHERE tenant_id = %s", TENANT
        ):
            world.sql(
                "UPDATE device_credential SET secret = %s WHERE device_id = %s",
                *(sealed_of_old(master, TENANT, device_id, f"{name} password"), device_id),
            )
            owner = f"{device_id}/snmp_community"
            world.sql(
                "UPDATE device_secret SET secret = %s WHERE device_id = %s",
                *(sealed_of_old(master, TENANT, owner, f"{name} community"), device_id),
            )
        assert await opened(world) == ALL
        status = await secret_status(world.db, world.another_vault())
        assert [one.first_version_secrets for one in status.master_keys] == [10]
        rotation = world.rotation()
        await rotation.master_key()
        assert rotation.done.sealed == 10
        # Nothing needs the old key any more, of either version.
        world.path.write_text(world.path.read_text().splitlines()[0] + "\n")
        assert await opened(world) == ALL
        assert None not in keys_in_use(world)

    in_world(postgres_dsn, tmp_path, body)


def test_a_master_key_that_is_gone_is_told(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await fill(world)
        lost = world.vault.masters.newest.key_id.hex()
        world.path.unlink()
        stranger = world.another_vault()  # which makes a file with a new key
        status = await secret_status(world.db, stranger)
        assert len(status.unreadable) == status.secrets == 12
        assert all(lost in reason for reason in status.unreadable)
        assert any(f"put master key {lost} back" in advice for advice in status.advice)
        assert {key.problem != "" for key in status.data_keys} == {True}
        rotation = Rotation(world.db, stranger, batch=2)
        # What is sealed from now on can be opened; what is lost stays lost until the key comes back.
        await rotation.data_key(TENANT)
        assert len(rotation.done.unreadable) == 11
        await DeviceStore(world.doors, stranger.sealer).create(settings("new"), "new password")
        assert [one.name for one in (await PolledDevices(world.db, stranger.opener).snapshot()).devices] == [
            "new"
        ]

    in_world(postgres_dsn, tmp_path, body)


def test_every_sealed_column_of_the_schema_is_listed(postgres_dsn: str, tmp_path: Path) -> None:
    """A column that is forgotten would stay sealed with a key that goes."""

    async def body(world: World) -> None:
        found = world.sql(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'mtd' AND column_name = 'secret'"
            " AND data_type = 'bytea'"
        )
        assert {table for (table,) in found} == {column.table for column in SEALED_COLUMNS}

    in_world(postgres_dsn, tmp_path, body)


def test_keys_of_ingest_are_sealed_anew(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        keys = IngestKeyStore(world.doors, world.vault.sealer)
        record, secret = await keys.create(TENANT, "probe")
        before = current_key(world)
        await world.rotation().data_key(TENANT)
        ((sealed,),) = world.sql("SELECT secret FROM ingest_key_secret")
        assert data_key_of(bytes(sealed)) == current_key(world) != before
        good, problems = await GoodKeys(world.db, world.another_vault().opener).load()
        assert ([one.decode() for one, _ in good[record.key_id].secrets], problems) == ([secret], [])

    in_world(postgres_dsn, tmp_path, body)
