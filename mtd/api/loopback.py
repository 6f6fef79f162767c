"""Doors stay on loopback until callers have to say who they are."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator


def require_loopback(host: str) -> str:
    """Return an address that only this machine can reach; raise ValueError for any other."""
    if host == "localhost":
        return host
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"{host!r} could be reached from other machines, and nothing asks callers who they are: use 127.0.0.1"
        )
    return host


LoopbackHost = Annotated[str, AfterValidator(require_loopback)]
"""Type of a setting: the address of a door."""
