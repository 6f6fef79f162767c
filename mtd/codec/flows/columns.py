"""Flow records, column by column."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ADDRESS = np.dtype([("high", np.uint64), ("low", np.uint64)])
"""An address of either version as 128 bits; IPv4 as ``::ffff:a.b.c.d`` (RFC 4291), so that both sort and group alike."""

_MAPPED = np.uint64(0xFFFF_0000_0000)


@dataclass(slots=True)
class Flows:
    """Records of one template. What their exporter doesn't tell has no column: absent isn't zero.

    Unsigned columns are as wide as they were sent. ``src_address`` and the like are `ADDRESS`, ``src_mac``
    and the like the 48 bits of one. ``start_ms`` and ``end_ms`` are milliseconds since 1970 (int64), there only
    if what was sent says them; ``duration_ms`` also where just the difference is known.

    ``exported_ms``: when the exporter sent them, by its clock, with a second's resolution. ``received_us``: when
    they came, by ours. ``sampling``: one of how many packets was looked at; 0 where nobody told. ``form``: how they
    were sent: netflow5, netflow9, ipfix or sflow5. ``domain``: v9's source id, IPFIX's observation domain, v5's engine.
    """

    count: int
    columns: dict[str, NDArray[Any]]
    exported_ms: NDArray[np.int64]
    received_us: NDArray[np.int64]
    sampling: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    form: str = ""
    domain: int = 0


def of_ipv4(words: NDArray[Any]) -> NDArray[Any]:
    """Return 32-bit numbers as addresses."""
    found = np.zeros(len(words), ADDRESS)
    found["low"] = words
    found["low"] |= _MAPPED
    return found


def of_ipv6(pairs: NDArray[Any]) -> NDArray[Any]:
    """Return pairs of 64-bit numbers as addresses."""
    found = np.empty(len(pairs), ADDRESS)
    found["high"], found["low"] = pairs[:, 0], pairs[:, 1]
    return found


def of_bytes(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Return rows of up to eight bytes as the numbers that they are, the first byte being the highest."""
    found = np.zeros(len(rows), np.uint64)
    for place in range(rows.shape[1]):
        found <<= np.uint64(8)
        found |= rows[:, place].astype(np.uint64)
    return found


def text_of(address: Any) -> str:
    """Return one address as it is written."""
    number = int(address["high"]) << 64 | int(address["low"])
    found = ipaddress.IPv6Address(number)
    return str(found.ipv4_mapped or found)
