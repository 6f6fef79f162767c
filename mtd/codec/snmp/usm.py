"""The user-based security model: keys from passwords, digests, and ciphers (RFC 3414, 3826 and 7860)."""

from __future__ import annotations

import enum
import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from mtd.codec.snmp.errors import NotSnmp

_STRETCHED_BYTES = 1 << 20
_BLOCK, _DES_BLOCK = 16, 8
SALT_BYTES = 8
LEAST_PASSWORD_BYTES = 8


class Auth(enum.StrEnum):
    """How a user proves who it is."""

    NONE = "none"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA224 = "sha224"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


class Priv(enum.StrEnum):
    """How a user's messages are encrypted."""

    NONE = "none"
    DES = "des"
    AES = "aes"


DIGEST_BYTES = {
    Auth.NONE: 0,
    Auth.MD5: 12,
    Auth.SHA1: 12,
    Auth.SHA224: 16,
    Auth.SHA256: 24,
    Auth.SHA384: 32,
    Auth.SHA512: 48,
}


@dataclass(frozen=True, slots=True)
class User:
    """Who sends, with keys that hold for each engine. ``repr`` leaves them out."""

    name: bytes
    auth: Auth = Auth.NONE
    auth_key: bytes = field(default=b"", repr=False)
    priv: Priv = Priv.NONE
    priv_key: bytes = field(default=b"", repr=False)

    @classmethod
    def of_passwords(cls, name: str, auth: Auth, auth_password: str, priv: Priv, priv_password: str) -> User:
        """Return the user that these make. Takes some milliseconds for each password."""
        if auth is Auth.NONE:
            return cls(name.encode())
        priv_key = b"" if priv is Priv.NONE else stretched(auth, priv_password.encode())
        return cls(name.encode(), auth, stretched(auth, auth_password.encode()), priv, priv_key)


@dataclass(frozen=True, slots=True)
class Keys:
    """A user's keys for one engine."""

    auth: bytes = field(repr=False)
    priv: bytes = field(repr=False)


def stretched(auth: Auth, password: bytes) -> bytes:
    """Return the key that a password makes: the hash of a mebibyte of it (RFC 3414, A.2)."""
    if not password:
        raise ValueError("a password isn't empty")
    times = -(-_STRETCHED_BYTES // len(password))
    return _hashed(auth, (password * times)[:_STRETCHED_BYTES])


def keys_for(user: User, engine_id: bytes) -> Keys:
    """Return a user's keys for one engine."""
    return Keys(*(_localized(user.auth, key, engine_id) for key in (user.auth_key, user.priv_key)))


def _localized(auth: Auth, key: bytes, engine_id: bytes) -> bytes:
    return _hashed(auth, key + engine_id + key) if key else b""


def _hashed(auth: Auth, data: bytes) -> bytes:
    # MD5 and SHA-1 are what the standard says, and what RouterOS has.
    return hashlib.new(auth.value, data, usedforsecurity=False).digest()


def digest(auth: Auth, key: bytes, whole: bytes) -> bytes:
    """Return the digest of a message that has zeros where it belongs."""
    return hmac.digest(key, whole, auth.value)[: DIGEST_BYTES[auth]]


def is_proven(auth: Auth, key: bytes, whole: bytes, at: int, found: bytes) -> bool:
    """Return whether a message has the digest that its user's key makes."""
    length = DIGEST_BYTES[auth]
    if len(found) != length:
        return False
    blank = b"".join((whole[:at], bytes(length), whole[at + length :]))
    return hmac.compare_digest(digest(auth, key, blank), found)


def encrypted(priv: Priv, key: bytes, boots: int, time: int, data: bytes) -> tuple[bytes, bytes]:
    """Return a salt, and what data become with it."""
    salt = os.urandom(SALT_BYTES)
    if priv is Priv.AES:
        return salt, _cfb_encrypted(key[:_BLOCK], _aes_start(boots, time, salt), data)
    cipher = _des(key, salt).encryptor()
    return salt, cipher.update(data + bytes(-len(data) % _DES_BLOCK)) + cipher.finalize()


def decrypted(priv: Priv, key: bytes, boots: int, time: int, salt: bytes, data: bytes) -> bytes:
    """Return what data were before. Raises NotSnmp for what can't be encrypted data."""
    if len(salt) != SALT_BYTES:
        raise NotSnmp("impossible salt")
    if priv is Priv.AES:
        return _cfb_decrypted(key[:_BLOCK], _aes_start(boots, time, salt), data)
    if len(data) % _DES_BLOCK:
        raise NotSnmp("impossible length")
    cipher = _des(key, salt).decryptor()
    return cipher.update(data) + cipher.finalize()


def _des(key: bytes, salt: bytes) -> Cipher[modes.CBC]:
    # Three times the same key is DES itself. The second half of the key hides the salt.
    start = bytes(one ^ other for one, other in zip(key[8:16], salt, strict=True))
    return Cipher(TripleDES(key[:8] * 3), modes.CBC(start))


def _aes_start(boots: int, time: int, salt: bytes) -> bytes:
    return boots.to_bytes(4, "big") + time.to_bytes(4, "big") + salt


# CFB is what single blocks of AES make: the library's own has moved among what it means to give up.


def _cfb_decrypted(key: bytes, start: bytes, data: bytes) -> bytes:
    before = start + data[: (len(data) - 1) // _BLOCK * _BLOCK] if data else b""
    stream = Cipher(AES(key), modes.ECB()).encryptor().update(before)  # noqa: S305 - block by block, as CFB is
    return _xor(data, stream)


def _cfb_encrypted(key: bytes, start: bytes, data: bytes) -> bytes:
    block = Cipher(AES(key), modes.ECB()).encryptor()  # noqa: S305 - block by block, as CFB is
    found, before = [], start
    for at in range(0, len(data), _BLOCK):
        before = _xor(data[at : at + _BLOCK], block.update(before))
        found.append(before)
    return b"".join(found)


def _xor(data: bytes, stream: bytes) -> bytes:
    length = len(data)
    number = int.from_bytes(data, "big") ^ int.from_bytes(stream[:length], "big")
    return number.to_bytes(length, "big")
