"""JSON as routers write it: text in any code page, and back to the bytes that it was."""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(data: bytes) -> Any:
    """Read JSON. ValueError if it is none.

    Routers put the bytes of a comment into it as they are: bytes that aren't
    UTF-8 come back out of `raw` unchanged.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json.loads(data.decode("utf-8", "surrogateescape"), strict=False)
        except RecursionError as error:
            raise ValueError("nested without end") from error


def raw(value: Any) -> bytes | None:
    """Return a value as the API sends it; None where there is none. ValueError if it is nested without end.

    The router writes all values as strings; others are written as it would.
    """
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            return _bytes_of(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    try:
        if isinstance(value, list):
            return b",".join(found for found in map(raw, value) if found is not None)
        return json.dumps(value).encode()
    except RecursionError as error:
        raise ValueError("nested without end") from error


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")  # half of a pair, escaped: nobody's text
