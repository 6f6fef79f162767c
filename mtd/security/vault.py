"""Router passwords at rest: AES-256-GCM under a key per tenant.

Format of a sealed secret, version 1: the byte 1, the id of the master key (4
bytes), the nonce (12 bytes), ciphertext and tag. The tenant's key is
HKDF-SHA-256(master key, tenant); tenant and device are authenticated with it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from zope.interface import implementer

from mtd.security.errors import KeyUnusable, SecretUnreadable
from mtd.security.interfaces import ISecretStore
from mtd.security.keyfile import KEY_BYTES, KEY_ID_BYTES, MasterKey, load_or_make_keys

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = 1 + KEY_ID_BYTES
_TENANTS_CACHED = 256


@implementer(ISecretStore)
class Vault:
    """Seals and opens secrets with the master keys of a file."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        if not keys:
            raise KeyUnusable("the vault has no key")
        self._current = keys[0]
        self._keys = {key.key_id: key for key in keys}
        self._cipher = functools.lru_cache(maxsize=_TENANTS_CACHED)(_cipher)

    @classmethod
    def from_file(cls, path: Path, *, may_make: bool = True) -> Vault:
        """Return the vault of a key file, which is made if it doesn't exist and ``may_make``.

        Where passwords are stored already a new key would open none of them: it
        may not be made then. Raises KeyUnusable.
        """
        return cls(load_or_make_keys(path, may_make=may_make))

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, tenant_id: str, device_id: str, secret: str) -> bytes:
        """Encrypt a secret."""
        nonce = os.urandom(_NONCE_BYTES)
        header = bytes((_VERSION,)) + self._current.key_id
        cipher = self._cipher(self._current, tenant_id)
        return (
            header + nonce + cipher.encrypt(nonce, secret.encode(), _bound_to(header, tenant_id, device_id))
        )

    def open(self, tenant_id: str, device_id: str, sealed: bytes) -> str:
        """Decrypt what ``seal`` gave. Raises SecretUnreadable."""
        if len(sealed) < _HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES or sealed[0] != _VERSION:
            raise SecretUnreadable(f"the secret of device {device_id} isn't in a known format")
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        key = self._keys.get(header[1:])
        if key is None:
            raise SecretUnreadable(
                f"the secret of device {device_id} was sealed with master key {header[1:].hex()}, which isn't in the "
                "key file: restore the file from its backup, or set the device's password again"
            )
        cipher = self._cipher(key, tenant_id)
        try:
            text = cipher.decrypt(
                nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], _bound_to(header, tenant_id, device_id)
            )
        except InvalidTag:
            raise SecretUnreadable(
                f"the secret of device {device_id} is damaged or belongs to another device: set its password again"
            ) from None
        return text.decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the newest key."""
        return sealed[:_HEADER_BYTES] == bytes((_VERSION,)) + self._current.key_id


def _cipher(key: MasterKey, tenant_id: str) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"mtd tenant\0" + tenant_id.encode())
    return AESGCM(derived.derive(key.material))


def _bound_to(header: bytes, tenant_id: str, device_id: str) -> bytes:
    return b"\0".join((header, tenant_id.encode(), device_id.encode()))
