"""Keys and ciphers, by the vectors of the standards and by what Net-SNMP sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.snmp import Auth, NotSnmp, Priv, Secured, User, read_message
from mtd.codec.snmp.usm import (
    DIGEST_BYTES,
    decrypted,
    digest,
    encrypted,
    is_proven,
    keys_for,
    stretched,
)
from tests.unit.codec.snmp import samples

RFC_ENGINE = bytes(11) + b"\2"


@pytest.mark.parametrize(
    ("auth", "key", "localized"),
    [  # RFC 3414, A.3
        (Auth.MD5, "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
        (
            Auth.SHA1,
            "9fb5cc0381497b3793528939ff788d5d79145211",
            "6695febc9288e36282235fc7151f128497b38f3f",
        ),
    ],
)
def test_keys_are_those_of_the_standard(auth: Auth, key: str, localized: str) -> None:
    assert stretched(auth, b"maplesyrup").hex() == key
    user = User.of_passwords("u", auth, "maplesyrup", Priv.AES, "maplesyrup")
    assert keys_for(user, RFC_ENGINE).auth.hex() == localized
    assert keys_for(user, RFC_ENGINE).priv.hex() == localized


@pytest.mark.parametrize(
    ("auth", "data"),
    [
        (Auth.MD5, samples.V3_MD5_DES),
        (Auth.SHA1, samples.V3_SHA_AES),
        (Auth.SHA512, samples.V3_SHA512),
    ],
)
def test_who_has_the_password_is_proven_and_nobody_else(auth: Auth, data: bytes) -> None:
    message = read_message(data)
    assert isinstance(message, Secured)
    for password, proven in (("authpass1", True), ("authpass2", False)):
        key = keys_for(samples.user(auth, password=password), message.engine_id).auth
        assert is_proven(auth, key, message.whole, message.digest_at, message.digest) is proven
        assert not is_proven(auth, key, message.whole, message.digest_at, message.digest[:-1])


@pytest.mark.parametrize("auth", [one for one in Auth if one is not Auth.NONE])
def test_digests_have_the_length_of_the_standard(auth: Auth) -> None:
    assert len(digest(auth, b"k", b"message")) == DIGEST_BYTES[auth]


@given(st.sampled_from([Priv.DES, Priv.AES]), st.binary(max_size=70), st.binary(min_size=16, max_size=16))
def test_what_is_encrypted_comes_out_again(priv: Priv, data: bytes, key: bytes) -> None:
    salt, secret = encrypted(priv, key, 3, 4, data)
    found = decrypted(priv, key, 3, 4, salt, secret)
    assert found[: len(data)] == data
    assert found[len(data) :] == bytes(len(found) - len(data))  # DES fills blocks up
    assert len(secret) == (len(data) if priv is Priv.AES else -(-len(data) // 8) * 8)


@pytest.mark.parametrize(
    ("priv", "salt", "data"),
    [(Priv.AES, b"short", b"x"), (Priv.DES, b"12345678", b"no block"[:7])],
)
def test_what_nothing_encrypted_can_be_is_refused(priv: Priv, salt: bytes, data: bytes) -> None:
    with pytest.raises(NotSnmp):
        decrypted(priv, bytes(16), 1, 1, salt, data)


def test_keys_aren_t_shown() -> None:
    user = samples.user(Auth.SHA1, Priv.AES)
    assert user.auth_key.hex() not in repr(user)
    assert repr(user.auth_key) not in repr(user)
    assert repr(keys_for(user, RFC_ENGINE)) == "Keys()"
