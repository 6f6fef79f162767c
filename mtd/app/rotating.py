"""Keys are rotated, and looked at, by the operator's commands, whether or not the daemon runs."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mtd.app.secrets import master_keys
from mtd.core.errors import MtdError, NotFound, Refused
from mtd.model.audit import OK, STARTED, AuditEntry
from mtd.model.principal import CallerKind
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.vault import Vault
from mtd.storage.audit_blocking import audit_blocking
from mtd.storage.pool import Database
from mtd.storage.schema import check
from mtd.storage.stores.rotation import Rotated, Rotation, find_tenant
from mtd.storage.stores.secret_status import SecretStatus, secret_status

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.app.maintenance import Report

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which keys are to be rotated; of one tenant, by its name or id, or of all."""

    master: bool = True
    data_keys: bool = True
    tenant: str = ""


async def rotate_keys(settings: Settings, dsn: str, wanted: Wanted, report: Report) -> Rotated:
    """Make new keys and seal everything anew. May be ended at any time, and begun again.

    Raises Refused, NotFound, KeyUnusable, Misconfigured and StorageUnavailable.
    """
    if wanted.master and wanted.tenant:
        raise Refused("the master key is that of all tenants: rotate it without --tenant")

    async def rotate(db: Database, vault: Vault) -> Rotated:
        rotation = Rotation(db, vault, report)
        tenants = await rotation.tenants()
        if wanted.tenant:
            tenants = [await _tenant(db, wanted.tenant)]
        scope = tenants[0] if wanted.tenant else NO_TENANT_ID
        target = " ".join(
            word for word, asked in (("master-key", wanted.master), ("data-keys", wanted.data_keys)) if asked
        )
        await _audit(dsn, scope, STARTED, target)
        try:
            if wanted.master:
                await rotation.master_key()
            for tenant_id in tenants if wanted.data_keys else ():
                await rotation.data_key(tenant_id)
        except MtdError as error:
            await _audit(dsn, scope, "FAILED", target, {"reason": str(error)})
            raise
        await _audit(dsn, scope, OK, target, _figures(rotation.done))
        return rotation.done

    return await _with(settings, dsn, rotate)


async def look_at_secrets(settings: Settings, dsn: str) -> SecretStatus:
    """Tell what seals what, and try to open everything. Raises KeyUnusable, Misconfigured and StorageUnavailable."""
    return await _with(settings, dsn, secret_status)


async def _with(settings: Settings, dsn: str, work: Callable[[Database, Vault], Awaitable[T]]) -> T:
    await check(dsn)
    vault = Vault(await asyncio.to_thread(master_keys, settings, may_make=False))
    db = Database.for_writing(dsn, settings.database.model_copy(update={"pool_size": 2}))
    await db.start()
    try:
        return await work(db, vault)
    finally:
        await db.stop()


async def _tenant(db: Database, tenant: str) -> str:
    found = await find_tenant(db, tenant)
    if found is None:
        raise NotFound(f"there is no tenant {tenant!r}")
    return found


async def _audit(
    dsn: str, tenant_id: str, outcome: str, target: str, detail: Mapping[str, str] | None = None
) -> None:
    entry = AuditEntry(
        "secrets.rotate",
        outcome,
        tenant_id,
        str(CallerKind.LOCAL),
        _operator(),
        peer=socket.gethostname(),
        target=target,
        detail=dict(detail or {}),
    )
    await asyncio.to_thread(audit_blocking, dsn, entry)


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user of a container may have no name
        return f"uid {os.getuid()}"


def _figures(done: Rotated) -> dict[str, str]:
    return {
        "new_master_key": done.new_master_key,
        "rewrapped": str(done.rewrapped),
        "new_data_keys": str(done.new_data_keys),
        "sealed": str(done.sealed),
        "unreadable": str(len(done.unreadable)),
    }
