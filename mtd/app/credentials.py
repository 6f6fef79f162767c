"""Sets of credentials, as a service of the door: it seals, and opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtd.api.grpc.credentials import credential_part
from mtd.api.grpc.server import ServicePart
from mtd.security.interfaces import ISecretSealer
from mtd.storage.pool import Database
from mtd.storage.stores.credential_sets import CredentialSet, CredentialSetStore, SetSecret, SetSettings

CheckReference = Callable[[str, str], None]
"""Tenant, reference. Raises Refused for one that no provider will ever serve."""


class Credentials:
    """See `CredentialsBackend`."""

    def __init__(self, store: CredentialSetStore, check: CheckReference) -> None:
        self._store = store
        self._check = check
        self.get, self.list, self.delete = store.get, store.list, store.delete

    async def create(
        self, tenant_id: str, settings: SetSettings, secrets: Mapping[str, SetSecret]
    ) -> CredentialSet:
        """Add a set."""
        self._check_all(tenant_id, secrets)
        return await self._store.create(tenant_id, settings, secrets)

    async def update(
        self,
        tenant_id: str,
        name: str,
        settings: SetSettings,
        mask: Sequence[str],
        secrets: Mapping[str, SetSecret],
        *,
        revision: int = 0,
    ) -> CredentialSet:
        """Change a set."""
        self._check_all(tenant_id, secrets)
        return await self._store.update(tenant_id, name, settings, mask, secrets, revision=revision)

    def _check_all(self, tenant_id: str, secrets: Mapping[str, SetSecret]) -> None:
        for given in secrets.values():
            if given.reference:
                self._check(tenant_id, given.reference)


def credential_parts(
    database: Database, sealer: ISecretSealer, check: CheckReference
) -> Sequence[ServicePart]:
    """Return the service, on the database that doors ask."""
    backend = Credentials(CredentialSetStore(database, sealer), check)
    return (credential_part(backend),)
