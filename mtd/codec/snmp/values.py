"""Values of objects as people read them."""

from __future__ import annotations

from mtd.codec.snmp.ber import OCTETS, Oid
from mtd.codec.snmp.pdu import END_OF_VIEW, IP_ADDRESS, NO_SUCH_INSTANCE, NO_SUCH_OBJECT, Binding
from mtd.model.text import decode_seldom

_ABSENT = {NO_SUCH_OBJECT: "no such object", NO_SUCH_INSTANCE: "no such instance", END_OF_VIEW: "end of view"}
_IPV4_BYTES = 4


def dotted(numbers: Oid) -> str:
    """Return an object identifier as it is written."""
    return ".".join(map(str, numbers))


def text_of(binding: Binding, code_page: str) -> str:
    """Return a value as text: bytes that aren't printable in hexadecimal digits, and nothing for none."""
    value = binding.value
    if value is None:
        return _ABSENT.get(binding.kind, "")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return dotted(value)
    if binding.kind == IP_ADDRESS and len(value) == _IPV4_BYTES:
        return ".".join(map(str, value))
    if binding.kind == OCTETS:
        text = decode_seldom(value.rstrip(b"\0"), code_page)
        if all(one.isprintable() or one in "\t\r\n" for one in text):
            return " ".join(text.split())
    return f"0x{value.hex()}"
