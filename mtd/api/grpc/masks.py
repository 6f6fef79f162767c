"""Field masks: which fields of a message a caller wants, and which it changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from mtd.core.errors import Refused

M = TypeVar("M", bound=Message)

_EVERYTHING = "*"
_MOST_PATHS = 200
_SHOWN = 100


class MaskRefused(Refused):
    """A field mask that names what isn't there."""

    hint = "name fields as the protocol does, with dots: settings.name"


def read_mask_of(message: type[Message], paths: Iterable[str]) -> FieldMask | None:
    """Return a mask of the fields that a caller wants of a message; None: all. Raises MaskRefused."""
    wanted = list(dict.fromkeys(paths))
    if not wanted or _EVERYTHING in wanted:
        return None
    if len(wanted) > _MOST_PATHS:
        raise MaskRefused(f"{len(wanted)} fields in a mask are too many: {_MOST_PATHS} are allowed")
    wrong = [path for path in wanted if not _is_field(message.DESCRIPTOR, path)]
    if wrong:
        raise MaskRefused(f"read_mask: {message.DESCRIPTOR.name} has no {wrong[0][:_SHOWN]!r}")
    return FieldMask(paths=wanted)


def masked(message: M, mask: FieldMask | None) -> M:
    """Return a message with nothing but the fields of a mask."""
    if mask is None:
        return message
    shown = type(message)()
    mask.MergeMessage(message, shown)
    return shown


def _is_field(descriptor: Any, path: str) -> bool:
    """Return whether a path leads to a field; into lists and maps none leads."""
    name, dot, rest = path.partition(".")
    if descriptor is None or name not in descriptor.fields_by_name:
        return False
    if not dot:
        return True
    field = descriptor.fields_by_name[name]
    return not field.is_repeated and _is_field(field.message_type, rest)
