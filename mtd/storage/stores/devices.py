"""The inventory of devices: settings, credentials, and what changed."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from mtd.core.errors import AlreadyExists, Conflict, NotFound, Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.tenant import Quota
from mtd.security.interfaces import Bond, ISecretSealer
from mtd.storage.errors import Duplicate
from mtd.storage.pool import Database
from mtd.storage.stores.credential_sets import kinds_of_sets
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.device_secrets import (
    delete_secrets,
    put_password,
    put_secrets,
    read_names,
    refuse_misfit,
    seal_secrets,
)
from mtd.storage.stores.device_settings import (
    COLUMNS,
    PLACES,
    SETTING_NAMES,
    DeviceRecord,
    DeviceSettings,
    Secrets,
    default_port,
    record_of,
    values_of,
)
from mtd.storage.stores.placing import put_places
from mtd.storage.stores.quotas import refuse_over_quota
from mtd.storage.stores.sealed_columns import DEVICE
from mtd.storage.txn import Row, Transaction

_NONE: Secrets = {}


_CURRENT_STATE = ("latest", "state_row", "device_status", "device_capability")


class DeviceStore:
    """Creates, reads, changes and deletes devices. Opens no secret: see `PolledDevices`."""

    def __init__(self, db: Database, sealer: ISecretSealer) -> None:
        self._db = db
        self._sealer = sealer

    async def create(
        self,
        settings: DeviceSettings,
        password: str,
        tenant_id: str = DEFAULT_TENANT_ID,
        *,
        secrets: Secrets = _NONE,
    ) -> DeviceRecord:
        """Add a device. Raises AlreadyExists if its name is taken, QuotaExceeded, and Refused for settings that make no sense."""
        settings = settings.checked()
        device_id = str(uuid.uuid4())
        values = values_of(settings)

        async def insert(tx: Transaction) -> DeviceRecord:
            await refuse_over_quota(tx, tenant_id, Quota.DEVICES)
            refuse_misfit(settings, secrets, await kinds_of_sets(tx, tenant_id, settings))
            sealing = await self._sealer.sealing(DataKeys(tx), tenant_id)
            names = ", ".join(values)
            marks = ", ".join(["%s"] * len(values))
            await tx.execute(
                f"INSERT INTO device (tenant_id, device_id, {names}) VALUES (%s, %s, {marks}) RETURNING {COLUMNS}",
                [tenant_id, device_id, *values.values()],
            )
            record = record_of(one_row(tx, settings.name))
            await put_password(
                tx, tenant_id, device_id, sealing.seal(Bond(tenant_id, DEVICE, device_id), password)
            )
            await put_secrets(tx, tenant_id, device_id, seal_secrets(sealing, tenant_id, device_id, secrets))
            await put_places(tx, tenant_id, device_id, settings, PLACES)
            return record

        try:
            return await self._db.run("devices.create", insert, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a device {settings.name!r} already") from None

    async def get(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> DeviceRecord:
        """Return a device by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> DeviceRecord:
            return await find_device(tx, tenant_id, device)

        return await self._db.run("devices.get", read, tenant=tenant_id)

    async def list(
        self, tenant_id: str = DEFAULT_TENANT_ID, *, after_name: str = "", limit: int = 100
    ) -> list[DeviceRecord]:
        """Return devices by name, at most ``limit`` behind ``after_name``."""

        async def read(tx: Transaction) -> list[DeviceRecord]:
            await tx.execute(
                f"SELECT {COLUMNS} FROM device WHERE tenant_id = %s AND name > %s ORDER BY name LIMIT %s",
                (tenant_id, after_name, limit),
            )
            return [record_of(row) for row in tx.fetchall()]

        return await self._db.run("devices.list", read, tenant=tenant_id)

    async def update(
        self,
        device: str,
        settings: DeviceSettings,
        mask: Sequence[str],
        *,
        password: str | None = None,
        revision: int = 0,
        tenant_id: str = DEFAULT_TENANT_ID,
        secrets: Secrets = _NONE,
    ) -> DeviceRecord:
        """Change the settings that the mask names, the password unless it is None, and the secrets given.

        Secrets that the settings have no use for any more are deleted.

        Raises NotFound, Refused, AlreadyExists (the new name), and Conflict if
        the device was changed since ``revision`` (0: whatever it is).
        """
        unknown = sorted(set(mask) - SETTING_NAMES)
        if unknown:
            raise Refused(f"not settings of a device: {', '.join(unknown)}")

        async def change(tx: Transaction) -> DeviceRecord:
            before = await find_device(tx, tenant_id, device, lock=True)
            if revision and before.revision != revision:
                raise Conflict(
                    f"device {before.settings.name!r} is at revision {before.revision}, not {revision}: read it again"
                )
            changed = replace(before.settings, **{name: getattr(settings, name) for name in mask})
            if (
                "tls_mode" in mask
                and "port" not in mask
                and before.settings.port == default_port(before.settings)
            ):
                changed = replace(changed, port=0)  # it follows the transport, as long as nobody chose one
            changed = changed.checked()
            stored = await read_names(tx, tenant_id, before.device_id)
            refuse_misfit(changed, secrets, stored | await kinds_of_sets(tx, tenant_id, changed))
            values = values_of(changed)
            pairs = ", ".join(f"{name} = %s" for name in values)
            await tx.execute(
                f"UPDATE device SET {pairs}, revision = revision + 1, updated_at = now()"
                f" WHERE tenant_id = %s AND device_id = %s RETURNING {COLUMNS}",
                [*values.values(), tenant_id, before.device_id],
            )
            record = record_of(one_row(tx, device))
            await self._change_secrets(tx, record, password, secrets, stored)
            await put_places(tx, tenant_id, before.device_id, settings, mask)
            return record

        try:
            return await self._db.run("devices.update", change, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a device {settings.name!r} already") from None

    async def _change_secrets(
        self, tx: Transaction, record: DeviceRecord, password: str | None, secrets: Secrets, stored: set[str]
    ) -> None:
        tenant_id, device_id = owner = (record.tenant_id, record.device_id)
        if password is not None or secrets:
            sealing = await self._sealer.sealing(DataKeys(tx), tenant_id)
            if password is not None:
                await put_password(tx, *owner, sealing.seal(Bond(tenant_id, DEVICE, device_id), password))
            await put_secrets(tx, *owner, seal_secrets(sealing, *owner, secrets))
        await delete_secrets(tx, *owner, stored - record.settings.secrets())

    async def delete(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> None:
        """Remove a device with its current state. What was observed over time stays. Raises NotFound."""

        async def remove(tx: Transaction) -> None:
            found = await find_device(tx, tenant_id, device, lock=True)
            for table in (*_CURRENT_STATE, "device"):
                await tx.execute(
                    f"DELETE FROM {table} WHERE tenant_id = %s AND device_id = %s",
                    (tenant_id, found.device_id),
                )

        await self._db.run("devices.delete", remove, tenant=tenant_id)


async def forget_removed(db: Database) -> int:
    """Delete the current state of devices that the inventory has no more; return how many rows it was.

    Events that were under way when a device was removed, and a rebuild, write
    it again; nobody sees it, as all who read join the inventory.
    """

    async def forget(tx: Transaction) -> int:
        count = 0
        for table in _CURRENT_STATE:
            await tx.execute(
                f"DELETE FROM {table} t WHERE NOT EXISTS (SELECT FROM device d"
                " WHERE d.tenant_id = t.tenant_id AND d.device_id = t.device_id)"
            )
            count += tx.rowcount
        return count

    return await db.run("devices.forget_removed", forget)


async def has_secrets(db: Database) -> bool:
    """Whether any secret is stored: then the master key that sealed it must not be replaced. Needs no key."""

    async def read(tx: Transaction) -> bool:
        await tx.execute(
            "SELECT EXISTS (SELECT FROM tenant_data_key) OR EXISTS (SELECT FROM device_credential)"
        )
        row = tx.fetchone()
        return bool(row and row[0])

    return await db.run("devices.has_secrets", read)


async def find_device(tx: Transaction, tenant_id: str, device: str, *, lock: bool = False) -> DeviceRecord:
    """Return a device by its name or id. Raises NotFound."""
    # A name may look like an id, so the id goes first.
    await tx.execute(
        f"SELECT {COLUMNS} FROM device WHERE tenant_id = %s AND (device_id::text = %s OR name = %s)"
        f" ORDER BY device_id::text = %s DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        (tenant_id, device, device, device),
    )
    return record_of(one_row(tx, device))


def one_row(tx: Transaction, device: str) -> Row:
    """Return the row of a device that the last statement gave. Raises NotFound."""
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no device {device!r}")
    return row
