"""Nobody can make the codec do more than refuse."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.snmp import Auth, Engine, NotSnmp, Plain, Priv, Unproven, plain_answer, read_message, text_of
from tests.unit.codec.snmp import samples

USERS = [samples.user(), samples.user(Auth.SHA1, Priv.AES), samples.user(Auth.MD5, Priv.DES)]


def take(data: bytes) -> None:
    """Read a datagram with everything that is done with one; may only refuse it."""
    with contextlib.suppress(NotSnmp):
        message = read_message(data)
        if isinstance(message, Plain):
            plain_answer(message)
            told = message.pdu.notification
            assert all(isinstance(text_of(one, "cp1251"), str) for one in told.bindings)
            return
        engine = Engine(b"\x80\0\0\0\x05mtd", 1, 0.0)
        for user in (None, *USERS):
            try:
                scoped = engine.open(message, user, 0.0)
            except Unproven as unproven:
                engine.report(message, user, unproven.reason, 0.0)
            else:
                assert user is not None
                engine.answer(message, user, scoped, 0.0)


@given(st.binary(max_size=300))
def test_noise(data: bytes) -> None:
    take(data)


@given(
    st.sampled_from(samples.ALL), st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=6)
)
def test_messages_with_some_bytes_changed(data: bytes, changes: list[tuple[int, int]]) -> None:
    changed = bytearray(data)
    for place, byte in changes:
        changed[place % len(changed)] = byte
    take(bytes(changed))


@given(st.sampled_from(samples.ALL), st.integers(0, 250), st.integers(0, 250))
def test_messages_with_a_piece_missing(data: bytes, start: int, length: int) -> None:
    take(data[:start] + data[start + length :])
