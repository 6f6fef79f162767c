"""Rendezvous hashing: each device has an order of its own among collectors.

A collector that comes takes devices from all others, and only those that are its
own now; one that goes leaves its devices to many. Nothing else moves.
"""

from __future__ import annotations

import hashlib
import math

_BITS = 64


def score(device_id: str, collector_id: str, weight: float = 1.0) -> float:
    """Return how much a device belongs to a collector: the highest has it. In the long run in proportion to weights."""
    digest = hashlib.blake2b(f"{device_id}\0{collector_id}".encode(), digest_size=_BITS // 8).digest()
    # Within 0 and 1, both excluded, which the logarithm needs.
    part = (int.from_bytes(digest, "big") + 0.5) / 2.0**_BITS
    return weight / -math.log(min(part, 1.0 - 2.0**-53))


def percent_of(device_id: str) -> float:
    """Return the place of a device in 0 to 100, always the same: which devices a part of them is."""
    digest = hashlib.blake2b(f"canary\0{device_id}".encode(), digest_size=_BITS // 8).digest()
    return int.from_bytes(digest, "big") / 2.0**_BITS * 100.0
