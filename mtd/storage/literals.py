"""Array literals of PostgreSQL, fast.

Bulk writes pass each column as one text literal to ``unnest``: four to five
times faster than lists adapted element by element. A column whose cells are
arrays themselves is a ``text[]`` of array literals, cast row by row.
"""

from __future__ import annotations

import json
import sys
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import orjson
from numpy.typing import NDArray
from psycopg2.extensions import AsIs

# Marks that texts hardly ever hold.
_BETWEEN, _ABSENT = "\x1f", "\x1e"


def numbers(values: Sequence[int | float | None] | NDArray[np.int64 | np.float64 | np.float32]) -> str:
    """Return the literal of an array of numbers; None becomes NULL, and what is no finite number.

    Integers are of 64 bits. Text is the shortest that tells a number from its
    neighbours, so that a float32 reads like one. An array costs half a list.
    """
    # [1,2.5,null] differs from {1,2.5,NULL} in its brackets: PostgreSQL doesn't mind how NULL is written.
    return "{" + orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode() + "}"


def plain(values: Iterable[object]) -> str:
    """Return the literal of values whose text needs no quotes: integers, UUIDs, booleans."""
    return "{" + ",".join(map(str, values)) + "}"


def nested(literals: Iterable[str]) -> str:
    r"""Return the ``text[]`` literal of literals that hold neither ``"`` nor ``\``."""
    joined = '","'.join(literals)
    return '{"' + joined + '"}' if joined else "{}"


def texts(values: Iterable[str | None]) -> str:
    """Return the ``text[]`` literal of any texts; None becomes NULL.

    PostgreSQL can't hold U+0000 in a text: it becomes U+FFFD.
    """
    listed = list(values)
    nulls = listed.count(None)
    joined = _BETWEEN.join([_ABSENT if value is None else value for value in listed])
    if joined.count(_BETWEEN) != len(listed) - 1 or joined.count(_ABSENT) != nulls:
        # A text has one of the marks in it, or there is none at all.
        return "{" + ",".join(["NULL" if value is None else f'"{_escaped(value)}"' for value in listed]) + "}"
    # All at once: five times as fast as one by one.
    literal = '{"' + _escaped(joined).replace(_BETWEEN, '","') + '"}'
    return literal.replace(f'"{_ABSENT}"', "NULL") if nulls else literal


def joined(values: Sequence[str]) -> tuple[str, str]:
    """Return texts as one and what is between them, of which ``string_to_array`` makes a ``text[]`` again.

    Nothing is escaped, neither here nor by the driver: a third of the time of ``texts``, which matters where there are many.
    Of one text that is empty PostgreSQL makes an array of none. U+0000 becomes U+FFFD.
    """
    text = _clean(_BETWEEN.join(values))
    if text.count(_BETWEEN) < len(values):
        return text, _BETWEEN
    signs = set(text)  # a text has the mark in it: one that none has, then
    between = next(sign for sign in _signs() if sign not in signs)
    return _clean(between.join(values)), between


def _signs() -> Iterator[str]:
    """Yield all that text can be made of, but for U+0000."""
    surrogates = range(0xD800, 0xE000)
    return map(chr, chain(range(1, surrogates.start), range(surrogates.stop, sys.maxunicode + 1)))


def _escaped(text: str) -> str:
    # str.translate takes fifteen times as long for a document.
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if '"' in text:
        text = text.replace('"', '\\"')
    return _clean(text) if "\0" in text else text


def bytea(values: Iterable[bytes]) -> str:
    """Return the ``bytea[]`` literal of byte strings."""
    return "{" + ",".join('"\\\\x' + value.hex() + '"' for value in values) + "}"


def base64(values: Iterable[bytes]) -> AsIs:
    """Return the ``text[]`` literal of byte strings in base64, of which ``decode`` makes ``bytea`` again.

    For large ones: the driver looks at each character of a literal for what it has to escape, a hundredth of a second
    for a megabyte. In this one there is nothing to be escaped, so that it goes as it is.
    """
    return AsIs("'{" + ",".join(f'"{b2a_base64(value, newline=False).decode()}"' for value in values) + "}'")


def document(fields: Mapping[str, str]) -> str:
    """Return the text of a JSON object that PostgreSQL takes as ``jsonb``."""
    try:
        text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # half a character, or not quite a dictionary
        text = json.dumps(fields, ensure_ascii=False, sort_keys=True)
    if "\\u0000" in text:
        # jsonb refuses U+0000 even escaped. The texts are cleaned, not the JSON: "\\u0000" may be a text as well.
        text = json.dumps(
            {_clean(key): _clean(value) for key, value in fields.items()}, ensure_ascii=False, sort_keys=True
        )
    return text


def _clean(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
