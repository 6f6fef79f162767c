"""The key that seals page tokens: of the master key, so that it outlives a restart and all doors have the same."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mtd.security.keyfile import KEY_BYTES, MasterKey

# Of no use for anything else: what seals tokens must not be what opens passwords.
_PURPOSE = b"mtd page tokens\0"


def page_key_of(key: MasterKey) -> bytes:
    """Return the key of page tokens. With another master key, lists that are being read have to be begun anew."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE).derive(key.material)
