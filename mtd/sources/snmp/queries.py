"""Query words of RouterOS, heeded here: an agent of SNMP knows nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_Test: TypeAlias = Callable[[Mapping[str, bytes]], bool]
_Pairs: TypeAlias = tuple[tuple[str, str], ...]
_OPERATORS = frozenset("!&|")


class NotUnderstood(ValueError):
    """A query that can't be heeded here."""


@dataclass(frozen=True, slots=True)
class Query:
    """Whether a row is asked for. ``fields`` are those that it depends on."""

    fields: frozenset[str]
    _steps: tuple[_Test | str, ...]
    exact: tuple[_Pairs, ...]
    """Sets of (field, value) pairs; of each of them a row has to have one. What else is asked isn't in them."""

    @classmethod
    def of(cls, words: Sequence[str]) -> Query:
        """Read query words without their question mark. Raises `NotUnderstood`."""
        fields: set[str] = set()
        steps: list[_Test | str] = []
        needed: list[_Pairs] = []  # as the stack of results: what has to be so for each to be true
        for word in words:
            if word.startswith("#"):
                for operator in word[1:]:
                    if operator not in _OPERATORS or len(needed) < (1 if operator == "!" else 2):
                        raise NotUnderstood(word)
                    steps.append(operator)
                    needed.append(_needed(operator, needed))
                continue
            field, test, pairs = _test(word)
            fields.add(field)
            steps.append(test)
            needed.append(pairs)
        return cls(frozenset(fields), tuple(steps), tuple(pairs for pairs in needed if pairs))

    def matches(self, row: Mapping[str, bytes]) -> bool:
        """Whether a row is asked for: it has to pass all that is left when the operators are done."""
        stack: list[bool] = []
        for step in self._steps:
            if not isinstance(step, str):
                stack.append(step(row))
            elif step == "!":
                stack[-1] = not stack[-1]
            else:
                last = stack.pop()
                stack[-1] = (stack[-1] and last) if step == "&" else (stack[-1] or last)
        return all(stack)


def _needed(operator: str, stack: list[_Pairs]) -> _Pairs:
    """Take what an operator takes from the stack; return what has to be so for its result to be true."""
    last = stack.pop()
    if operator == "!":
        return ()
    first = stack.pop()
    if operator == "&":
        return first or last
    return first + last if first and last else ()


def _test(word: str) -> tuple[str, _Test, _Pairs]:
    """Return the field, the test, and for an equality what has to be equal."""
    if word.startswith(("<", ">")) or not word:
        raise NotUnderstood(word)
    if word.startswith("-"):
        absent = word[1:]
        return absent, lambda row: absent not in row, ()
    field, equals, value = word.removeprefix("=").partition("=")
    if not equals:
        return field, lambda row: field in row, ()
    wanted = value.encode()
    return field, lambda row: row.get(field) == wanted, ((field, value),)
