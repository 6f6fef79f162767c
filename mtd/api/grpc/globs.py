"""Patterns with wildcards, as selectors hold them."""

from __future__ import annotations

from collections.abc import Iterable

from mtd.queries.patterns import check_patterns, matcher


class Globs:
    """Alternatives of patterns: ``*`` stands for any text, ``?`` for one character.

    Nothing else is special: interface names may hold brackets. No pattern at
    all matches everything. To make one of many new patterns belongs in a
    thread; those that are made are kept for the next.
    """

    __slots__ = ("_matches", "everything")

    def __init__(self, patterns: Iterable[str]) -> None:
        kept = set(patterns)
        check_patterns(kept)
        self.everything = not kept or any(set(pattern) == {"*"} for pattern in kept)
        self._matches = matcher(sorted(kept))

    def matches(self, *names: str) -> bool:
        """Return whether one of the names matches one of the patterns."""
        return self.everything or any(map(self._matches, names))
