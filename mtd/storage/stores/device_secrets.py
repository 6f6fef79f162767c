"""Secrets of devices: each sealed for its device and its kind. What is in here only writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtd.core.errors import Refused
from mtd.security.interfaces import Bond, ISealing
from mtd.storage.stores.device_settings import DeviceSettings, Secrets
from mtd.storage.stores.sealed_columns import DEVICE
from mtd.storage.txn import Transaction


def refuse_misfit(settings: DeviceSettings, given: Secrets, stored: Iterable[str] = ()) -> None:
    """Raise Refused unless there is a secret for all that needs one, and none for nothing."""
    needed = settings.secrets()
    wrong = [f"{name} is empty" for name in given if not given[name]]
    wrong += [
        f"{name} is given, but the settings of SNMP have no use for it" for name in given.keys() - needed
    ]
    wrong += [
        f"{name} is missing: the settings of SNMP need it" for name in needed - given.keys() - set(stored)
    ]
    if wrong:
        raise Refused("; ".join(sorted(wrong)))


def seal_secrets(sealing: ISealing, tenant_id: str, device_id: str, secrets: Secrets) -> dict[str, bytes]:
    """Return secrets as they are stored."""
    return {
        str(name): sealing.seal(Bond(tenant_id, DEVICE, device_id, str(name)), text)
        for name, text in secrets.items()
    }


async def read_names(tx: Transaction, tenant_id: str, device_id: str) -> set[str]:
    """Return which secrets a device has."""
    await tx.execute(
        "SELECT name FROM device_secret WHERE tenant_id = %s AND device_id = %s", (tenant_id, device_id)
    )
    return {name for (name,) in tx.fetchall()}


async def put_password(tx: Transaction, tenant_id: str, device_id: str, sealed: bytes) -> None:
    """Store a password in place of the one before."""
    await tx.execute(
        "INSERT INTO device_credential (tenant_id, device_id, secret) VALUES (%s, %s, %s)"
        # Not excluded.secret: doors may write the column, and not read it.
        " ON CONFLICT (tenant_id, device_id) DO UPDATE SET secret = %s, updated_at = now()",
        (tenant_id, device_id, sealed, sealed),
    )


async def put_secrets(tx: Transaction, tenant_id: str, device_id: str, sealed: Mapping[str, bytes]) -> None:
    """Store secrets in place of those of the same names."""
    for name, secret in sealed.items():
        await tx.execute(
            "INSERT INTO device_secret (tenant_id, device_id, name, secret) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, device_id, name) DO UPDATE SET secret = %s, updated_at = now()",
            (tenant_id, device_id, name, secret, secret),
        )


async def delete_secrets(tx: Transaction, tenant_id: str, device_id: str, names: Iterable[str]) -> None:
    """Forget secrets that nothing needs any more."""
    for name in names:
        await tx.execute(
            "DELETE FROM device_secret WHERE tenant_id = %s AND device_id = %s AND name = %s",
            (tenant_id, device_id, str(name)),
        )
