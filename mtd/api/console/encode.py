"""JSON as the console gets it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

MAX_EXACT = 2**53 - 1
"""The largest integer that JavaScript can hold."""


def encode(value: Any) -> str:
    """Return JSON text; NaN and infinity, which say that something is absent, become null. Arrays are lists."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def exact(counters: Sequence[int], present: bytes = b"") -> Sequence[int | str | None]:
    """Return counters as the console can hold them: the largest as decimal text, None for what is absent.

    ``present``: a bit per counter, least significant first; empty if all are there.
    """
    large = max(counters, default=0) > MAX_EXACT
    if not present and not large:
        return counters
    shown: list[int | str | None] = [str(value) if value > MAX_EXACT else value for value in counters]
    if present:
        bits = int.from_bytes(present, "little")
        return [value if bits >> position & 1 else None for position, value in enumerate(shown)]
    return shown


def message(kind: str, now_us: int, *parts: str) -> str:
    """Return a live message of parts that are JSON already, each ``"name":value``."""
    return "".join((f'{{"type":"{kind}","now_us":{now_us}', *(f",{part}" for part in parts), "}"))


def entry(name: str, value: Any) -> str:
    """Return a part of an object."""
    return f"{encode(name)}:{encode(value)}"


def joined(name: str, fragments: Iterable[str]) -> str:
    """Return a part whose value is an object made of such parts."""
    return f'"{name}":{{{",".join(fragments)}}}'


def listed(name: str, fragments: Iterable[str]) -> str:
    """Return a part whose value is a list of JSON texts."""
    return f'"{name}":[{",".join(fragments)}]'
