"""Patterns with wildcards, as selectors hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mtd.core.errors import Refused

MAX_PATTERN_LENGTH = 512


class Globs:
    """Alternatives of patterns: ``*`` stands for any text, ``?`` for one character.

    Nothing else is special: interface names may hold brackets. No pattern at
    all matches everything.
    """

    __slots__ = ("_match", "everything")

    def __init__(self, patterns: Iterable[str]) -> None:
        kept = set(patterns)
        for pattern in kept:
            if not pattern or len(pattern) > MAX_PATTERN_LENGTH:
                raise Refused(f"a pattern has 1 to {MAX_PATTERN_LENGTH} characters, not {len(pattern)}")
        self.everything = not kept or any(set(pattern) == {"*"} for pattern in kept)
        self._match = re.compile("|".join(sorted(map(_expression, kept))), re.DOTALL).fullmatch

    def matches(self, *names: str) -> bool:
        """Return whether one of the names matches one of the patterns."""
        return self.everything or any(self._match(name) is not None for name in names)


def _expression(pattern: str) -> str:
    """Translate to a regular expression that can't backtrack over earlier stars.

    The text between two stars may match at its first place: if the rest fits
    behind a later place, it fits behind the first as well.
    """
    chunks = [_literal(chunk) for chunk in re.split(r"\*+", pattern)]
    if len(chunks) == 1:
        return chunks[0]
    first, *middle, last = chunks
    return first + "".join(f"(?>.*?{chunk})" for chunk in middle) + ".*" + last


def _literal(chunk: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in chunk)
