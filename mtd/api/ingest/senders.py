"""Who may send, and as whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from mtd.api import metrics
from mtd.api.access.rules import Rule
from mtd.core.errors import Forbidden
from mtd.ingest.copying.check import Speaker
from mtd.ingest.push.door import Sender
from mtd.model.principal import CallerKind, Principal, Role
from mtd.storage.stores.ingest_keys import GoodKey

SCOPE = "ingest.write"
MOST_RESULTS = 1000
"""Rows of a batch that an answer tells of."""

RULE = Rule("ingest.v1.IngestService/Ingest", Role.VIEWER, SCOPE, collectors=True)
"""What sending a batch asks for, by whatever door."""

Served = Callable[[str], Awaitable[Collection[str]]]
"""Tenants that a collector serves beside its own, by its id."""


def sender_of(caller: Principal) -> Sender:
    """Return who sends. Raises Forbidden for people who may only look.

    Tokens that have the scope were made for it, whatever their role.
    """
    made_for_it = caller.kind is CallerKind.COLLECTOR or SCOPE in caller.scopes
    if not made_for_it and not caller.has_role(Role.OPERATOR):
        metrics.ACCESS_REFUSED.labels(reason="role").inc()
        raise Forbidden(f"{caller} may not send anything: that takes the scope {SCOPE}, or the role operator")
    return Sender(caller.tenant_id, caller.name or str(caller.kind), _id_of(caller))


async def speaker_of(caller: Principal, served: Served, sole: str = "") -> Speaker:
    """Return who sends a log, with the tenants that it may speak for: ``sole``, if that is the only one here.

    Raises Retryable.
    """
    if caller.crosses_tenants:
        tenants = frozenset((sole,)) if sole else None
    elif caller.kind is CallerKind.COLLECTOR:
        tenants = frozenset((caller.tenant_id, *await served(caller.caller_id)))
    else:
        tenants = frozenset((caller.tenant_id,))
    stamped = caller.name if caller.kind is CallerKind.COLLECTOR else ""
    return Speaker(str(caller), caller.tenant_id, tenants, stamped, _id_of(caller))


def principal_of(key: GoodKey, peer: str) -> Principal:
    """Return who signs with a key."""
    return Principal(
        CallerKind.TOKEN, key.name, key.tenant_id, Role.VIEWER, peer, key.key_id, frozenset((SCOPE,))
    )


def _id_of(caller: Principal) -> str:
    return f"{caller.kind}:{caller.caller_id or caller.name}@{caller.tenant_id}"
