"""Patterns with wildcards: ``*`` any text, ``?`` any one character, nothing else is special."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

MAX_LENGTH = 512


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a text matches one of the patterns; no patterns: all do."""
    if not patterns:
        return lambda _: True
    compiled = re.compile("|".join(_expression(pattern[:MAX_LENGTH]) for pattern in patterns), re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def _expression(pattern: str) -> str:
    # Atomic between the stars: a pattern of many stars can't be made to backtrack.
    first, *rest = (
        "".join("." if character == "?" else re.escape(character) for character in part)
        for part in re.split(r"\*+", pattern)
    )
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{part})" for part in middle) + ".*" + last


def like(pattern: str) -> str:
    """Return the pattern in the words of SQL's LIKE."""
    escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
    return escaped.replace("*", "%").replace("?", "_")
