"""Devices whose secrets are kept elsewhere: nobody else waits, and changes are followed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from mtd.model.credentials import Purpose
from mtd.security.providers.config import ProvidersConfig
from mtd.security.providers.local import FileProvider
from mtd.security.providers.resolver import SecretResolver
from mtd.storage.stores.credential_sets import SetSecret, SetSettings
from mtd.storage.stores.polled import PolledDevices
from tests.integration.storage.secrets_kit import OTHER, TENANT, World, in_world, settings

pytestmark = pytest.mark.postgres
QUICK = ProvidersConfig(look_s=0.02, refresh_s=0.05, retry_s=0.05)


def test_secrets_of_files_are_followed(postgres_dsn: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "noc").write_text("first\n")

    async def body(world: World) -> None:
        resolver = SecretResolver({"file": FileProvider([str(kept)])}, QUICK)
        told: list[tuple[str, str, str]] = []
        resolver.troubled = lambda *what: told.append(what)
        polled = PolledDevices(world.db, world.vault.opener, resolver)
        reference = f"file:{kept}/noc"
        for tenant_id, name, text in ((TENANT, "noc", reference), (OTHER, "gone", f"file:{kept}/gone")):
            secrets = {"password": SetSecret(reference=text)}
            await world.sets.create(tenant_id, SetSettings(name, Purpose.READONLY), secrets)
            device = settings(f"r-{name}", readonly_credentials=name)
            await world.devices.create(device, "own password", tenant_id)
        await world.devices.create(settings("plain"), "own password")
        resolver.start()
        try:
            # Nobody waits for what is fetched.
            first = await polled.snapshot()
            assert [device.name for device in first.devices] == ["plain"]
            assert first.unreadable == []
            async with aclosing(polled.watch()) as changes:

                async def until(password: str) -> None:
                    async with asyncio.timeout(10):
                        async for _ in changes:
                            found = {one.name: one.password for one in (await polled.snapshot()).devices}
                            if found.get("r-noc") == password:
                                return

                await until("first")
                (kept / "noc").write_text("second")
                await until("second")
            assert [device.name for device in polled.users_of(TENANT, reference)] == ["r-noc"]
            assert polled.users_of(OTHER, reference) == []
            # The last value is used on; what never came is told.
            (kept / "noc").unlink()
            async with asyncio.timeout(10):
                while len(told) < 2:
                    await asyncio.sleep(0.01)
            last = await polled.snapshot()
            assert {one.name: one.password for one in last.devices} == {
                "plain": "own password",
                "r-noc": "second",
            }
            assert [(one.name, "No such file" in one.reason) for one in last.unreadable] == [("r-gone", True)]
            assert (await polled.polled("r-noc", TENANT)).password == "second"
            assert {what[:2] for what in told} == {(OTHER, f"file:{kept}/gone"), (TENANT, reference)}
        finally:
            await resolver.stop()

    in_world(postgres_dsn, tmp_path, body)
