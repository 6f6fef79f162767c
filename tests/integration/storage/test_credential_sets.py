"""Logins that devices share: each for its purpose, and the device's own where the set has nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from mtd.core.errors import AlreadyExists, Conflict, NotFound, Refused
from mtd.model.credentials import Purpose
from mtd.model.device import Login, SnmpVersion
from mtd.storage.errors import StatementRejected
from mtd.storage.stores.credential_sets import SetSecret, SetSettings
from mtd.storage.stores.device_settings import Secret
from mtd.storage.stores.places import InUse
from tests.integration.storage.secrets_kit import OTHER, TENANT, World, in_world, settings

pytestmark = pytest.mark.postgres
NOC = SetSettings("noc", Purpose.READONLY, "monitor", "all of them")
PASSWORD = {"password": SetSecret("shared password")}


def test_what_was_put_in_comes_out_without_secrets(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        secrets = {**PASSWORD, "snmp_community": SetSecret(reference="vault:a#b")}
        made = await world.sets.create(TENANT, NOC, secrets)
        assert (made.settings, made.revision, made.used_by) == (NOC, 1, 0)
        assert made.secrets == {"password": "", "snmp_community": "vault:a#b"}
        assert await world.sets.get(TENANT, "noc") == made == await world.sets.get(TENANT, made.credential_id)
        assert await world.sets.list(TENANT) == [made]
        assert "shared password" not in repr(made) + repr(secrets)
        for tried in (world.sets.get(OTHER, "noc"), world.sets.get(OTHER, made.credential_id)):
            with pytest.raises(NotFound, match="there is no set of credentials"):
                await tried
        assert await world.sets.list(OTHER) == []
        with pytest.raises(AlreadyExists, match="noc"):
            await world.sets.create(TENANT, NOC)

    in_world(postgres_dsn, tmp_path, body)


def test_doors_cannot_read_what_is_sealed(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.sets.create(TENANT, NOC, PASSWORD)
        for table in ("credential_secret", "device_credential", "device_secret"):
            with pytest.raises(StatementRejected, match="permission denied"):
                await world.doors.run(
                    "peep", lambda tx, table=table: tx.execute(f"SELECT secret FROM {table}"), tenant=TENANT
                )

    in_world(postgres_dsn, tmp_path, body)


def test_each_purpose_has_its_login(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.sets.create(TENANT, NOC, PASSWORD)
        await world.sets.create(
            TENANT, SetSettings("tools", Purpose.DIAGNOSTICS, "tester"), {"password": SetSecret("t")}
        )
        await world.devices.create(
            settings("r1", readonly_credentials="noc", diagnostics_credentials="tools"), "own password"
        )
        await world.devices.create(settings("r2"), "own password")

        async def login(name: str, purpose: Purpose) -> tuple[str, str]:
            device = await world.polled.polled(name, TENANT, purpose)
            return device.username, device.password

        assert await login("r1", Purpose.READONLY) == ("monitor", "shared password")
        assert await login("r1", Purpose.DIAGNOSTICS) == ("tester", "t")
        assert await login("r1", Purpose.CONFIG_AUDIT) == ("own", "own password")
        assert {await login("r2", purpose) for purpose in Purpose} == {("own", "own password")}
        found = {one.name: (one.username, one.password) for one in (await world.polled.snapshot()).devices}
        assert found == {"r1": ("monitor", "shared password"), "r2": ("own", "own password")}
        assert [one.used_by for one in await world.sets.list(TENANT)] == [1, 1]

    in_world(postgres_dsn, tmp_path, body)


def test_what_a_set_has_not_is_the_devices_own(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        v2c = {"snmp_version": SnmpVersion.V2C, "readonly_credentials": "noc"}
        await world.sets.create(TENANT, replace(NOC, username=""))
        own = {Secret.SNMP_COMMUNITY: "own community"}
        with pytest.raises(Refused, match="snmp_community is missing"):
            await world.devices.create(settings("r1", **v2c), "own password")
        await world.devices.create(settings("r1", **v2c), "own password", secrets=own)
        device = await world.polled.polled("r1")
        assert device.snmp is not None
        assert (device.username, device.password, device.snmp.community) == (
            "own",
            "own password",
            "own community",
        )
        await world.sets.update(TENANT, "noc", NOC, [], {"snmp_community": SetSecret("shared community")})
        await world.devices.create(settings("r2", **v2c), "")  # the set has what SNMP needs
        for name in ("r1", "r2"):
            device = await world.polled.polled(name)
            assert device.snmp is not None
            assert device.snmp.community == "shared community"

    in_world(postgres_dsn, tmp_path, body)


def test_a_device_names_a_set_of_its_tenant_and_of_the_purpose(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.sets.create(TENANT, NOC)
        await world.sets.create(OTHER, replace(NOC, name="theirs"))
        await world.devices.create(settings("r1"), "x")
        for setting, name, reason in (
            ("readonly_credentials", "theirs", "there is no set of credentials 'theirs'"),
            ("readonly_credentials", "nowhere", "there is no set of credentials 'nowhere'"),
            ("diagnostics_credentials", "noc", "'noc' is a set for readonly, not for diagnostics"),
        ):
            with pytest.raises(Refused, match=reason):
                await world.devices.create(settings("r2", **{setting: name}), "x")
            with pytest.raises(Refused, match=reason):
                await world.devices.update("r1", settings("r1", **{setting: name}), [setting])
        # And not by SQL, either.
        with pytest.raises(Exception, match="foreign key"):
            world.sql("UPDATE device SET readonly_credentials = 'theirs'")

    in_world(postgres_dsn, tmp_path, body)


def test_changes_are_followed(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.sets.create(TENANT, NOC, PASSWORD)
        await world.devices.create(settings("r1", readonly_credentials="noc"), "own password")
        async with aclosing(world.polled.watch()) as changes:

            async def login() -> tuple[str, str]:
                async with asyncio.timeout(10):
                    await anext(changes)
                (device,) = (await world.polled.snapshot()).devices
                return device.username, device.password

            assert await login() == ("monitor", "shared password")
            await world.sets.update(TENANT, "noc", NOC, [], {"password": SetSecret("renewed")})
            assert await login() == ("monitor", "renewed")
            await world.sets.update(TENANT, "noc", replace(NOC, username="watcher"), ["username"])
            assert await login() == ("watcher", "renewed")
            await world.sets.update(TENANT, "noc", NOC, [], {"password": SetSecret()})
            assert await login() == ("watcher", "own password")
            await world.devices.update("r1", settings("r1"), ["readonly_credentials"])
            assert await login() == ("own", "own password")

    in_world(postgres_dsn, tmp_path, body)


def test_a_new_name_goes_to_all_devices_and_a_set_in_use_stays(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        made = await world.sets.create(TENANT, NOC, PASSWORD)
        await world.devices.create(settings("r1", readonly_credentials="noc"), "x")
        changed = await world.sets.update(TENANT, "noc", replace(NOC, name="noc-2"), ["name"], revision=1)
        assert (changed.revision, changed.credential_id) == (2, made.credential_id)
        assert (await world.devices.get("r1")).settings.readonly_credentials == "noc-2"
        assert (await world.polled.polled("r1")).password == "shared password"
        with pytest.raises(Conflict, match="at revision 2, not 1"):
            await world.sets.update(TENANT, "noc-2", NOC, ["notes"], revision=1)
        with pytest.raises(Refused, match="another set for another purpose|make another set"):
            await world.sets.update(TENANT, "noc-2", NOC, ["purpose"])
        with pytest.raises(InUse, match="a device uses the set"):
            await world.sets.delete(TENANT, "noc-2")
        await world.devices.delete("r1")
        await world.sets.delete(TENANT, "noc-2")
        with pytest.raises(NotFound):
            await world.sets.delete(TENANT, "noc-2")
        assert world.sql("SELECT count(*) FROM credential_secret") == [(0,)]

    in_world(postgres_dsn, tmp_path, body)


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ({"pin": SetSecret("x")}, "a set has no pin"),
        ({"password": SetSecret("x", "env:X")}, "not both"),
    ],
)
def test_secrets_that_make_no_sense_are_refused(
    postgres_dsn: str, tmp_path: Path, secrets: dict[str, SetSecret], reason: str
) -> None:
    async def body(world: World) -> None:
        with pytest.raises(Refused, match=reason):
            await world.sets.create(TENANT, NOC, secrets)
        assert await world.sets.list(TENANT) == []

    in_world(postgres_dsn, tmp_path, body)


def test_a_secret_of_a_set_in_the_place_of_another_is_not_opened(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        await world.sets.create(TENANT, NOC, PASSWORD)
        await world.sets.create(TENANT, replace(NOC, name="other"), {"password": SetSecret("other")})
        await world.devices.create(settings("r1", readonly_credentials="noc"), "x")
        await world.devices.create(settings("r2"), "x")
        world.sql(
            "UPDATE credential_secret SET secret = (SELECT secret FROM credential_secret s JOIN credential_set c"
            " USING (tenant_id, credential_id) WHERE c.name = 'other')"
        )
        found = await world.polled.snapshot()
        assert [device.name for device in found.devices] == ["r2"]
        assert [(one.name, "damaged" in one.reason) for one in found.unreadable] == [("r1", True)]

    in_world(postgres_dsn, tmp_path, body)


def test_who_reads_the_configuration(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        audit = SetSettings("auditor", Purpose.CONFIG_AUDIT, "auditor")
        await world.sets.create(TENANT, audit, {"password": SetSecret("audit password")})
        await world.sets.create(TENANT, replace(audit, name="same", username=""))
        await world.sets.create(
            TENANT, replace(audit, name="away"), {"password": SetSecret(reference="env:X")}
        )
        for name in ("auditor", "same", "away", ""):
            await world.devices.create(settings(f"r-{name}", config_audit_credentials=name), "own password")
        found = {device.name: device for device in (await world.polled.snapshot()).devices}
        assert {device.password for device in found.values()} == {"own password"}
        assert found["r-auditor"].config_login == Login("auditor", "audit password")
        assert found["r-same"].config_login == Login("own", "own password")
        assert found["r-"].config_login is None
        # What is wrong with it stops nothing else, and is told where it matters.
        away = found["r-away"].config_login
        assert away is not None
        assert (away.username, away.password, "env:X" in away.problem) == ("auditor", "", True)

    in_world(postgres_dsn, tmp_path, body)


def test_what_is_damaged_of_it_stops_no_poll(postgres_dsn: str, tmp_path: Path) -> None:
    async def body(world: World) -> None:
        audit = SetSettings("auditor", Purpose.CONFIG_AUDIT)
        await world.sets.create(TENANT, audit, {"password": SetSecret("audit password")})
        await world.devices.create(settings("r1", config_audit_credentials="auditor"), "own password")
        world.sql("UPDATE credential_secret SET secret = secret || 'x'")
        (device,) = (await world.polled.snapshot()).devices
        assert device.config_login is not None
        assert "damaged" in device.config_login.problem

    in_world(postgres_dsn, tmp_path, body)
