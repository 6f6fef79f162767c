"""The lab's own encoder and decoder of SNMP messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.snmp.wire import NULL, V1, V2C, Kind, Message, Tag, Value, WireError, decode

NUMBERS = st.integers(-(2**31), 2**31 - 1)
OIDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20).map(lambda rest: (1, 3, *rest))
MESSAGES = st.builds(
    Message,
    version=st.sampled_from((V1, V2C)),
    community=st.binary(max_size=40),
    kind=st.sampled_from((Kind.GET, Kind.GET_NEXT, Kind.GET_BULK, Kind.SET)),
    request_id=NUMBERS,
    status=NUMBERS,
    index=NUMBERS,
    pairs=st.lists(OIDS.map(lambda oid: (oid, NULL)), max_size=40).map(tuple),
)


@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert decode(message.encode()) == message


@given(st.binary(max_size=200))
def test_noise_is_no_message(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(b"\x30" + data[:1] + data)


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_off_is_none(message: Message, data: st.DataObject) -> None:
    whole = message.encode()
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(WireError):
        decode(part)


def test_a_request_that_another_program_wrote() -> None:
    """``snmpget -v2c -c public`` of sysUpTime.0, as it went over the wire."""
    data = bytes.fromhex(
        "302902010104067075626c6963a01c0204613a5e1b020100020100300e300c06082b060102010103000500"
    )
    message = decode(data)
    assert (message.version, message.community, message.kind) == (V2C, b"public", Kind.GET)
    assert message.pairs == (((1, 3, 6, 1, 2, 1, 1, 3, 0), NULL),)
    assert message.encode() == data


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Value(Tag.INTEGER, 0), "020100"),
        (Value(Tag.INTEGER, 127), "02017f"),
        (Value(Tag.INTEGER, 128), "02020080"),
        (Value(Tag.INTEGER, -1), "0201ff"),
        (Value(Tag.INTEGER, -129), "0202ff7f"),
        (Value(Tag.COUNTER32, 2**32 - 1), "410500ffffffff"),
        (Value(Tag.COUNTER64, 2**64 - 1), "460900ffffffffffffffff"),
        (Value(Tag.TICKS, 100), "430164"),
        (Value(Tag.OCTETS, b""), "0400"),
        (Value(Tag.OCTETS, b"x" * 200), "0481c8" + "78" * 200),
        (Value(Tag.OID, (1, 3, 6, 1, 4, 1, 14988, 1)), "06082b06010401f50c01"),
        (Value(Tag.NO_SUCH_INSTANCE), "8100"),
        (Value(Tag.END_OF_VIEW), "8200"),
    ],
)
def test_values(value: Value, written: str) -> None:
    assert value.encode().hex() == written
