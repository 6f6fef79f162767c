"""Tenants, and what they may use."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, fields

NO_TENANT_ID = str(uuid.UUID(int=0))
"""Of rows that belong to no tenant, super-admins among them."""

NAME_CHARACTERS = 100


class Quota(enum.StrEnum):
    """What is limited per tenant."""

    DEVICES = "devices"
    COLLECTORS = "collectors"
    INGEST_POINTS_PER_S = "ingest_points_per_s"
    RETENTION_DAYS = "retention_days"
    DIAGNOSTICS_PER_HOUR = "diagnostics_per_hour"


@dataclass(frozen=True, slots=True)
class Quotas:
    """What a tenant may use; None: without limit."""

    devices: int | None = None
    collectors: int | None = None
    ingest_points_per_s: int | None = None
    retention_days: int | None = None
    diagnostics_per_hour: int | None = None

    def of(self, quota: Quota) -> int | None:
        """Return one of them."""
        limit: int | None = getattr(self, quota.value)
        return limit

    def problems(self) -> list[str]:
        """Return all that makes no sense."""
        wrong = []
        for field in fields(self):
            value = getattr(self, field.name)
            least = 1 if field.name == Quota.RETENTION_DAYS else 0
            if value is not None and not least <= value < 2**31:
                wrong.append(f"{field.name} {value} isn't between {least} and {2**31 - 1}")
        return wrong


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as callers are checked against it."""

    tenant_id: str
    name: str
    enabled: bool


def name_problem(name: str) -> str:
    """Return why a tenant, a user or a token can't have a name; empty if it can."""
    if not name.strip():
        return "the name is empty"
    if len(name) > NAME_CHARACTERS or not name.isprintable():
        return f"a name has at most {NAME_CHARACTERS} characters, all of them printable"
    if name != name.strip():
        return "a name may not begin or end with spaces"
    try:
        uuid.UUID(name)
    except ValueError:
        return ""
    return "a name may not look like an id"
