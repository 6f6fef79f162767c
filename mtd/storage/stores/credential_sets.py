"""Sets of credentials: logins that devices share, each for one purpose."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from mtd.core.errors import AlreadyExists, Conflict, NotFound, Refused
from mtd.model.credentials import Purpose
from mtd.security.interfaces import PASSWORD, Bond, ISecretSealer
from mtd.storage.errors import Duplicate, StatementRejected
from mtd.storage.pool import Database
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.device_settings import DeviceSettings, Secret
from mtd.storage.stores.places import InUse
from mtd.storage.stores.sealed_columns import CREDENTIAL
from mtd.storage.txn import Row, Transaction

KINDS = (PASSWORD, *map(str, Secret))
_NO_SECRETS: Mapping[str, SetSecret] = {}
_COLUMNS = "credential_id, name, purpose, username, notes, revision, created_at, updated_at"
_USED_BY = (
    "(SELECT count(*) FROM device d WHERE d.tenant_id = c.tenant_id AND c.name IN"
    " (d.readonly_credentials, d.diagnostics_credentials, d.config_audit_credentials))"
)
_SECRETS = (
    "(SELECT coalesce(jsonb_object_agg(s.kind, coalesce(s.reference, '')), '{}') FROM credential_secret s"
    " WHERE s.tenant_id = c.tenant_id AND s.credential_id = c.credential_id)"
)
_FOREIGN_KEY = "23503"


@dataclass(frozen=True, slots=True)
class SetSecret:
    """A secret of a set: the secret itself, or where it is kept. Neither: it goes away."""

    secret: str = field(default="", repr=False)
    reference: str = ""


@dataclass(frozen=True, slots=True)
class SetSettings:
    """What people set about a set. The purpose stays as it was made."""

    name: str
    purpose: Purpose
    username: str = ""
    notes: str = ""

    def checked(self) -> SetSettings:
        """Return the settings. Raises Refused."""
        if not self.name.strip():
            raise Refused("name is empty: give the set a name, such as 'core-readonly'")
        return replace(self, name=self.name.strip())


SET_FIELDS = frozenset(f.name for f in fields(SetSettings)) - {"purpose"}


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A set. ``secrets``: the reference of each secret that it has; empty where the secret itself is stored."""

    credential_id: str
    settings: SetSettings
    secrets: Mapping[str, str]
    used_by: int
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime


class CredentialSetStore:
    """Creates, reads, changes and deletes sets. Opens no secret."""

    def __init__(self, db: Database, sealer: ISecretSealer) -> None:
        self._db = db
        self._sealer = sealer

    async def create(
        self, tenant_id: str, settings: SetSettings, secrets: Mapping[str, SetSecret] = _NO_SECRETS
    ) -> CredentialSet:
        """Add a set. Raises AlreadyExists if its name is taken, Refused."""
        settings = settings.checked()
        credential_id = str(uuid.uuid4())

        async def insert(tx: Transaction) -> CredentialSet:
            await tx.execute(
                "INSERT INTO credential_set (tenant_id, credential_id, name, purpose, username, notes)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                (
                    *(tenant_id, credential_id, settings.name),
                    *(str(settings.purpose), settings.username, settings.notes),
                ),
            )
            await self._put(tx, tenant_id, credential_id, secrets)
            return await _find(tx, tenant_id, credential_id)

        try:
            return await self._db.run("credential_sets.create", insert, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a set of credentials {settings.name!r} already") from None

    async def get(self, tenant_id: str, name: str) -> CredentialSet:
        """Return a set by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> CredentialSet:
            return await _find(tx, tenant_id, name)

        return await self._db.run("credential_sets.get", read, tenant=tenant_id)

    async def list(self, tenant_id: str, *, after_name: str = "", limit: int = 100) -> list[CredentialSet]:
        """Return sets by name, at most ``limit`` behind ``after_name``."""

        async def read(tx: Transaction) -> list[CredentialSet]:
            await tx.execute(
                f"SELECT {_COLUMNS}, {_SECRETS}, {_USED_BY} FROM credential_set c"
                " WHERE tenant_id = %s AND name > %s ORDER BY name LIMIT %s",
                (tenant_id, after_name, limit),
            )
            return list(map(_set_of, tx.fetchall()))

        return await self._db.run("credential_sets.list", read, tenant=tenant_id)

    async def update(
        self,
        tenant_id: str,
        name: str,
        settings: SetSettings,
        mask: Sequence[str],
        secrets: Mapping[str, SetSecret] = _NO_SECRETS,
        *,
        revision: int = 0,
    ) -> CredentialSet:
        """Change what the mask names, and the secrets that are given.

        Raises NotFound, Refused, AlreadyExists (the new name), and Conflict if it was changed since ``revision``.
        """
        unknown = sorted(set(mask) - SET_FIELDS)
        if unknown:
            raise Refused(
                f"{', '.join(unknown)} can't be changed; there are {', '.join(sorted(SET_FIELDS))}: make another set"
                " for another purpose"
            )

        async def change(tx: Transaction) -> CredentialSet:
            before = await _find(tx, tenant_id, name, lock=True)
            if revision and before.revision != revision:
                raise Conflict(f"{name!r} is at revision {before.revision}, not {revision}: read it again")
            changed = replace(before.settings, **{key: getattr(settings, key) for key in mask}).checked()
            await tx.execute(
                "UPDATE credential_set SET name = %s, username = %s, notes = %s, revision = revision + 1,"
                " updated_at = now() WHERE tenant_id = %s AND credential_id = %s",
                (changed.name, changed.username, changed.notes, tenant_id, before.credential_id),
            )
            await self._put(tx, tenant_id, before.credential_id, secrets)
            return await _find(tx, tenant_id, before.credential_id)

        try:
            return await self._db.run("credential_sets.update", change, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a set of credentials {settings.name!r} already") from None

    async def delete(self, tenant_id: str, name: str) -> None:
        """Remove a set. Raises NotFound, and InUse while devices use it."""

        async def remove(tx: Transaction) -> None:
            found = await _find(tx, tenant_id, name, lock=True)
            if found.used_by:
                raise _in_use(name, found.used_by)
            await tx.execute(
                "DELETE FROM credential_set WHERE tenant_id = %s AND credential_id = %s",
                (tenant_id, found.credential_id),
            )

        try:
            await self._db.run("credential_sets.delete", remove, tenant=tenant_id)
        except StatementRejected as error:
            if error.sqlstate != _FOREIGN_KEY:
                raise
            raise _in_use(name, 1) from None  # a device began to use it meanwhile

    async def _put(
        self, tx: Transaction, tenant_id: str, credential_id: str, secrets: Mapping[str, SetSecret]
    ) -> None:
        unknown = sorted(secrets.keys() - set(KINDS))
        if unknown:
            raise Refused(f"a set has no {', '.join(unknown)}; there are {', '.join(KINDS)}")
        sealing = None
        for kind, given in secrets.items():
            if given.secret and given.reference:
                raise Refused(f"{kind}: give the secret or a reference, not both")
            sealed = None
            if given.secret:
                sealing = sealing or await self._sealer.sealing(DataKeys(tx), tenant_id)
                sealed = sealing.seal(Bond(tenant_id, CREDENTIAL, credential_id, kind), given.secret)
            key = (tenant_id, credential_id, kind)
            await tx.execute(
                "DELETE FROM credential_secret WHERE tenant_id = %s AND credential_id = %s AND kind = %s", key
            )
            if sealed is not None or given.reference:
                await tx.execute(
                    "INSERT INTO credential_secret (tenant_id, credential_id, kind, secret, reference)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (*key, sealed, given.reference or None),
                )


async def kinds_of_sets(tx: Transaction, tenant_id: str, settings: DeviceSettings) -> set[str]:
    """Return which secrets a device's set for polling has. Raises Refused for a set that isn't there, or isn't for that."""
    named = {purpose: name for purpose in Purpose if (name := getattr(settings, purpose.setting))}
    if not named:
        return set()
    await tx.execute(
        f"SELECT name, purpose, {_SECRETS} FROM credential_set c WHERE tenant_id = %s AND name = ANY (%s)",
        (tenant_id, list(named.values())),
    )
    found = {name: (purpose, set(secrets)) for name, purpose, secrets in tx.fetchall()}
    wrong = []
    for purpose, name in named.items():
        if name not in found:
            wrong.append(f"{purpose.setting}: there is no set of credentials {name!r}; make it first")
        elif found[name][0] != purpose:
            wrong.append(f"{purpose.setting}: {name!r} is a set for {found[name][0]}, not for {purpose}")
    if wrong:
        raise Refused("; ".join(wrong))
    return found[named[Purpose.READONLY]][1] if Purpose.READONLY in named else set()


def _in_use(name: str, count: int) -> InUse:
    devices = "a device uses" if count == 1 else f"{count} devices use"
    return InUse(f"{devices} the set {name!r}: let them use another first")


async def _find(tx: Transaction, tenant_id: str, name: str, *, lock: bool = False) -> CredentialSet:
    await tx.execute(
        f"SELECT {_COLUMNS}, {_SECRETS}, {_USED_BY} FROM credential_set c"
        " WHERE tenant_id = %s AND (credential_id::text = %s OR name = %s)"
        f" ORDER BY credential_id::text = %s DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        (tenant_id, name, name, name),
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no set of credentials {name!r}")
    return _set_of(row)


def _set_of(row: Row) -> CredentialSet:
    credential_id, name, purpose, username, notes, revision, created, updated, secrets, used_by = row
    settings = SetSettings(name, Purpose(purpose), username, notes)
    return CredentialSet(str(credential_id), settings, dict(secrets), used_by, revision, created, updated)
