"""States that a router tells in several flags, and names that it doesn't give."""

from __future__ import annotations

from mtd.model.command import Rows

_TRUE = (b"true", b"yes")


def service_states(rows: Rows) -> Rows:
    """Add ``state``: whether a service listens, is switched off, or can't do what it is told."""
    return _with(rows, "state", [_service(row) for row in rows.dicts()])


def _service(row: dict[str, bytes]) -> bytes | None:
    if row.get("disabled") in _TRUE:
        return b"disabled"
    if row.get("invalid") in _TRUE:
        return b"failed"
    return b"enabled" if "disabled" in row else None


def one_address_list(rows: Rows) -> Rows:
    """Call it ``allowed`` who may use a service; the property has another name since version 7.2x."""
    both = zip(rows.column("available-from"), rows.column("address"), strict=True)
    return _with(rows, "allowed", [new if new is not None else old for new, old in both])


def certificate_states(rows: Rows) -> Rows:
    """Add ``state``: flags that are false are left out by some versions."""
    return _with(rows, "state", [_certificate(row) for row in rows.dicts()])


def _certificate(row: dict[str, bytes]) -> bytes | None:
    # ``revoked`` is a flag, or the date on which it was.
    if row.get("revoked", b"false") not in (b"", b"false", b"no"):
        return b"revoked"
    if row.get("expired") in _TRUE:
        return b"expired"
    return b"valid" if row.get("invalid-after") else None


def watched_names(rows: Rows) -> Rows:
    """Add ``title``: what people call a host that is watched. RouterOS 6 has no name for it."""
    return _with(rows, "title", [row.get("name") or row.get("host") for row in rows.dicts()])


def one_cloud(rows: Rows) -> Rows:
    """Give the only row a name."""
    return _with(rows, "service", [b"cloud"] * rows.count)


def _with(rows: Rows, name: str, values: list[bytes | None] | list[bytes]) -> Rows:
    return Rows(rows.count, {**rows.columns, name: list(values)})
