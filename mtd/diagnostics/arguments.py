"""Checks of what callers say: only what passes here reaches a router."""

from __future__ import annotations

import ipaddress
import re

from mtd.core.errors import Refused
from mtd.model.sighting import normal_mac

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_PROTOCOL = re.compile(r"[a-z][a-z0-9-]{0,19}")
_MAX_NAME = 253
_MAX_INTERFACE = 128


def address(text: str, what: str) -> str:
    """Return an IP address, with the zone of a link-local one left out: it would name an interface unchecked."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise Refused(f"{what}: {text[:80]!r} is no IP address") from None


def host(text: str, what: str) -> str:
    """Return an IP address, or a name that DNS could know."""
    given = text.strip().rstrip(".")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        pass  # a name
    labels = given.split(".")
    numeric = all(label.isdigit() for label in labels)  # 10.0.0, 999.1.1.1: a mistake, and no name
    if not given or len(given) > _MAX_NAME or numeric or not all(map(_LABEL.fullmatch, labels)):
        raise Refused(f"{what}: {text[:80]!r} is neither an IP address nor a host name")
    return given


def network(text: str, what: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return a network, or an address as one."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise Refused(f"{what}: {text[:80]!r} is no network, such as 10.0.0.0/8") from None


def interface(text: str, what: str = "interface") -> str:
    """Return the name of an interface; whether there is such a one, the router tells."""
    if not text or len(text) > _MAX_INTERFACE or not text.isprintable() or "," in text:
        raise Refused(f"{what}: {text[:80]!r} is no name of one interface")
    return text


def mac(text: str, what: str) -> str:
    """Return a MAC address."""
    found = normal_mac(text)
    if not found:
        raise Refused(f"{what}: {text[:80]!r} is no MAC address")
    return found


def protocol(text: str, what: str) -> str:
    """Return an IP protocol: its name, or its number."""
    given = text.strip().lower()
    if given.isdigit() and int(given) < 256:
        return str(int(given))
    if not _PROTOCOL.fullmatch(given):
        raise Refused(f"{what}: {text[:80]!r} is no IP protocol, such as tcp")
    return given


def one_of(text: str, words: tuple[str, ...], what: str) -> str:
    """Return one of some words."""
    if text not in words:
        raise Refused(f"{what}: {text[:80]!r} isn't one of {', '.join(words)}")
    return text


def number(value: int, low: int, high: int, what: str) -> int:
    """Return a number within its range."""
    if not low <= value <= high:
        raise Refused(f"{what}: {value} isn't between {low} and {high}")
    return value
