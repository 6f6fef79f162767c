"""Errors of REST, as the API words them."""

from __future__ import annotations

from mtd.codec.rest.text import loads, raw
from mtd.model.command import Trap
from mtd.model.text import decode_text

_SHOWN = 200


def trap_of(status: int, reason: str, body: bytes, code_page: str) -> Trap:
    """Return the trap of an answer with an error status: its detail is the message that the API gives.

    Where the router says no more than the status, the words are those by which
    a missing menu, and a missing right, are known.
    """
    said = _said(body, code_page)
    detail = said.get("detail", "")
    if detail:
        return Trap(detail[:_SHOWN])
    told = f"{status} {said.get('message', '') or reason}".strip()
    if status == 404:
        return Trap(f"no such command ({told})")
    if status == 403:
        return Trap(f"not enough permissions ({told})")
    return Trap(told)


def is_routeros_error(body: bytes) -> bool:
    """Whether an error's body is one that RouterOS sends: any web server has pages for people."""
    return "error" in _said(body, "latin-1")


def _said(body: bytes, code_page: str) -> dict[str, str]:
    try:
        found = loads(body)
        if not isinstance(found, dict):
            return {}
        return {key: decode_text(raw(value) or b"", code_page) for key, value in found.items()}
    except ValueError:  # a page for people, or nothing
        return {}
