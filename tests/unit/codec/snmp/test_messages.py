"""What messages tell, and which are refused."""

from __future__ import annotations

import pytest

from mtd.codec.snmp import NotSnmp, Plain, Secured, Version, dotted, plain_answer, read_message, text_of
from mtd.codec.snmp.ber import Reader, integer, octets, oid, tlv
from mtd.codec.snmp.errors import NoTrap
from mtd.codec.snmp.message import MAX_MESSAGE_BYTES, read_scoped, write_secured
from mtd.codec.snmp.pdu import RESPONSE, request_id_of
from tests.unit.codec.snmp import samples

LINK_DOWN = (1, 3, 6, 1, 6, 3, 1, 1, 5, 3)


def plain(data: bytes) -> Plain:
    message = read_message(data)
    assert isinstance(message, Plain)
    return message


@pytest.mark.parametrize(
    ("data", "version"), [(samples.V1_LINK_DOWN, Version.V1), (samples.V2C_LINK_DOWN, Version.V2C)]
)
def test_both_versions_tell_the_same(data: bytes, version: Version) -> None:
    message = plain(data)
    told = message.pdu.notification
    assert (message.version, message.community, message.pdu.is_inform) == (version, b"public", False)
    assert (told.trap, told.uptime) == (LINK_DOWN, 4200)
    assert [(dotted(one.oid), one.value) for one in told.bindings] == [
        ("1.3.6.1.2.1.2.2.1.1.10", 10),
        ("1.3.6.1.2.1.2.2.1.7.10", 1),
        ("1.3.6.1.2.1.31.1.1.1.1.10", b"ether10"),
    ]


def test_a_trap_of_an_enterprise_is_below_its_number_and_a_zero() -> None:
    told = plain(samples.V1_ENTERPRISE).pdu.notification
    assert dotted(told.trap) == "1.3.6.1.4.1.14988.1.1.9.0.2"
    assert [one.value for one in told.bindings] == [-65]


def test_values_of_all_kinds_are_text() -> None:
    told = plain(samples.V2C_KINDS).pdu.notification
    assert [text_of(one, "latin-1") for one in told.bindings] == [
        "-5",
        "4294967295",
        "7",
        "123",
        "192.0.2.9",
        "1.3.6.1.4.1.14988",
        "0x000c42ff",
        "18446744073709551615",
        "",
    ]


def test_an_inform_is_answered_with_what_it_told() -> None:
    message = plain(samples.V2C_INFORM)
    assert message.pdu.is_inform
    reader = Reader(plain_answer(message)).inside(0x30)
    assert (reader.number(), reader.content(0x04)) == (1, b"public")
    pdu = reader.inside(RESPONSE)
    assert (pdu.number(), pdu.number(), pdu.number()) == (message.pdu.request_id, 0, 0)
    assert pdu.content(0x30) == message.pdu.raw_bindings
    assert message.pdu.raw_bindings in samples.V2C_INFORM


def test_a_message_of_version_3_says_who_sent_it_and_when() -> None:
    message = read_message(samples.V3_SHA_AES)
    assert isinstance(message, Secured)
    assert (message.engine_id, message.boots, message.time, message.user) == (samples.ENGINE, 7, 3600, b"noc")
    assert (message.authenticated, message.encrypted, message.reportable) == (True, True, False)
    at = message.digest_at
    assert samples.V3_SHA_AES[at : at + 12] == message.digest


@pytest.mark.parametrize("data", [samples.V3_OPEN, samples.V3_SHA512])
def test_what_is_written_is_read_again(data: bytes) -> None:
    message = read_message(data)
    assert isinstance(message, Secured)
    again = read_message(write_secured(message))
    assert isinstance(again, Secured)
    assert read_scoped(again.data) == read_scoped(message.data)
    assert (again.message_id, again.digest, again.salt) == (message.message_id, message.digest, message.salt)


def trap(*bindings: bytes, tag: int = 0xA7, version: int = 1) -> bytes:
    pdu = tlv(tag, integer(5), integer(0), integer(0), tlv(0x30, *bindings))
    return tlv(0x30, integer(version), octets(b"public"), pdu)


def bound(name: tuple[int, ...], value: bytes) -> bytes:
    return tlv(0x30, oid(name), value)


TOLD = bound((1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0), oid(LINK_DOWN))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (samples.V2C_INFORM[:-1], "cut off"),
        (samples.V2C_INFORM + b"\0", "something behind the end"),
        (bytes(MAX_MESSAGE_BYTES + 1), "too long"),
        (trap(TOLD, version=2), "unknown version"),
        (trap(TOLD, version=0), "PDU of another version"),
        (trap(TOLD, tag=0xA9), "no PDU"),
        (trap(), "no snmpTrapOID"),
        (trap(TOLD, *[bound((1, 3, 6), integer(1))] * 128), "too many objects"),
        (trap(TOLD, bound((1, 3, 6), tlv(0x02))), "impossible number"),
        (trap(TOLD, bound((1, 3, 6), tlv(0x41, b"\1\0\0\0\0"))), "impossible number"),
        (trap(TOLD, bound((1, 3, 6), tlv(0x99))), "another kind of value"),
        (trap(TOLD, tlv(0x30, tlv(0x06, b"\x2b\x80"), integer(1))), "impossible object identifier"),
        (
            trap(TOLD, tlv(0x30, tlv(0x06, b"\x2b" + b"\xff" * 9 + b"\1"), integer(1))),
            "impossible object identifier",
        ),
        (b"\x30\x80\x02\x01\x01\0\0", "impossible length"),
        (b"\x30\x84\xff\xff\xff\xff", "cut off"),
    ],
)
def test_what_nothing_of_snmp_can_be_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(NotSnmp, match=f"^{reason}$"):
        read_message(data)


@pytest.mark.parametrize("tag", [0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA8])
def test_requests_and_answers_tell_of_nothing(tag: int) -> None:
    with pytest.raises(NoTrap):
        read_message(trap(TOLD, tag=tag))


def test_numbers_without_a_sign_may_lack_the_byte_that_says_so() -> None:
    message = plain(trap(TOLD, bound((1, 3, 6), tlv(0x41, b"\xff\xff\xff\xff"))))
    assert message.pdu.notification.bindings[0].value == (1 << 32) - 1


@pytest.mark.parametrize("number", [0, 1, -1, 127, 128, -128, -129, 2**31 - 1, -(2**31)])
def test_numbers_come_out_as_they_went_in(number: int) -> None:
    assert Reader(integer(number)).number() == number


@pytest.mark.parametrize(
    "name", [(1, 3), (2, 999, 3), (0, 39, 2**32 - 1), (1, 3, 6, 1, 4, 1, 14988, 128, 127)]
)
def test_object_identifiers_come_out_as_they_went_in(name: tuple[int, ...]) -> None:
    assert Reader(oid(name)).oid() == name


def test_the_id_of_a_request_can_be_had() -> None:
    assert request_id_of(Reader(tlv(0xA0, integer(77), integer(0), integer(0), tlv(0x30)))) == 77
    assert request_id_of(Reader(tlv(0xA4, integer(77)))) == 0
