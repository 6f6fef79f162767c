"""Every column of the schema that holds sealed secrets: what a rotation seals anew.

A part of mtd that keeps secrets of its own adds its column here.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtd.security.interfaces import PASSWORD, Bond


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """The column ``secret`` of a table. ``kind_column``: which column says the kind; the password where none does."""

    table: str
    owner: str
    owner_column: str
    kind_column: str = ""

    @property
    def key(self) -> str:
        """SQL: what tells the rows of a tenant apart, as two texts."""
        kind = self.kind_column or f"'{PASSWORD}'"
        return f"{self.owner_column}::text, {kind}::text"

    def bond(self, tenant_id: str, owner_id: str, kind: str) -> Bond:
        """Return what the secret of a row is bound to."""
        return Bond(tenant_id, self.owner, owner_id, kind)


DEVICE, CREDENTIAL = "device", "credential"
INGEST_KEY = "ingest key"

SEALED_COLUMNS = (
    SealedColumn("device_credential", DEVICE, "device_id"),
    SealedColumn("device_secret", DEVICE, "device_id", "name"),
    SealedColumn("credential_secret", CREDENTIAL, "credential_id", "kind"),
    SealedColumn("ingest_key_secret", INGEST_KEY, "key_id", "generation"),
)
