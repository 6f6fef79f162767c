"""Settings of security."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class SecurityConfig(BaseModel):
    """Where the master key is, and who is trusted."""

    model_config = ConfigDict(extra="forbid")

    master_key_file: Path | None = Field(
        None,
        description="File with the master key that encrypts router passwords; `master.key` in the data folder if unset."
        " Back it up apart from the database: without it the passwords are lost.",
    )
    trust_loopback: bool = Field(
        True,
        description="Programs on the daemon's own machine that call it on loopback and show nothing are its operator,"
        " a super-admin: all users of that machine are trusted then. What a proxy passes on never is.",
    )


class Personal(enum.StrEnum):
    """What becomes of what tells who a subscriber is."""

    KEPT = "kept"
    HASHED = "hashed"


class PrivacyConfig(BaseModel):
    """What mtd keeps of subscribers."""

    model_config = ConfigDict(extra="forbid")

    subscribers: Personal = Field(
        Personal.HASHED,
        description="Names, addresses and other fields that tell who a subscriber is: `hashed` replaces them by"
        " pseudonyms before anything is written down, `kept` keeps them as the router gives them.",
    )
    tenants: Mapping[uuid.UUID, Personal] = Field(
        default_factory=dict,
        description="The same for single tenants, by their id, where it differs.",
    )

    def of(self, tenant_id: str) -> Personal:
        """Return what becomes of a tenant's subscribers."""
        return self.tenants.get(uuid.UUID(tenant_id), self.subscribers)
