"""Statements of the audit log, and what goes in and out of them: for the reactor's driver and the blocking one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtd.model.audit import AuditEntry
from mtd.security.audit_chain import Deed, Head, Link
from mtd.storage import literals
from mtd.storage.errors import RowUnusable

LOCK_HEAD = "SELECT chain_id::text, position, hash FROM mtd.audit_head FOR UPDATE"
READ_HEAD = "SELECT chain_id::text, position, hash FROM mtd.audit_head"
KNOWN = "SELECT entry_id::text FROM mtd.audit_entry WHERE entry_id = ANY (%s::uuid[])"
MOVE_HEAD = "UPDATE mtd.audit_head SET position = %s, hash = %s"
READ_CHECKPOINT = "SELECT position, hash, told_by FROM mtd.audit_checkpoint ORDER BY position DESC LIMIT 1"
COLUMNS = (
    "position, entry_id::text, mtd.to_us(ts), tenant_id::text, action, outcome, caller_kind, caller, caller_id,"
    " role, peer, target, detail, prev_hash, hash"
)
APPEND = (
    "INSERT INTO mtd.audit_entry (position, entry_id, ts, tenant_id, action, outcome, caller_kind, caller,"
    " caller_id, role, peer, target, detail, prev_hash, hash)"
    " SELECT position, entry_id, mtd.from_us(ts_us), tenant_id, action, outcome, caller_kind, caller, caller_id,"
    " role, peer, target, detail::jsonb, prev_hash, hash FROM unnest(%(position)s::int8[], %(entry_id)s::uuid[],"
    " %(ts_us)s::int8[], %(tenant_id)s::uuid[], %(action)s::text[], %(outcome)s::text[], %(caller_kind)s::text[],"
    " %(caller)s::text[], %(caller_id)s::text[], %(role)s::text[], %(peer)s::text[], %(target)s::text[],"
    " %(detail)s::text[], %(prev_hash)s::bytea[], %(hash)s::bytea[]) AS t (position, entry_id, ts_us, tenant_id,"
    " action, outcome, caller_kind, caller, caller_id, role, peer, target, detail, prev_hash, hash)"
)
_TEXTS = ("action", "outcome", "caller_kind", "caller", "caller_id", "role", "peer", "target")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; what is empty doesn't matter. Times are microseconds since the epoch.

    ``tenant_id``: of all tenants if it is None. ``caller`` and ``action`` may hold ``*``; ``target`` is any part
    of what a deed was done to.
    """

    tenant_id: str | None
    start_us: int = 0
    end_us: int = 0
    caller: str = ""
    action: str = ""
    outcome: str = ""
    target: str = ""


def head_of(row: Sequence[Any] | None) -> Head:
    """Return the end of the chain from a row of `READ_HEAD`. Raises RowUnusable if there is none."""
    if row is None:
        raise RowUnusable("mtd.audit_head is empty: somebody removed the end of the audit log")
    return Head(int(row[1]), bytes(row[2]), str(row[0]))


def link_of(row: Sequence[Any]) -> Link:
    """Return an entry from a row of `COLUMNS`."""
    position, entry_id, ts_us, tenant_id, *texts, detail, prev_hash, own_hash = row
    action, outcome, caller_kind, caller, caller_id, role, peer, target = texts
    entry = AuditEntry(
        action, outcome, tenant_id, caller_kind, caller, caller_id, role, peer, target, _detail(detail)
    )
    return Link(int(position), Deed(entry, int(ts_us), entry_id), bytes(prev_hash), bytes(own_hash))


def _detail(stored: object) -> Mapping[str, str]:
    # What isn't an object of texts was put in by others: told apart, so that the hash doesn't fit.
    if not isinstance(stored, dict):
        return {"": f"{stored!r} (no object)"}
    return {
        name: value if isinstance(value, str) else f"{value!r} (no text)" for name, value in stored.items()
    }


def ids(deeds: Sequence[Deed]) -> str:
    """Return the parameter of `KNOWN`."""
    return literals.plain(deed.entry_id for deed in deeds)


def fresh(deeds: Sequence[Deed], known: Sequence[Sequence[Any]]) -> list[Deed]:
    """Return the deeds that aren't stored yet, by the rows of `KNOWN`, each once."""
    seen = {str(entry_id) for (entry_id,) in known}
    found = []
    for deed in deeds:
        if deed.entry_id not in seen:
            seen.add(deed.entry_id)
            found.append(deed)
    return found


def append_params(links: Sequence[Link]) -> dict[str, str]:
    """Return the parameters of `APPEND`."""
    entries = [one.deed.entry for one in links]
    return {
        "position": literals.plain(one.position for one in links),
        "entry_id": literals.plain(one.deed.entry_id for one in links),
        "ts_us": literals.plain(one.deed.ts_us for one in links),
        "tenant_id": literals.plain(entry.tenant_id for entry in entries),
        **{name: literals.texts(getattr(entry, name) for entry in entries) for name in _TEXTS},
        "detail": literals.texts(literals.document(dict(entry.detail)) for entry in entries),
        "prev_hash": literals.bytea(one.prev_hash for one in links),
        "hash": literals.bytea(one.hash for one in links),
    }


def conditions(wanted: AuditFilter) -> tuple[str, list[object]]:
    """Return a filter as SQL and its parameters."""
    parts: list[str] = []
    params: list[object] = []

    def add(sql: str, value: object) -> None:
        parts.append(sql)
        params.append(value)

    if wanted.tenant_id is not None:
        add("tenant_id = %s", wanted.tenant_id)
    if wanted.start_us:
        add("ts >= mtd.from_us(%s)", wanted.start_us)
    if wanted.end_us:
        add("ts < mtd.from_us(%s)", wanted.end_us)
    if wanted.caller:
        add("caller LIKE %s", _pattern(wanted.caller))
    if wanted.action:
        add("action LIKE %s", _pattern(wanted.action))
    if wanted.outcome:
        add("outcome = %s", wanted.outcome)
    if wanted.target:
        add("target LIKE %s", f"%{_escaped(wanted.target)}%")
    return " AND ".join(parts) or "true", params


def _pattern(text: str) -> str:
    return _escaped(text).replace("*", "%")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
