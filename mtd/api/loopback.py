"""Doors stay on loopback until callers have to say who they are."""

from __future__ import annotations

import ipaddress

from mtd.core.errors import Misconfigured


def require_loopback(host: str, section: str, *, allowed: bool) -> None:
    """Raise Misconfigured unless only this machine can reach the address, or it is allowed explicitly."""
    if allowed or host == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise Misconfigured(
            f"{section}.host = {host!r} could be reached from other machines, and nothing asks callers "
            f"who they are: use 127.0.0.1, or set {section}.allow_insecure_bind if something else protects it"
        )
