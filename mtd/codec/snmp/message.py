"""Messages: what is around a notification. Versions 1 and 2c have a community, version 3 a user and what proves it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from mtd.codec.snmp.ber import OCTETS, SEQUENCE, Reader, integer, octets, tlv
from mtd.codec.snmp.errors import NotSnmp
from mtd.codec.snmp.pdu import TRAP_V1, Pdu, read_pdu, request_id_of, response

MAX_MESSAGE_BYTES = 9216
"""Of one jumbo frame. Agents keep to their link's; a message of 64 KiB takes ten milliseconds to read."""

_USM = 3
_AUTH, _PRIV, _REPORTABLE = 0x01, 0x02, 0x04
_MOST_NUMBER = (1 << 31) - 1
_MOST_NAME_BYTES = 32


class Version(enum.StrEnum):
    """Versions by what people call them; ``number`` is that of the wire."""

    V1 = "1"
    V2C = "2c"
    V3 = "3"

    @property
    def number(self) -> int:
        """What stands in messages."""
        return _NUMBERS[self]


_NUMBERS = {Version.V1: 0, Version.V2C: 1, Version.V3: 3}
_VERSIONS = {number: version for version, number in _NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class Plain:
    """A message of version 1 or 2c."""

    version: Version
    community: bytes = field(repr=False)
    pdu: Pdu


@dataclass(frozen=True, slots=True)
class Secured:
    """A message of version 3 with the user-based security model, not proven yet.

    ``data``: the scoped PDU, encrypted or as it is. ``digest_at``: where the digest stands in ``whole``.
    """

    message_id: int
    authenticated: bool
    encrypted: bool
    reportable: bool
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    digest: bytes
    salt: bytes
    data: bytes = field(repr=False)
    digest_at: int = 0
    whole: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Scoped:
    """A notification with its context: which engine's objects, and by which name."""

    engine_id: bytes
    name: bytes
    pdu: Pdu


def read_message(data: bytes) -> Plain | Secured:
    """Return the message in a datagram. Raises NotSnmp, and NoTrap for one that tells of nothing."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise NotSnmp("too long")
    outer = Reader(data)
    reader = outer.inside(SEQUENCE)
    outer.done()
    version = _VERSIONS.get(reader.number())
    if version is None:
        raise NotSnmp("unknown version")
    if version is Version.V3:
        return _read_secured(reader)
    community = reader.content(OCTETS)
    of_first = reader.more and reader.data[reader.at] == TRAP_V1
    pdu = read_pdu(reader)
    reader.done()
    if of_first != (version is Version.V1):
        raise NotSnmp("PDU of another version")
    return Plain(version, community, pdu)


def _read_secured(reader: Reader) -> Secured:
    header = reader.inside(SEQUENCE)
    message_id, _, flags, model = header.number(), header.number(), header.content(OCTETS), header.number()
    header.done()
    if len(flags) != 1 or flags[0] & (_AUTH | _PRIV) == _PRIV:
        raise NotSnmp("impossible flags")
    if model != _USM:
        raise NotSnmp("unknown security model")
    start, end = reader.span_of(OCTETS)
    security = Reader(reader.data, start, end)
    parameters = security.inside(SEQUENCE)
    security.done()
    engine_id, boots, time = parameters.content(OCTETS), parameters.number(), parameters.number()
    user = parameters.content(OCTETS)
    digest_at, digest_end = parameters.span_of(OCTETS)
    salt = parameters.content(OCTETS)
    parameters.done()
    if not (0 <= message_id <= _MOST_NUMBER and 0 <= boots <= _MOST_NUMBER and 0 <= time <= _MOST_NUMBER):
        raise NotSnmp("impossible number")
    if len(user) > _MOST_NAME_BYTES or len(engine_id) > _MOST_NAME_BYTES:
        raise NotSnmp("impossible length")
    encrypted = bool(flags[0] & _PRIV)
    at = reader.at
    start, end = reader.span_of(OCTETS if encrypted else SEQUENCE)
    reader.done()
    return Secured(
        message_id,
        bool(flags[0] & _AUTH),
        encrypted,
        bool(flags[0] & _REPORTABLE),
        engine_id,
        boots,
        time,
        user,
        reader.data[digest_at:digest_end],
        salt,
        reader.data[start if encrypted else at : end],
        digest_at,
        reader.data,
    )


def read_scoped(data: bytes) -> Scoped:
    """Return a notification with its context. What a cipher filled it up with may stand behind it."""
    reader = Reader(data).inside(SEQUENCE)
    engine_id, name = reader.content(OCTETS), reader.content(OCTETS)
    pdu = read_pdu(reader)
    reader.done()
    return Scoped(engine_id, name, pdu)


def request_id_in(message: Secured) -> int:
    """Return the id of what is asked for in a message that can't be proven; 0 if it can't be read."""
    if message.encrypted:
        return 0
    try:
        reader = Reader(message.data).inside(SEQUENCE)
        reader.content(OCTETS)
        reader.content(OCTETS)
        return request_id_of(reader)
    except NotSnmp:
        return 0


def plain_answer(message: Plain) -> bytes:
    """Return the answer to an inform of version 2c."""
    answer = response(message.pdu.request_id, message.pdu.raw_bindings)
    return tlv(SEQUENCE, integer(message.version.number), octets(message.community), answer)


def scoped_answer(engine_id: bytes, name: bytes, pdu: bytes) -> bytes:
    """Return a PDU with its context."""
    return tlv(SEQUENCE, octets(engine_id), octets(name), pdu)


def write_secured(message: Secured) -> bytes:
    """Return a message of version 3, with the digest that it says. What stands where in it isn't looked at."""
    flags = (
        (_AUTH if message.authenticated else 0)
        | (_PRIV if message.encrypted else 0)
        | (_REPORTABLE if message.reportable else 0)
    )
    header = tlv(
        SEQUENCE,
        integer(message.message_id),
        integer(MAX_MESSAGE_BYTES),
        octets(bytes((flags,))),
        integer(_USM),
    )
    parameters = tlv(
        SEQUENCE,
        octets(message.engine_id),
        integer(message.boots),
        integer(message.time),
        octets(message.user),
        octets(message.digest),
        octets(message.salt),
    )
    data = octets(message.data) if message.encrypted else message.data
    return tlv(SEQUENCE, integer(Version.V3.number), header, octets(parameters), data)
