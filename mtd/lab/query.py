"""Query words: which rows a ``print`` returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Row = Mapping[bytes, bytes]
_Step = Callable[[Row, list[bool]], None]


class QueryError(Exception):
    """A query word that the router wouldn't understand."""


@dataclass(frozen=True, slots=True)
class Query:
    """Compiled query words. ``keys`` are the properties that decide."""

    steps: tuple[_Step, ...]
    keys: frozenset[bytes]

    def matches(self, row: Row) -> bool:
        """Whether a row is wanted: everything left on the stack is true."""
        stack: list[bool] = []
        for step in self.steps:
            step(row, stack)
        return all(stack)


def compile_query(words: tuple[bytes, ...]) -> Query:
    """Compile query words, without their leading ``?``."""
    steps: list[_Step] = []
    keys: set[bytes] = set()
    for content in words:
        if content.startswith(b"#"):
            steps.append(_operations(content[1:]))
        else:
            key, step = _test(content)
            keys.add(key)
            steps.append(step)
    return Query(tuple(steps), frozenset(keys))


def _test(content: bytes) -> tuple[bytes, _Step]:
    kind, rest = content[:1], content[1:]
    if kind == b"-":
        return rest, lambda row, stack: stack.append(rest not in row)
    if kind in (b"<", b">"):
        key, _, limit = rest.partition(b"=")
        sign = -1 if kind == b"<" else 1

        def compare(row: Row, stack: list[bool]) -> None:
            value = row.get(key)
            stack.append(value is not None and _order(value, limit) == sign)

        return key, compare
    if kind == b"=":
        content = rest
    elif b"=" not in content[1:]:
        return content, lambda row, stack: stack.append(content in row)
    key, _, wanted = content.partition(b"=")
    return key, lambda row, stack: stack.append(row.get(key) == wanted)


def _order(value: bytes, limit: bytes) -> int:
    """Compare as numbers where both are numbers, else as text."""
    if value.isdigit() and limit.isdigit():
        left, right = int(value), int(limit)
        return (left > right) - (left < right)
    return (value > limit) - (value < limit)


def _operations(text: bytes) -> _Step:
    """Compile ``?#...``: ``!``, ``&``, ``|``, ``.`` and stack indices (0 is the top).

    An index that something follows pushes a copy of that value; an index at
    the end replaces the whole stack by it. A dot after an index only ends the
    number; elsewhere it pushes a copy of the top.
    """
    tokens: list[str] = []
    for char in text.decode("latin-1"):
        if char.isdigit() and tokens and tokens[-1].isdigit():
            tokens[-1] += char
        elif char.isdigit() or char in "!&|.":
            tokens.append(char)
        else:
            raise QueryError(f"unknown query operation {char!r}")

    def run(_row: Row, stack: list[bool]) -> None:
        for index, token in enumerate(tokens):
            after_number = index > 0 and tokens[index - 1].isdigit()
            _operate(token, stack, after_number=after_number, last=index == len(tokens) - 1)

    return run


def _operate(token: str, stack: list[bool], *, after_number: bool, last: bool) -> None:
    try:
        if token.isdigit():
            value = stack[-1 - int(token)]
            if last:
                stack.clear()
            stack.append(value)
        elif token == "!":
            stack.append(not stack.pop())
        elif token == ".":
            if not after_number:
                stack.append(stack[-1])
        else:
            right, left = stack.pop(), stack.pop()
            stack.append((left and right) if token == "&" else (left or right))
    except IndexError:
        raise QueryError("query operation without a value") from None
