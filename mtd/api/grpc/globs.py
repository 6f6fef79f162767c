"""Patterns with wildcards, as selectors hold them."""

from __future__ import annotations

from collections.abc import Iterable

from mtd.core.errors import Refused
from mtd.queries.patterns import MAX_LENGTH, matcher


class Globs:
    """Alternatives of patterns: ``*`` stands for any text, ``?`` for one character.

    Nothing else is special: interface names may hold brackets. No pattern at
    all matches everything.
    """

    __slots__ = ("_matches", "everything")

    def __init__(self, patterns: Iterable[str]) -> None:
        kept = set(patterns)
        for pattern in kept:
            if not pattern or len(pattern) > MAX_LENGTH:
                raise Refused(f"a pattern has 1 to {MAX_LENGTH} characters, not {len(pattern)}")
        self.everything = not kept or any(set(pattern) == {"*"} for pattern in kept)
        self._matches = matcher(sorted(kept))

    def matches(self, *names: str) -> bool:
        """Return whether one of the names matches one of the patterns."""
        return self.everything or any(map(self._matches, names))
