"""How full address pools are.

Newer versions say it (``total``, ``used``). Of others the size follows from the
ranges, and the use from the list of addresses in use, of which the names of the
pools are read. What can't be told is absent.
"""

from __future__ import annotations

import ipaddress
from collections import Counter as Numbers
from collections.abc import Callable, Mapping

from mtd.model.command import Rows
from mtd.model.values import Raw, integer

READS = ("name", "ranges", "total", "used", "available")
V6_READS = ("name", "prefix", "prefix-length")
USED_READS = ("pool",)
_COLUMNS = ("name", "size", "used", "used-pct")
_MAX_BITS = 62  # a pool of more prefixes than that never runs out, and doesn't fit in a counter

Row = dict[str, bytes]
_SizeOf = Callable[[Row], int | None]


def as_told(rows: Rows) -> Rows:
    """Return a row per pool, from what the router says of it."""
    return _pools(rows, _size_of_ranges, None)


def as_listed(rows: Rows, companions: Mapping[str, Rows]) -> Rows:
    """Return a row per pool, its use counted from the list of what is in use."""
    return _pools(rows, _size_of_ranges, companions.get("used"))


def prefixes(rows: Rows, companions: Mapping[str, Rows]) -> Rows:
    """Return a row per pool of IPv6 prefixes."""
    return _pools(rows, _size_of_prefix, companions.get("used"))


def _pools(rows: Rows, size_of: _SizeOf, listed: Rows | None) -> Rows:
    used = None if listed is None else Numbers(listed.column("pool"))
    made = [_pool(row, size_of(row), used) for row in rows.dicts() if row.get("name")]
    return Rows(len(made), {name: [row.get(name) for row in made] for name in _COLUMNS})


def _pool(row: Row, size: int | None, listed: Mapping[Raw, int] | None) -> Row:
    told_size, used = integer(row.get("total")), integer(row.get("used"))
    if told_size is not None:
        size = told_size
    if used is None and listed is not None:
        used = listed.get(row["name"], 0)
    made = {"name": row["name"]}
    if size is not None:
        made["size"] = b"%d" % size
    if used is not None:
        made["used"] = b"%d" % used
    if size and size > 0 and used is not None and used >= 0:
        made["used-pct"] = f"{100 * used / size:.4f}".encode()
    return made


def _size_of_ranges(row: Row) -> int | None:
    """Return how many addresses ``10.0.0.2-10.0.0.99,10.0.1.0/24,10.0.0.254`` are."""
    parts = row.get("ranges", b"").decode("ascii", "replace").split(",")
    sizes = [_addresses(part.strip()) for part in parts]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _addresses(part: str) -> int | None:
    try:
        if "/" in part:
            return ipaddress.IPv4Network(part, strict=False).num_addresses
        first, dash, last = part.partition("-")
        count = int(ipaddress.IPv4Address(last or first)) - int(ipaddress.IPv4Address(first)) + 1
    except ValueError:
        return None
    return count if count > 0 else None


def _size_of_prefix(row: Row) -> int | None:
    """Return how many prefixes of the pool's length are in its prefix."""
    length = integer(row.get("prefix-length"))
    try:
        network = ipaddress.IPv6Network(row.get("prefix", b"").decode("ascii", "replace"), strict=False)
    except ValueError:
        return None
    if length is None or not network.prefixlen <= length <= 128:
        return None
    bits = length - network.prefixlen
    return 1 << bits if bits <= _MAX_BITS else None
