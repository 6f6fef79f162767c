"""Pages of lists that are read whole: they are short, and come in the order of a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def page_of(
    items: Sequence[T], key: Callable[[T], str], page_size: int, most: int, after: str
) -> tuple[Sequence[T], str]:
    """Return the items behind a key, ``page_size`` of them (``most`` if 0), and the key behind which there are more."""
    size = min(page_size or most, most)
    ordered = sorted((item for item in items if not after or key(item) > after), key=key)
    page = ordered[:size]
    return page, key(page[-1]) if len(ordered) > size else ""
