"""Which of many patterns a message is tried with: those of which a word is in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import itemgetter
from typing import Generic, TypeVar

One = TypeVar("One")
Look = Callable[[str], "re.Match[str] | None"]

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_LETTERS = 4
_place = itemgetter(0)


class Prefilter(Generic[One]):
    """Things with a word each, in order. Many have the same word: it is looked for once.

    ``grouped``: for many words, at a cost in the beginning. Those with some letters in common are looked for if these are there.
    """

    def __init__(self, ones: Iterable[tuple[str, One]], *, grouped: bool = False) -> None:
        placed: dict[str, list[tuple[int, One]]] = {}
        for place, (word, one) in enumerate(ones):
            placed.setdefault(word, []).append((place, one))
        self._placed = placed
        self._ones = {word: tuple(one for _, one in found) for word, found in placed.items()}
        self._groups = tuple(_groups(placed).items() if grouped else ((word, ()) for word in placed))

    def near(self, text: str) -> Sequence[One]:
        """Return those whose word is in a text, in order."""
        words: list[str] = []
        for common, group in self._groups:
            if common in text:
                words += [word for word in group if word in text] if group else (common,)
        if not words:
            return ()
        if len(words) == 1:
            return self._ones[words[0]]
        placed = [one for word in words for one in self._placed[word]]
        placed.sort(key=_place)
        return [one for _, one in placed]


def _groups(words: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return words by letters that they have in common; a word alone is by itself, in a group of none."""
    letters = {
        word: [word[first : first + _LETTERS] for first in range(len(word) - _LETTERS + 1)] for word in words
    }
    common = Counter(some for found in letters.values() for some in set(found))
    groups: dict[str, list[str]] = {}
    for word, found in letters.items():
        groups.setdefault(max(reversed(found), key=common.__getitem__, default=word), []).append(word)
    return {
        some if len(group) > 1 else group[0]: tuple(group) if len(group) > 1 else ()
        for some, group in groups.items()
    }


def look_of(pattern: re.Pattern[str]) -> Look:
    """Return what finds a pattern in a text. Where it can be at the beginning only, other places aren't tried."""
    return pattern.match if _is_at_beginning(pattern) else pattern.search


def _is_at_beginning(pattern: re.Pattern[str]) -> bool:
    """Return whether a pattern begins with ``^``, whatever it goes on with; False where that isn't plain to see."""
    text = pattern.pattern
    if not text.startswith("^") or pattern.flags & re.MULTILINE:
        return False
    if "#" in text:  # in a comment, anything may be
        return False
    depth = 0
    for sign in _CLASS.sub("", _ESCAPED.sub("_", text)):
        if sign == "|" and not depth:
            return False
        depth += (sign == "(") - (sign == ")")
    return True
