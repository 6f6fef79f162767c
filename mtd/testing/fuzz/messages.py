"""Requests of any method, made of its descriptor: well-formed ones with values that make no sense, and broken ones."""

from __future__ import annotations

from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

from mtd.testing.fuzz.values import Values

_INT32 = (-(2**31), 2**31 - 1)
_UINT32 = (0, 2**32 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = (0, 2**64 - 1)
_WHOLE = {
    FieldDescriptor.CPPTYPE_INT32: _INT32,
    FieldDescriptor.CPPTYPE_UINT32: _UINT32,
    FieldDescriptor.CPPTYPE_INT64: _INT64,
    FieldDescriptor.CPPTYPE_UINT64: _UINT64,
    FieldDescriptor.CPPTYPE_ENUM: _INT32,
}
_DEEPEST = 5


def request_bytes(method: MethodDescriptor, values: Values) -> bytes:
    """Return the bytes of a request."""
    way = values.chance.random()
    if way < 0.1:
        return values.chance.randbytes(values.few(200))
    good = random_message(method.input_type, values).SerializeToString()
    return values.broken(good) if way < 0.4 else good


def random_message(kind: Any, values: Values, depth: int = 0) -> Message:
    """Return a message, by its descriptor, with some of its fields set."""
    message = message_factory.GetMessageClass(kind)()
    for field in kind.fields:
        # Names lead somewhere: a request without them is refused at once.
        likely = 0.8 if field.cpp_type == FieldDescriptor.CPPTYPE_STRING else 0.4
        if values.chance.random() < likely and depth < _DEEPEST:
            _fill(message, field, values, depth)
    return message


def _fill(message: Any, field: Any, values: Values, depth: int) -> None:
    is_message = field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE
    if is_message and field.message_type.GetOptions().map_entry:
        _fill_map(message, field, values, depth)
    elif field.is_repeated:
        target = getattr(message, field.name)
        for _ in range(values.few(4)):
            if is_message:
                target.add().CopyFrom(random_message(field.message_type, values, depth + 1))
            else:
                target.append(_scalar(field, values))
    elif is_message:
        getattr(message, field.name).CopyFrom(random_message(field.message_type, values, depth + 1))
    else:
        setattr(message, field.name, _scalar(field, values))


def _fill_map(message: Any, field: Any, values: Values, depth: int) -> None:
    target = getattr(message, field.name)
    entry = field.message_type.fields_by_name
    for _ in range(values.few(3)):
        key = _scalar(entry["key"], values)
        if entry["value"].cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            target[key].CopyFrom(random_message(entry["value"].message_type, values, depth + 1))
        else:
            target[key] = _scalar(entry["value"], values)


def _scalar(field: Any, values: Values) -> Any:
    if field.cpp_type in _WHOLE:
        return values.number(*_WHOLE[field.cpp_type])
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return values.chance.random() < 0.5
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return values.real()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return values.blob()
    return values.text(field.name)
