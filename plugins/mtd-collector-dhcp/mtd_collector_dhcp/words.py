"""Words that versions write differently, made one."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.command import Rows
from mtd.model.values import Raw

_FLAGS = frozenset((b"true", b"yes"))


def leases(rows: Rows) -> Rows:
    """Return leases with one word for an address that somebody else has: version 6 calls it busy."""
    status = rows.column("status")
    if b"busy" not in status:
        return rows
    return _with(rows, "status", [b"conflict" if word == b"busy" else word for word in status])


def clients(rows: Rows) -> Rows:
    """Return clients with a state: ``searching...`` without its dots, and what is switched off is stopped."""
    off, invalid = rows.column("disabled"), rows.column("invalid")
    states = [
        b"stopped" if disabled in _FLAGS else b"invalid" if wrong in _FLAGS else _plain(word)
        for disabled, wrong, word in zip(off, invalid, rows.column("status"), strict=True)
    ]
    made = _with(rows, "state", states)
    # A client of prefixes is told how long they last, which is another time at each read.
    prefix = [None if word is None else word.partition(b",")[0] for word in rows.column("prefix")]
    return _with(made, "prefix", prefix)


def servers(rows: Rows) -> Rows:
    """Return servers with a state."""
    off, invalid = rows.column("disabled"), rows.column("invalid")
    states = [
        b"disabled" if disabled in _FLAGS else b"invalid" if wrong in _FLAGS else b"running"
        for disabled, wrong in zip(off, invalid, strict=True)
    ]
    known = [
        None if disabled is None and wrong is None else state
        for disabled, wrong, state in zip(off, invalid, states, strict=True)
    ]
    return _with(rows, "state", known)


def _plain(word: Raw) -> Raw:
    return None if word is None else word.rstrip(b".")


def _with(rows: Rows, name: str, column: Sequence[Raw]) -> Rows:
    return Rows(rows.count, {**rows.columns, name: column})
