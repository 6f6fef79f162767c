"""Arguments of pages: checked, with a word on what would do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mtd.core.errors import NotFound, Refused

Arguments = Mapping[str, Sequence[str]]

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class BadArgument(Refused):
    """An argument that can't be used."""

    hint = "docs/console-protocol.md lists the arguments of each page"


def only(given: Arguments, *names: str) -> None:
    """Refuse arguments that a page doesn't know: they would be without effect, silently."""
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise BadArgument(f"unknown argument {unknown[0][:50]!r}; known: {', '.join(names) or 'none'}")


def integer(given: Arguments, name: str, default: int | None, least: int, most: int) -> int | None:
    """Return an integer within bounds."""
    values = given.get(name, ())
    if not values:
        return default
    if len(values) > 1 or _INTEGER.fullmatch(values[0]) is None:
        raise BadArgument(f"{name} must be one integer")
    value = int(values[0])
    if not least <= value <= most:
        raise BadArgument(f"{name} must be from {least} to {most}, not {value}")
    return value


def one_text(given: Arguments, name: str) -> str:
    """Return a text that is given once, or not at all: then it is empty."""
    values = given.get(name, ())
    if len(values) > 1:
        raise BadArgument(f"{name} must be one text")
    return values[0] if values else ""


def device_id(text: str) -> str:
    """Return the id of a device; NotFound if it can't be one."""
    if _UUID.fullmatch(text) is None:
        raise NotFound(f"{text[:50]!r} is no id of a device")
    return text.lower()
