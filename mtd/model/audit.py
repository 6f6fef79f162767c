"""What the audit log tells of: who did what, to what, from where, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mtd.model.principal import CallerKind, Principal
from mtd.model.tenant import NO_TENANT_ID

OK = "OK"
STARTED = "STARTED"
"""The outcome of what has only begun: an entry with the end of it follows, unless the process died."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed, or one that was refused.

    ``action`` is a method (``inventory.v1.InventoryService/UpdateDevice``) or a dotted word (``ca.revoke``),
    ``outcome`` is OK, STARTED or the name of a gRPC status, ``target`` names what it was done to. Never holds secrets.
    """

    action: str
    outcome: str
    tenant_id: str
    caller_kind: str
    caller: str
    caller_id: str = ""
    role: str = ""
    peer: str = ""
    target: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


def entry_of(
    principal: Principal,
    action: str,
    outcome: str = OK,
    target: str = "",
    detail: Mapping[str, str] | None = None,
) -> AuditEntry:
    """Return the entry of a deed of a caller."""
    return AuditEntry(
        action,
        outcome,
        principal.tenant_id,
        str(principal.kind),
        principal.name,
        principal.caller_id,
        "" if principal.role is None else principal.role.word,
        principal.peer,
        target,
        dict(detail or {}),
    )


def entry_of_unknown(
    action: str, outcome: str, tenant_id: str, peer: str, reason: str, target: str = ""
) -> AuditEntry:
    """Return the entry of somebody who could not prove who they are."""
    return AuditEntry(
        action,
        outcome,
        tenant_id,
        str(CallerKind.UNKNOWN),
        "",
        peer=peer,
        target=target,
        detail={"reason": reason},
    )


def entry_of_refused(
    claimed: Principal | None, action: str, outcome: str, peer: str, reason: str, target: str = ""
) -> AuditEntry:
    """Return the entry of somebody who wasn't let in: with whom they claimed to be, and for that tenant, if that is known."""
    if claimed is None:
        return entry_of_unknown(action, outcome, NO_TENANT_ID, peer, reason, target)
    return entry_of(replace(claimed, peer=peer), action, outcome, target, {"reason": reason})
