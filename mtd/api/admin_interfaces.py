"""What the doors of administration need from the rest of mtd. The application wires it in.

``tenant_id`` is the tenant of the users and tokens, or that of no tenant for super-admins.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mtd.model.tenant import Quota, Quotas
from mtd.security.tokens import Token
from mtd.storage.stores.tenants import TenantRecord
from mtd.storage.stores.tokens import NewToken, TokenRecord
from mtd.storage.stores.users import NewUser, UserRecord


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of a quota is used. None: no limit, or this daemon doesn't know."""

    quota: Quota
    limit: int | None
    used: float | None
    note: str = ""


class TenantBackend(Protocol):
    """The tenants. Names and ids of those that aren't there raise NotFound."""

    async def create(self, name: str, quotas: Quotas) -> TenantRecord:
        """Add a tenant. Raises AlreadyExists and Refused."""

    async def get(self, tenant: str) -> TenantRecord:
        """Return a tenant by its name or id."""

    async def list(self, after_name: str, limit: int) -> Sequence[TenantRecord]:
        """Return tenants by name, behind a name."""

    async def update(
        self, tenant: str, mask: Collection[str], name: str, enabled: bool, quotas: Quotas, revision: int
    ) -> TenantRecord:
        """Change what the mask names. Raises AlreadyExists, Conflict and Refused."""

    async def usage(self, tenant_id: str, quotas: Quotas) -> Sequence[QuotaUse]:
        """Return how much of each quota a tenant uses."""


class UserBackend(Protocol):
    """The users, and their passwords."""

    async def create(self, tenant_id: str, new: NewUser, password: str) -> UserRecord:
        """Add a user; without a password it can't log in with one. Raises AlreadyExists and Refused."""

    async def get(self, tenant_id: str, user: str) -> UserRecord:
        """Return a user by its name or id. Raises NotFound."""

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[UserRecord]:
        """Return users by name, behind a name."""

    async def update(
        self, tenant_id: str, user_id: str, changes: Mapping[str, Any], revision: int
    ) -> UserRecord:
        """Change a user. Raises AlreadyExists, Conflict and Refused."""

    async def delete(self, tenant_id: str, user_id: str) -> None:
        """Remove a user. Raises Refused for the last super-admin."""

    async def set_password(self, tenant_id: str, user_id: str, password: str) -> None:
        """Give a user another password. Raises Refused."""

    async def change_password(self, user_id: str, old: str, new: str) -> None:
        """Let a user change its own. Raises Forbidden for a wrong old one, QuotaExceeded after many, and Refused."""


class TokenBackend(Protocol):
    """The API tokens."""

    async def create(self, tenant_id: str, new: NewToken) -> tuple[TokenRecord, Token]:
        """Make a token; its secret is given once. Raises AlreadyExists and Refused."""

    async def get(self, tenant_id: str, token: str) -> TokenRecord:
        """Return a token by its id, or by its name unless it was revoked. Raises NotFound."""

    async def list(
        self, tenant_id: str, *, revoked: bool = False, after_id: str = "", limit: int = 100
    ) -> list[TokenRecord]:
        """Return tokens by id, behind an id; with ``revoked`` also those."""

    async def rotate(
        self, tenant_id: str, token: str, overlap_s: float, expires_at: dt.datetime | None = None
    ) -> tuple[TokenRecord, Token]:
        """Give a token a new secret. Raises NotFound and Refused."""

    async def revoke(self, tenant_id: str, token: str) -> TokenRecord:
        """End a token. Raises NotFound."""
