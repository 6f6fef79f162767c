"""Devices as the collector polls them, their secrets opened. Doors must not import it (.importlinter)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtd.model.credentials import Purpose
from mtd.model.device import DEFAULT_TENANT_ID, Device, Login
from mtd.security.errors import SecretUnavailable, SecretUnreadable
from mtd.security.interfaces import PASSWORD, Bond, IOpening, ISecretOpener
from mtd.security.providers.resolver import Pending, SecretResolver
from mtd.storage.errors import RowUnusable
from mtd.storage.metrics import DEVICES_UNREADABLE
from mtd.storage.pool import Database
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.device_settings import COLUMNS, DeviceRecord, Secret, record_of, to_device
from mtd.storage.stores.devices import find_device
from mtd.storage.stores.sealed_columns import CREDENTIAL, DEVICE
from mtd.storage.txn import Row, Transaction

logger = logging.getLogger(__name__)

CHANNEL = "mtd_device"

# Of the tools' sets the secrets are fetched when a tool is run.
_FETCHED = tuple(
    COLUMNS.split(", ").index(purpose.setting) for purpose in (Purpose.READONLY, Purpose.CONFIG_AUDIT)
)
_OWN = (
    "SELECT device_id::text, '" + PASSWORD + "', secret FROM device_credential {where}"
    " UNION ALL SELECT device_id::text, name, secret FROM device_secret {where}"
)
_REDUNDANT = (
    "SELECT d.device_id::text FROM device d LEFT JOIN site s USING (tenant_id, site_id)"
    " WHERE coalesce(d.redundancy, s.redundancy, 1) > 1"
)
_SETS = (
    "SELECT c.tenant_id::text, c.name, c.credential_id::text, c.username, s.kind, s.secret, s.reference"
    " FROM credential_set c LEFT JOIN credential_secret s USING (tenant_id, credential_id) {where}"
)


@dataclass(frozen=True, slots=True)
class UnreadableDevice:
    """A device of the inventory that can't be polled as it is stored; ``reason`` says what to do about it."""

    device_id: str
    tenant_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class InventorySnapshot:
    """All devices of all tenants: those that can be polled, and those whose row or secret can't be read.

    One whose secret is on its way from where it is kept is in neither: there is another snapshot when it came.
    """

    devices: Sequence[Device]
    unreadable: Sequence[UnreadableDevice] = ()
    redundant: frozenset[str] = frozenset()
    """Ids of devices that two collectors poll at a time."""


@dataclass(slots=True)
class _Set:
    """A set of credentials, as it is stored."""

    credential_id: str
    username: str
    sealed: dict[str, bytes] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Login:
    """All that a device's login is made of, as it is stored. Logins that are equal open to the same secrets."""

    own: Mapping[str, bytes]
    shared: _Set | None
    elsewhere: Mapping[str, str]  # what references stand for, now
    audit: _Set | None = None
    audit_elsewhere: Mapping[str, str] = field(default_factory=dict)
    audit_problem: str = ""


class PolledDevices:
    """Gives devices with their secrets, and follows their changes."""

    def __init__(self, db: Database, opener: ISecretOpener, resolver: SecretResolver | None = None) -> None:
        self._db = db
        self._opener = opener
        self._resolver = resolver or SecretResolver({})
        # Of the last snapshot: decrypting a thousand passwords takes longer than reading them.
        self._known: dict[str, tuple[Row, _Login, Device]] = {}

    def users_of(self, tenant_id: str, reference: str) -> list[Device]:
        """Return the devices of the last snapshot that log in with what a reference stands for."""
        return [
            device
            for _, login, device in self._known.values()
            if device.tenant_id == tenant_id
            and any(
                reference in one.references.values() for one in (login.shared, login.audit) if one is not None
            )
        ]

    async def polled(
        self, device: str, tenant_id: str = DEFAULT_TENANT_ID, purpose: Purpose = Purpose.READONLY
    ) -> Device:
        """Return a device with the login for a purpose: that of its set, else its own.

        Raises NotFound, SecretUnreadable and SecretUnavailable.
        """

        async def read(tx: Transaction) -> tuple[DeviceRecord, Mapping[str, bytes], _Set | None, IOpening]:
            found = await find_device(tx, tenant_id, device)
            where = "WHERE tenant_id = %s AND device_id = %s"
            await tx.execute(_OWN.format(where=where), (tenant_id, found.device_id) * 2)
            own = _by_device(tx.fetchall()).get(found.device_id, {})
            shared = await _read_set(tx, tenant_id, getattr(found.settings, purpose.setting))
            return found, own, shared, await self._opening(tx, [own], [shared])

        record, own, shared, opening = await self._db.run("devices.polled", read, tenant=tenant_id)
        references = {} if shared is None else shared.references
        elsewhere = {
            kind: await self._resolver.resolve(tenant_id, reference) for kind, reference in references.items()
        }
        return _opened(record, _Login(own, shared, elsewhere), opening)

    async def password(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> str:
        """Return a device's password. Raises as `polled` does."""
        return (await self.polled(device, tenant_id)).password

    async def snapshot(self) -> InventorySnapshot:
        """Return all devices of all tenants as the collector polls them, decrypted passwords included.

        One whose row or password can't be read is told apart, logged and counted:
        its damage must not stop the polling of all the others.
        """

        async def read(
            tx: Transaction,
        ) -> tuple[Sequence[Row], Mapping[str, Mapping[str, bytes]], _Sets, frozenset[str], IOpening]:
            await tx.execute(f"SELECT {COLUMNS} FROM device ORDER BY tenant_id, name")
            rows = tx.fetchall()
            await tx.execute(_OWN.format(where=""))
            own = _by_device(tx.fetchall())
            await tx.execute(_SETS.format(where=""))
            sets = _sets_of(tx.fetchall())
            await tx.execute(_REDUNDANT)
            redundant = frozenset(str(row[0]) for row in tx.fetchall())
            # Keys last: a key may be younger than a secret, but no secret is younger than its key.
            return rows, own, sets, redundant, await self._opening(tx, own.values(), sets.values())

        rows, own, sets, redundant, opening = await self._db.run("devices.snapshot", read)
        used = _references(rows, sets)
        self._resolver.keep(used)
        elsewhere = {
            (tenant_id, reference): self._resolver.look(tenant_id, reference) for tenant_id, reference in used
        }
        snapshot = await asyncio.to_thread(self._devices, rows, own, sets, elsewhere, opening)
        return replace(snapshot, redundant=redundant)

    async def watch(self) -> AsyncGenerator[None, None]:
        """Yield once at the start, then whenever devices, or secrets of theirs, were added, changed or removed.

        Many changes at once give one signal; read ``snapshot`` upon it. Close it
        (``contextlib.aclosing``): it holds a connection until then.
        """
        changed = asyncio.Event()
        listening = await self._db.listen(CHANNEL, lambda _: changed.set())
        self._resolver.listeners.add(changed.set)
        try:
            changed.set()
            while True:
                await changed.wait()
                changed.clear()
                yield
        finally:
            self._resolver.listeners.discard(changed.set)
            await listening.stop()

    async def _opening(
        self, tx: Transaction, own: Iterable[Mapping[str, bytes]], sets: Iterable[_Set | None]
    ) -> IOpening:
        sealed = [one for secrets in own for one in secrets.values()]
        sealed += [one for shared in sets if shared is not None for one in shared.sealed.values()]
        opening: IOpening = await self._opener.opening(DataKeys(tx), sealed)
        return opening

    def _devices(
        self,
        rows: Sequence[Row],
        own: Mapping[str, Mapping[str, bytes]],
        sets: _Sets,
        elsewhere: Mapping[tuple[str, str], str | Exception],
        opening: IOpening,
    ) -> InventorySnapshot:
        known = {}
        unreadable = []
        for columns in rows:
            tenant_id, device_id, _, _, _, name, *_ = columns
            try:
                record = record_of(columns)
                shared = _set_for(record, sets, Purpose.READONLY)
                login = _Login(own.get(device_id, {}), shared, _values(tenant_id, shared, elsewhere))
                _add_audit(login, record, sets, elsewhere)
                before = self._known.get(device_id)
                # Compared whole: someone may write rows without counting revisions.
                if before is not None and before[:2] == (columns, login):
                    known[device_id] = before
                    continue
                known[device_id] = columns, login, _opened(record, login, opening)
            except Pending:
                continue
            except (RowUnusable, SecretUnreadable, SecretUnavailable) as error:
                DEVICES_UNREADABLE.labels(what="row" if isinstance(error, RowUnusable) else "secret").inc()
                logger.error("device %s can't be polled: %s", name, error)
                unreadable.append(UnreadableDevice(device_id, tenant_id, name, str(error)))
        self._known = known
        return InventorySnapshot([device for _, _, device in known.values()], unreadable)


_Sets = Mapping[tuple[str, str], _Set]
"""By tenant and name."""


def _references(rows: Sequence[Row], sets: _Sets) -> set[tuple[str, str]]:
    """Return the references of those sets that what polls logs in with, by tenant."""
    named = {(str(row[0]), row[place]) for row in rows for place in _FETCHED if row[place]}
    return {
        (tenant_id, reference)
        for tenant_id, name in named & sets.keys()
        for reference in sets[tenant_id, name].references.values()
    }


async def _read_set(tx: Transaction, tenant_id: str, name: str) -> _Set | None:
    if not name:
        return None
    await tx.execute(_SETS.format(where="WHERE tenant_id = %s AND c.name = %s"), (tenant_id, name))
    found = _sets_of(tx.fetchall()).get((tenant_id, name))
    if found is None:
        raise SecretUnreadable(f"the set of credentials {name!r} is gone: name another, or none")
    return found


def _set_for(record: DeviceRecord, sets: _Sets, purpose: Purpose) -> _Set | None:
    name = getattr(record.settings, purpose.setting)
    if not name:
        return None
    found = sets.get((record.tenant_id, name))
    if found is None:  # it was renamed between two questions: the next snapshot is on its way
        raise SecretUnreadable(f"the set of credentials {name!r} is gone: name another, or none")
    return found


def _add_audit(
    login: _Login,
    record: DeviceRecord,
    sets: _Sets,
    elsewhere: Mapping[tuple[str, str], str | Exception],
) -> None:
    """Add the login by which the configuration is read. What is wrong with it stops nothing else."""
    try:
        login.audit = _set_for(record, sets, Purpose.CONFIG_AUDIT)
        login.audit_elsewhere = _values(record.tenant_id, login.audit, elsewhere)
    except (Pending, SecretUnavailable, SecretUnreadable) as error:
        login.audit_problem = str(error)


def _by_device(rows: Sequence[Row]) -> Mapping[str, Mapping[str, bytes]]:
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    for device_id, kind, sealed in rows:
        found[device_id][kind] = bytes(sealed)
    return found


def _sets_of(rows: Sequence[Row]) -> _Sets:
    found: dict[tuple[str, str], _Set] = {}
    for tenant_id, name, credential_id, username, kind, sealed, reference in rows:
        one = found.setdefault((tenant_id, name), _Set(credential_id, username))
        if sealed is not None:
            one.sealed[kind] = bytes(sealed)
        elif reference is not None:
            one.references[kind] = reference
    return found


def _values(
    tenant_id: str, shared: _Set | None, elsewhere: Mapping[tuple[str, str], str | Exception]
) -> Mapping[str, str]:
    """Return what the references of a set stand for. Raises Pending and SecretUnavailable."""
    found = {}
    for kind, reference in ({} if shared is None else shared.references).items():
        value = elsewhere[tenant_id, reference]
        if isinstance(value, Exception):
            raise value
        found[kind] = value
    return found


def _open(
    opening: IOpening, tenant_id: str, owner: str, owner_id: str, sealed: Mapping[str, bytes]
) -> dict[str, str]:
    return {kind: opening.open(Bond(tenant_id, owner, owner_id, kind), one) for kind, one in sealed.items()}


def _opened(record: DeviceRecord, login: _Login, opening: IOpening) -> Device:
    """Return a device with its secrets: those of the set, and its own for the rest. Raises SecretUnreadable."""
    shared, tenant_id = login.shared, record.tenant_id
    theirs = _secrets_of(shared, login.elsewhere, tenant_id, opening)
    # What the set has isn't looked for on the device: its own may be of another time.
    own = {kind: sealed for kind, sealed in login.own.items() if kind not in theirs}
    texts = {**_open(opening, tenant_id, DEVICE, record.device_id, own), **theirs}
    secrets = {secret: texts[secret.value] for secret in Secret if secret.value in texts}
    return to_device(
        record,
        texts.get(PASSWORD, ""),
        secrets,
        username="" if shared is None else shared.username,
        config_login=_config_login(record, login, opening),
    )


def _config_login(record: DeviceRecord, login: _Login, opening: IOpening) -> Login | None:
    """Return who reads the configuration; None if who polls does."""
    if login.audit is None and not login.audit_problem:
        return None
    username = record.settings.username if login.audit is None else login.audit.username
    username = username or record.settings.username
    if login.audit_problem:
        return Login(username, "", login.audit_problem)
    tenant_id = record.tenant_id
    try:
        password = _secrets_of(login.audit, login.audit_elsewhere, tenant_id, opening).get(PASSWORD)
        if password is None:
            own = {kind: sealed for kind, sealed in login.own.items() if kind == PASSWORD}
            password = _open(opening, tenant_id, DEVICE, record.device_id, own).get(PASSWORD, "")
    except SecretUnreadable as error:
        return Login(username, "", str(error))
    return Login(username, password)


def _secrets_of(
    shared: _Set | None, elsewhere: Mapping[str, str], tenant_id: str, opening: IOpening
) -> dict[str, str]:
    found = dict(elsewhere)
    if shared is not None:
        found.update(_open(opening, tenant_id, CREDENTIAL, shared.credential_id, shared.sealed))
    return found
