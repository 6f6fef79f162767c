"""Doors stay on loopback unless they speak TLS: nothing that is secret, tokens above all, leaves the machine in the clear."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def is_loopback_host(host: str) -> bool:
    """Return whether only this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback_or_tls(host: str, info: ValidationInfo) -> str:
    """Return an address that only this machine can reach, or any if the section's ``tls`` is on; raise ValueError.

    The setting ``tls`` has to stand before the address in the model: if it is wrong, that is told instead.
    """
    tls = info.data.get("tls")  # missing if it is wrong itself
    if is_loopback_host(host):
        return host
    if tls is not None and not tls.on:
        raise ValueError(
            f"{host!r} could be reached from other machines, and nothing asks callers who they are in the clear: use"
            ' 127.0.0.1, or switch on TLS (tls = "internal", see docs/tls.md)'
        )
    return _address(host)


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(
            f"{host!r} is no address of this machine: use 0.0.0.0 or :: for all of them"
        ) from None


DoorHost = Annotated[str, AfterValidator(require_loopback_or_tls)]
"""Type of a setting: the address of a door, after its ``tls``."""
