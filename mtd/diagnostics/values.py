"""What a field of a tool's row means. None: the router didn't say, or not in words that we know."""

from __future__ import annotations

import math

from mtd.model import values
from mtd.model.text import decode_text

Value = str | int | float
_UINT32 = 2**32
_UINT64 = 2**64


def text(raw: bytes) -> str | None:
    """Return a text that says something."""
    return decode_text(raw) or None


def small(raw: bytes) -> int | None:
    """Return a number below 2**32; ``%`` behind it says what it is."""
    found = values.integer(raw.removesuffix(b"%"))
    return found if found is not None and 0 <= found < _UINT32 else None


def large(raw: bytes) -> int | None:
    """Return a number below 2**64."""
    found = values.integer(raw)
    return found if found is not None and 0 <= found < _UINT64 else None


def milliseconds(raw: bytes) -> float | None:
    """Return a round-trip time: "27ms336us", "0.2ms", or "1.4", which means milliseconds here."""
    plain = values.decimal(raw, b"ms")
    if plain is None:
        duration = values.duration(raw)
        plain = None if duration is None else duration * 1000
    return plain if plain is not None and math.isfinite(plain) and plain >= 0 else None


def moment_s(raw: bytes) -> float | None:
    """Return seconds: "1m5s", or "13.061", which means seconds here."""
    found = values.decimal(raw)
    if found is None:
        found = values.duration(raw)
    return found if found is not None and math.isfinite(found) and found >= 0 else None


def direction(raw: bytes) -> str | None:
    """Return "rx" or "tx"."""
    return {b"<-": "rx", b"->": "tx", b"rx": "rx", b"tx": "tx"}.get(raw)
