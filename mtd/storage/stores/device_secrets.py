"""Secrets of devices besides the password: each sealed for its device and its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtd.core.errors import Refused
from mtd.security.interfaces import ISecretStore
from mtd.storage.stores.device_settings import DeviceSettings, Secret, Secrets
from mtd.storage.txn import Transaction

STORED = (
    "(SELECT jsonb_object_agg(s.name, encode(s.secret, 'hex')) FROM device_secret s"
    " WHERE s.tenant_id = d.tenant_id AND s.device_id = d.device_id)"
)
"""SQL: the sealed secrets of a row ``d`` of ``device``, as `open_secrets` takes them."""


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


def seal_secrets(vault: ISecretStore, tenant_id: str, device_id: str, secrets: Secrets) -> dict[str, bytes]:
    """Return secrets as they are stored."""
    return {name: vault.seal(tenant_id, _bound(device_id, name), text) for name, text in secrets.items()}


def open_secrets(
    vault: ISecretStore, tenant_id: str, device_id: str, sealed: Mapping[str, str] | None
) -> Secrets:
    """Return what `STORED` gave, decrypted. Raises SecretUnreadable."""
    return {
        Secret(name): str(vault.open(tenant_id, _bound(device_id, name), bytes.fromhex(text)))
        for name, text in (sealed or {}).items()
    }


def open_secret(vault: ISecretStore, tenant_id: str, device_id: str, name: str, sealed: bytes) -> str:
    """Return one secret, decrypted. Raises SecretUnreadable."""
    return str(vault.open(tenant_id, _bound(device_id, name), sealed))


async def read_names(tx: Transaction, tenant_id: str, device_id: str) -> set[str]:
    """Return which secrets a device has."""
    await tx.execute(
        "SELECT name FROM device_secret WHERE tenant_id = %s AND device_id = %s", (tenant_id, device_id)
    )
    return {name for (name,) in tx.fetchall()}


async def put_secrets(tx: Transaction, tenant_id: str, device_id: str, sealed: Mapping[str, bytes]) -> None:
    """Store secrets in place of those of the same names."""
    for name, secret in sealed.items():
        await tx.execute(
            "INSERT INTO device_secret (tenant_id, device_id, name, secret) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, device_id, name) DO UPDATE SET secret = excluded.secret, updated_at = now()",
            (tenant_id, device_id, str(name), secret),
        )


async def delete_secrets(tx: Transaction, tenant_id: str, device_id: str, names: Iterable[str]) -> None:
    """Forget secrets that nothing needs any more."""
    for name in names:
        await tx.execute(
            "DELETE FROM device_secret WHERE tenant_id = %s AND device_id = %s AND name = %s",
            (tenant_id, device_id, name),
        )


def _bound(device_id: str, name: str) -> str:
    """Return what a secret is bound to: in the place of another it can't be opened."""
    return f"{device_id}/{name}"
