"""MNDP: what announcements say, and what nobody can make the parser do."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.mndp import MAX_DATAGRAM_BYTES, Announcement, NotMndp, decode

# Put together by hand from the description of the protocol, field by field.
CAPTURE = bytes.fromhex(
    "61000007"
    "00010006488f5a0000a1"
    "00050006" + b"core-1".hex()
    + "0007000f" + b"7.16.2 (stable)".hex()
    + "00080008" + b"MikroTik".hex()
    + "000a000440e20100"
    + "000b0009" + b"H792-MXJ3".hex()
    + "000c000b" + b"RB5009UG+S+".hex()
    + "000e000100"
    + "000f0010fe80000000000000764d28fffe910d2f"
    + "0010000d" + b"bridge/ether2".hex()
    + "00110004c0a85801"
)  # fmt: skip


def field(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


def test_an_announcement_says_all_this() -> None:
    assert decode(CAPTURE) == Announcement(
        sequence=7,
        mac_address="48:8F:5A:00:00:A1",
        identity="core-1",
        version="7.16.2 (stable)",
        platform="MikroTik",
        board="RB5009UG+S+",
        software_id="H792-MXJ3",
        interface_name="bridge/ether2",
        ipv4_address="192.168.88.1",
        ipv6_address="fe80::764d:28ff:fe91:d2f",
        uptime_s=123456,
        unpack=0,
    )


def test_what_is_not_said_is_absent_and_strangers_are_skipped() -> None:
    data = b"\0\0\0\1" + field(99, b"future") + field(5, "Łódź".encode("cp1250"))
    found = decode(data)
    assert found is not None
    assert (found.mac_address, found.uptime_s, found.ipv4_address) == ("", None, "")
    assert found.identity == "£ódŸ".replace("Ÿ", "\x9f")  # Latin-1: nobody says which code page it is


def test_who_asks_announces_nothing() -> None:
    assert decode(bytes(4)) is None
    assert decode(bytes(9)) is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too short"),
        (b"\1\2\3", "too short"),
        (b"a" * (MAX_DATAGRAM_BYTES + 1), "too long"),
        (CAPTURE[:-1], "cut off"),
        (CAPTURE + b"\0\1", "cut off"),
        (b"\0\0\0\1" + struct.pack(">HH", 5, 65535), "cut off"),
        (b"\0\0\0\1", "nothing known in it"),
        (b"\0\0\0\1" + field(200, b"x"), "nothing known in it"),
        (b"\0\0\0\1" + field(5, b"") * 65, "too many fields"),
    ],
)
def test_what_is_no_announcement_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(NotMndp) as caught:
        decode(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("kind", "value"), [(1, b"\1\2"), (1, bytes(6)), (17, b"\1"), (15, bytes(16)), (10, b"\1")]
)
def test_a_value_that_can_not_be_is_left_out(kind: int, value: bytes) -> None:
    found = decode(b"\0\0\0\1" + field(kind, value) + field(5, b"r"))
    assert found == Announcement(1, identity="r")


def test_the_first_of_equal_fields_counts_and_texts_are_bounded() -> None:
    found = decode(b"\0\0\0\1" + field(5, b"one") + field(5, b"two") + field(12, b"x" * 5000))
    assert found is not None
    assert found.identity == "one"
    assert len(found.board) == 255


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    try:
        found = decode(data)
    except NotMndp:
        return
    assert found is None or len(found.identity) <= 255
    if found is not None:
        found.identity.encode()


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)


@given(
    TEXT,
    TEXT,
    st.binary(min_size=6, max_size=6).filter(any),
    st.lists(st.tuples(st.integers(18, 9999), st.binary(max_size=9)), max_size=5),
    st.randoms(),
)
def test_whatever_the_order_the_fields_are_read(
    identity: str, board: str, mac: bytes, others: list[tuple[int, bytes]], random: object
) -> None:
    fields = [field(5, identity.encode()), field(12, board.encode()), field(1, mac)]
    fields += [field(kind, value) for kind, value in others]
    random.shuffle(fields)  # type: ignore[attr-defined]
    found = decode(b"\0\0\0\2" + b"".join(fields))
    assert found is not None
    assert (found.identity, found.board, found.mac_address) == (identity, board, mac.hex(":").upper())
