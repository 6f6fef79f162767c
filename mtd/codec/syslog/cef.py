r"""CEF, the common event format, as RouterOS writes it since 7.18.

``CEF:0|vendor|product|version|id|name|severity|key=value key=value``: in the first part ``\|`` and ``\\`` are
escaped, in the values ``\=``, ``\\``, ``\n`` and ``\r``. A value goes on until the next key, blanks and all.
RouterOS puts its topics where a name should be.
"""

from __future__ import annotations

import re
from itertools import islice

_HEADER = re.compile(rb"CEF:\d+((?:\|(?:[^|\\]|\\.)*){6})\|", re.DOTALL)
_FIELD = re.compile(rb"\|((?:[^|\\]|\\.)*)", re.DOTALL)
# What stands before its equals sign is no backslash: one that is escaped ends no key.
_KEY = re.compile(rb"(?:^|(?<= ))([A-Za-z0-9_.-]{1,64})=")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MOST_FIELDS = 64
_ENDS = {b"n": b"\n", b"r": b"\r"}


def read_cef(text: bytes) -> tuple[list[bytes], dict[bytes, bytes]] | None:
    """Return the six fields of the first part and the values by key; None if this isn't CEF."""
    header = _HEADER.match(text)
    if header is None:
        return None
    fields = [_plain(one) for one in _FIELD.findall(header[1])]
    rest = text[header.end() :]
    keys = list(islice(_KEY.finditer(rest), _MOST_FIELDS))
    values: dict[bytes, bytes] = {}
    for place, found in enumerate(keys):
        end = keys[place + 1].start() if place + 1 < len(keys) else len(rest)
        values.setdefault(found[1], _plain(rest[found.end() : end].rstrip(b" ")))
    return fields, values


def _plain(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: _ENDS.get(found[1], found[1]), text) if b"\\" in text else text
