"""The inventory of devices: settings, credentials, and what changed."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace

from mtd.core.errors import AlreadyExists, Conflict, NotFound, Refused
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.security.errors import SecretUnreadable
from mtd.security.interfaces import ISecretStore
from mtd.storage.errors import Duplicate, RowUnusable
from mtd.storage.metrics import DEVICES_UNREADABLE
from mtd.storage.pool import Database
from mtd.storage.stores.device_secrets import (
    STORED,
    delete_secrets,
    open_secret,
    open_secrets,
    put_secrets,
    read_names,
    refuse_misfit,
    seal_secrets,
)
from mtd.storage.stores.device_settings import (
    COLUMNS,
    SETTING_NAMES,
    DeviceRecord,
    DeviceSettings,
    Secret,
    Secrets,
    default_port,
    record_of,
    to_device,
    values_of,
)
from mtd.storage.txn import Row, Transaction

logger = logging.getLogger(__name__)

CHANNEL = "mtd_device"
_NONE: Secrets = {}


@dataclass(frozen=True, slots=True)
class UnreadableDevice:
    """A device of the inventory that can't be polled as it is stored; ``reason`` says what to do about it."""

    device_id: str
    tenant_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class InventorySnapshot:
    """All devices of all tenants: those that can be polled, and those whose row or password can't be read."""

    devices: Sequence[Device]
    unreadable: Sequence[UnreadableDevice] = ()


@dataclass(frozen=True, slots=True)
class Resealed:
    """What ``seal_again`` did; ``unreadable`` says why, for each password that it could not."""

    count: int
    unreadable: Sequence[str] = ()


_CURRENT_STATE = ("latest", "state_row", "device_status", "device_capability")


class DeviceStore:
    """Creates, reads, changes and deletes devices, and follows their changes."""

    def __init__(self, db: Database, vault: ISecretStore) -> None:
        self._db = db
        self._vault = vault
        # Of the last snapshot: decrypting a thousand passwords takes longer than reading them.
        self._known: dict[str, tuple[Row, bytes, Device]] = {}

    async def create(
        self,
        settings: DeviceSettings,
        password: str,
        tenant_id: str = DEFAULT_TENANT_ID,
        *,
        secrets: Secrets = _NONE,
    ) -> DeviceRecord:
        """Add a device. Raises AlreadyExists if its name is taken, Refused for settings that make no sense."""
        settings = settings.checked()
        refuse_misfit(settings, secrets)
        device_id = str(uuid.uuid4())
        values = values_of(settings)
        sealed = self._vault.seal(tenant_id, device_id, password)
        sealed_secrets = seal_secrets(self._vault, tenant_id, device_id, secrets)

        async def insert(tx: Transaction) -> DeviceRecord:
            names = ", ".join(values)
            marks = ", ".join(["%s"] * len(values))
            await tx.execute(
                f"INSERT INTO device (tenant_id, device_id, {names}) VALUES (%s, %s, {marks}) RETURNING {COLUMNS}",
                [tenant_id, device_id, *values.values()],
            )
            record = record_of(_one(tx, settings.name))
            await _put_secret(tx, tenant_id, device_id, sealed)
            await put_secrets(tx, tenant_id, device_id, sealed_secrets)
            return record

        try:
            return await self._db.run("devices.create", insert, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a device {settings.name!r} already") from None

    async def get(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> DeviceRecord:
        """Return a device by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> DeviceRecord:
            return await _find(tx, tenant_id, device)

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
            before = await _find(tx, tenant_id, device, lock=True)
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
            refuse_misfit(changed, secrets, stored)
            values = values_of(changed)
            pairs = ", ".join(f"{name} = %s" for name in values)
            await tx.execute(
                f"UPDATE device SET {pairs}, revision = revision + 1, updated_at = now()"
                f" WHERE tenant_id = %s AND device_id = %s RETURNING {COLUMNS}",
                [*values.values(), tenant_id, before.device_id],
            )
            record = record_of(_one(tx, device))
            if password is not None:
                sealed = self._vault.seal(tenant_id, before.device_id, password)
                await _put_secret(tx, tenant_id, before.device_id, sealed)
            await self._change_secrets(tx, record, secrets, stored)
            return record

        try:
            return await self._db.run("devices.update", change, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a device {settings.name!r} already") from None

    async def _change_secrets(
        self, tx: Transaction, record: DeviceRecord, secrets: Secrets, stored: set[str]
    ) -> None:
        owner = (record.tenant_id, record.device_id)
        await put_secrets(tx, *owner, seal_secrets(self._vault, *owner, secrets))
        await delete_secrets(tx, *owner, stored - record.settings.secrets())

    async def delete(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> None:
        """Remove a device with its current state. What was observed over time stays. Raises NotFound."""

        async def remove(tx: Transaction) -> None:
            found = await _find(tx, tenant_id, device, lock=True)
            for table in (*_CURRENT_STATE, "device"):
                await tx.execute(
                    f"DELETE FROM {table} WHERE tenant_id = %s AND device_id = %s",
                    (tenant_id, found.device_id),
                )

        await self._db.run("devices.delete", remove, tenant=tenant_id)

    async def password(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> str:
        """Return a device's password. Raises NotFound and SecretUnreadable."""
        return (await self.polled(device, tenant_id)).password

    async def polled(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> Device:
        """Return a device as the collector polls it, secrets included. Raises NotFound and SecretUnreadable."""

        async def read(tx: Transaction) -> tuple[DeviceRecord, bytes, dict[str, str]]:
            found = await _find(tx, tenant_id, device)
            await tx.execute(
                f"SELECT c.secret, {STORED} FROM device d JOIN device_credential c USING (tenant_id, device_id)"
                " WHERE tenant_id = %s AND device_id = %s",
                (tenant_id, found.device_id),
            )
            sealed, secrets = _one(tx, device)
            return found, bytes(sealed), secrets

        record, sealed, secrets = await self._db.run("devices.polled", read, tenant=tenant_id)
        return self._opened(record, sealed, secrets)

    def _opened(self, record: DeviceRecord, sealed: bytes, secrets: Mapping[str, str] | None) -> Device:
        tenant_id, device_id = record.tenant_id, record.device_id
        password = str(self._vault.open(tenant_id, device_id, sealed))
        return to_device(record, password, open_secrets(self._vault, tenant_id, device_id, secrets))

    async def seal_again(self) -> Resealed:
        """Seal every secret with the newest master key, so that older keys can be taken out of their file.

        What can't be decrypted stays as it is, and is told.
        """

        async def reseal(tx: Transaction) -> Resealed:
            passwords = await self._reseal_passwords(tx)
            secrets = await self._reseal_secrets(tx)
            return Resealed(passwords.count + secrets.count, [*passwords.unreadable, *secrets.unreadable])

        return await self._db.run("devices.seal_again", reseal)

    async def _reseal_passwords(self, tx: Transaction) -> Resealed:
        await tx.execute("SELECT tenant_id, device_id, secret FROM device_credential FOR UPDATE")
        done, unreadable = 0, []
        for tenant_id, device_id, secret in tx.fetchall():
            sealed = bytes(secret)
            if self._vault.is_current(sealed):
                continue
            try:
                password = str(self._vault.open(tenant_id, device_id, sealed))
            except SecretUnreadable as error:
                unreadable.append(str(error))
                continue
            await _put_secret(tx, tenant_id, device_id, self._vault.seal(tenant_id, device_id, password))
            done += 1
        return Resealed(done, unreadable)

    async def _reseal_secrets(self, tx: Transaction) -> Resealed:
        await tx.execute("SELECT tenant_id, device_id, name, secret FROM device_secret FOR UPDATE")
        done, unreadable = 0, []
        for tenant_id, device_id, name, secret in tx.fetchall():
            sealed = bytes(secret)
            if self._vault.is_current(sealed):
                continue
            try:
                text = open_secret(self._vault, tenant_id, device_id, name, sealed)
            except SecretUnreadable as error:
                unreadable.append(str(error))
                continue
            again = seal_secrets(self._vault, tenant_id, device_id, {Secret(name): text})
            await put_secrets(tx, tenant_id, device_id, again)
            done += 1
        return Resealed(done, unreadable)

    async def snapshot(self) -> InventorySnapshot:
        """Return all devices of all tenants as the collector polls them, decrypted passwords included.

        One whose row or password can't be read is told apart, logged and counted:
        its damage must not stop the polling of all the others.
        """

        async def read(tx: Transaction) -> Sequence[Row]:
            await tx.execute(
                f"SELECT {COLUMNS}, {STORED}, (SELECT secret FROM device_credential c"
                " WHERE c.tenant_id = d.tenant_id AND c.device_id = d.device_id)"
                " FROM device d ORDER BY tenant_id, name"
            )
            return tx.fetchall()

        rows = await self._db.run("devices.snapshot", read)
        return await asyncio.to_thread(self._devices, rows)

    def _devices(self, rows: Sequence[Row]) -> InventorySnapshot:
        known = {}
        unreadable = []
        for *columns, secret in rows:
            tenant_id, device_id, _, _, _, name, *_ = columns
            sealed = bytes(secret or b"")
            before = self._known.get(device_id)
            # Compared whole: someone may write rows without counting revisions.
            if before is not None and before[:2] == (tuple(columns), sealed):
                known[device_id] = before
                continue
            try:
                *own, secrets = columns
                device = self._opened(record_of(tuple(own)), sealed, secrets)
            except (RowUnusable, SecretUnreadable) as error:
                DEVICES_UNREADABLE.labels(what="row" if isinstance(error, RowUnusable) else "secret").inc()
                logger.error("device %s can't be polled: %s", name, error)
                unreadable.append(UnreadableDevice(device_id, tenant_id, name, str(error)))
                continue
            known[device_id] = tuple(columns), sealed, device
        self._known = known
        return InventorySnapshot([device for _, _, device in known.values()], unreadable)

    async def watch(self) -> AsyncGenerator[None, None]:
        """Yield once at the start, then whenever devices were added, changed or removed.

        Many changes at once give one signal; read ``snapshot`` upon it. Close it
        (``contextlib.aclosing``): it holds a connection until then.
        """
        changed = asyncio.Event()
        listening = await self._db.listen(CHANNEL, lambda _: changed.set())
        try:
            changed.set()
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            await listening.stop()


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
    """Whether any password is stored: then the master key that sealed it must not be replaced. Needs no vault."""

    async def read(tx: Transaction) -> bool:
        await tx.execute("SELECT EXISTS (SELECT FROM device_credential)")
        row = tx.fetchone()
        return bool(row and row[0])

    return await db.run("devices.has_secrets", read)


async def _find(tx: Transaction, tenant_id: str, device: str, *, lock: bool = False) -> DeviceRecord:
    # A name may look like an id, so the id goes first.
    await tx.execute(
        f"SELECT {COLUMNS} FROM device WHERE tenant_id = %s AND (device_id::text = %s OR name = %s)"
        f" ORDER BY device_id::text = %s DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        (tenant_id, device, device, device),
    )
    return record_of(_one(tx, device))


def _one(tx: Transaction, device: str) -> Row:
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no device {device!r}")
    return row


async def _put_secret(tx: Transaction, tenant_id: str, device_id: str, sealed: bytes) -> None:
    await tx.execute(
        "INSERT INTO device_credential (tenant_id, device_id, secret) VALUES (%s, %s, %s)"
        " ON CONFLICT (tenant_id, device_id) DO UPDATE SET secret = excluded.secret, updated_at = now()",
        (tenant_id, device_id, sealed),
    )
