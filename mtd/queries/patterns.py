"""Patterns with wildcards: ``*`` any text, ``?`` any one character, nothing else is special."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from mtd.core.errors import Refused
from mtd.storage import literals

MAX_LENGTH = 512
MAX_WILD_LENGTH = 8192
"""Of all patterns with wildcards together: to compile so many characters takes some hundredths of a second."""

_COMPILED = 32


def check_patterns(patterns: Iterable[str]) -> None:
    """Make sure that patterns can be used, without compiling them. Raises Refused."""
    wild = 0
    for pattern in patterns:
        if not pattern or len(pattern) > MAX_LENGTH:
            raise Refused(f"a pattern has 1 to {MAX_LENGTH} characters, not {len(pattern)}")
        if "\0" in pattern:
            raise Refused("a pattern holds a character that no name has: NUL")
        wild += len(pattern) if _is_wild(pattern) else 0
    if wild > MAX_WILD_LENGTH:
        raise Refused(
            f"the patterns with wildcards have {wild} characters together, more than {MAX_WILD_LENGTH}: "
            "ask with fewer of them, or in several calls"
        )


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a text matches one of the patterns; no patterns: all do.

    Takes a millisecond for 200 characters of patterns with wildcards, when they are new.
    """
    if not patterns:
        return lambda _: True
    kept = [pattern[:MAX_LENGTH] for pattern in patterns]
    exact = frozenset(pattern for pattern in kept if not _is_wild(pattern))
    wild = tuple(filter(_is_wild, kept))
    if not wild:
        return exact.__contains__
    matches = _compiled(wild).fullmatch
    return lambda text: text in exact or matches(text) is not None


@lru_cache(_COMPILED)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, patterns)), re.DOTALL)


def _is_wild(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


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


def like_any(patterns: Sequence[str]) -> str | None:
    """Return patterns as the literal of what LIKE ANY takes; None, which is NULL, if there are none."""
    return literals.texts(map(like, patterns)) if patterns else None
