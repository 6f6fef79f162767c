"""What a notification tells: Trap of version 1, SNMPv2-Trap and InformRequest of the others, in one form.

Traps of version 1 are named as RFC 3584 (3.1) has it, so that the same event has the same name in each version.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mtd.codec.snmp.ber import (
    INTEGER,
    NULL,
    OCTETS,
    OID,
    SEQUENCE,
    Oid,
    Reader,
    integer,
    read_oid,
    signed,
    tlv,
)
from mtd.codec.snmp.ber import unsigned as without_sign
from mtd.codec.snmp.errors import NoTrap, NotSnmp

RESPONSE, TRAP_V1, INFORM, TRAP_V2, REPORT = 0xA2, 0xA4, 0xA6, 0xA7, 0xA8
_REQUESTS = frozenset(range(0xA0, 0xA9)) - {TRAP_V1}  # all that have the same form

IP_ADDRESS, COUNTER32, GAUGE32, TIME_TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_VIEW = 0x80, 0x81, 0x82
_WITHOUT_SIGN = {
    COUNTER32: (1 << 32) - 1,
    GAUGE32: (1 << 32) - 1,
    TIME_TICKS: (1 << 32) - 1,
    COUNTER64: (1 << 64) - 1,
}
_WITHOUT_VALUE = frozenset({NULL, NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_VIEW})

SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SNMP_TRAP_OID: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
SNMP_TRAPS: Oid = (1, 3, 6, 1, 6, 3, 1, 1, 5)
_ENTERPRISE_SPECIFIC = 6
_MOST_BINDINGS = 128


@dataclass(frozen=True, slots=True)
class Binding:
    """An object and its value. ``kind``: its tag. A value is None where the device has none."""

    oid: Oid
    kind: int
    value: int | bytes | Oid | None


@dataclass(frozen=True, slots=True)
class Notification:
    """What happened, since when the device runs (hundredths of a second, None if not told), and what it tells of it."""

    trap: Oid
    uptime: int | None
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Pdu:
    """A notification as it came. Only an inform has to be answered: with its id, and its objects as they came."""

    notification: Notification
    request_id: int = 0
    is_inform: bool = False
    raw_bindings: bytes = field(default=b"", repr=False)


def read_pdu(reader: Reader) -> Pdu:
    """Return the notification that comes next. Raises NotSnmp, and NoTrap for PDUs that are none."""
    tag, start, end = reader.span()
    inside = Reader(reader.data, start, end)
    if tag == TRAP_V1:
        return Pdu(_read_v1(inside))
    if tag not in _REQUESTS:
        raise NotSnmp("no PDU")
    request_id = inside.number()
    if tag not in (INFORM, TRAP_V2):
        raise NoTrap("no trap")
    inside.number()
    inside.number()
    start, end = inside.span_of(SEQUENCE)
    inside.done()
    bindings = _read_bindings(Reader(reader.data, start, end))
    return Pdu(_named(bindings), request_id, tag == INFORM, reader.data[start:end])


def request_id_of(reader: Reader) -> int:
    """Return the id of the PDU that comes next, of whichever kind; 0 if it has none."""
    tag, start, end = reader.span()
    if tag not in _REQUESTS:
        return 0
    return Reader(reader.data, start, end).number()


def response(request_id: int, raw_bindings: bytes) -> bytes:
    """Return the answer to an inform: all is well, and its objects as they came."""
    return tlv(RESPONSE, integer(request_id), integer(0), integer(0), tlv(SEQUENCE, raw_bindings))


def report(request_id: int, binding: bytes) -> bytes:
    """Return a report of one counter, which says what is wrong with a message."""
    return tlv(REPORT, integer(request_id), integer(0), integer(0), tlv(SEQUENCE, binding))


def _read_v1(reader: Reader) -> Notification:
    enterprise = reader.oid()
    reader.content(IP_ADDRESS)  # the agent's own word for its address, which decides nothing
    generic, specific = reader.number(), reader.number()
    uptime = without_sign(reader.content(TIME_TICKS), _WITHOUT_SIGN[TIME_TICKS])
    bindings = _read_bindings(reader.inside(SEQUENCE))
    reader.done()
    if not 0 <= generic <= _ENTERPRISE_SPECIFIC or not 0 <= specific < 1 << 32:
        raise NotSnmp("impossible trap")
    trap = (*enterprise, 0, specific) if generic == _ENTERPRISE_SPECIFIC else (*SNMP_TRAPS, generic + 1)
    return Notification(trap, uptime, bindings)


def _named(bindings: tuple[Binding, ...]) -> Notification:
    uptime: int | None = None
    trap: Oid | None = None
    others = []
    for one in bindings:
        if one.oid == SNMP_TRAP_OID and one.kind == OID and isinstance(one.value, tuple):
            trap = one.value
        elif one.oid == SYS_UPTIME and isinstance(one.value, int):
            uptime = one.value
        else:
            others.append(one)
    if trap is None:
        raise NotSnmp("no snmpTrapOID")
    return Notification(trap, uptime, tuple(others))


def _read_bindings(reader: Reader) -> tuple[Binding, ...]:
    found: list[Binding] = []
    while reader.more:
        if len(found) == _MOST_BINDINGS:
            raise NotSnmp("too many objects")
        pair = reader.inside(SEQUENCE)
        name = pair.oid()
        tag, start, end = pair.span()
        pair.done()
        found.append(Binding(name, tag, _value(tag, reader.data[start:end])))
    return tuple(found)


def _value(tag: int, content: bytes) -> int | bytes | Oid | None:
    if tag in _WITHOUT_VALUE:
        return None
    if tag == INTEGER:
        return signed(content)
    if tag == OID:
        return read_oid(content)
    most = _WITHOUT_SIGN.get(tag)
    if most is not None:
        return without_sign(content, most)
    if tag not in (OCTETS, IP_ADDRESS, OPAQUE):
        raise NotSnmp("another kind of value")
    return content
