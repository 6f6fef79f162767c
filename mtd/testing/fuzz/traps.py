"""SNMP traps of strangers: a receiver to try them on, and good ones to begin from."""

from __future__ import annotations

from collections.abc import Iterable

from mtd.codec.snmp import Auth, Engine, Plain, Priv, Secured, Unproven, User, plain_answer, read_message
from mtd.codec.snmp.ber import SEQUENCE, octets, tlv
from mtd.codec.snmp.message import write_secured
from mtd.lab.snmp.wire import V2C, Kind, Message, Pair, Tag, Value, trap_of_v1

_ENGINE = b"\x80\0\0\0\x05mtd"
_PAIRS: tuple[Pair, ...] = (
    ((1, 3, 6, 1, 2, 1, 1, 3, 0), Value(Tag.TICKS, 4200)),
    ((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0), Value(Tag.OID, (1, 3, 6, 1, 6, 3, 1, 1, 5, 3))),
    ((1, 3, 6, 1, 2, 1, 2, 2, 1, 1, 10), Value(Tag.INTEGER, 10)),
    ((1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1, 10), Value(Tag.OCTETS, b"ether10")),
)
# What is to be read behind the proof, is to be reached: so there is a user who needs none.
_USERS = (
    User(b"open"),
    User(b"aes", Auth.SHA1, bytes(20), Priv.AES, bytes(20)),
    User(b"des", Auth.MD5, bytes(16), Priv.DES, bytes(16)),
)


def good_traps() -> Iterable[bytes]:
    """Return a trap of each version, and what is asked before an inform."""
    trap = Message(V2C, b"public", Kind.TRAP, 7, 0, 0, _PAIRS).encode()
    yield trap
    yield trap_of_v1(b"public", (1, 3, 6, 1, 4, 1, 14988, 1), "192.0.2.1", 2, 4200, _PAIRS[2:])
    scoped = tlv(SEQUENCE, octets(_ENGINE), octets(b""), trap[trap.index(Kind.TRAP) :])
    for user, flag in ((b"open", False), (b"", True), (b"aes", False)):
        message = Secured(
            9, user == b"aes", False, flag, _ENGINE if user else b"", 0, 0, user, b"", b"", scoped
        )
        yield write_secured(message)


def read_trap(data: bytes) -> None:
    """Do with a datagram what a listener does. Raises NotSnmp."""
    message = read_message(data)
    if isinstance(message, Plain):
        plain_answer(message)
        return
    engine = Engine(_ENGINE, 1, 0.0)
    for user in (None, *_USERS):
        try:
            scoped = engine.open(message, user, 0.0)
        except Unproven as unproven:
            engine.report(message, user, unproven.reason, 0.0)
        else:
            assert user is not None
            engine.answer(message, user, scoped, 0.0)
