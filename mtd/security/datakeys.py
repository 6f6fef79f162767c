"""Data keys of tenants: AES-256, random, and sealed by a master key where they are stored.

A wrapped key is a nonce (12 bytes), ciphertext and tag of AES-256-GCM under HKDF-SHA-256(master key); tenant,
key id and master key id are authenticated with it: in another row it can't be unwrapped.
"""

from __future__ import annotations

import os
import uuid
from collections import OrderedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mtd.security.errors import SecretUnreadable
from mtd.security.interfaces import WrappedKey
from mtd.security.keyfile import KEY_BYTES, MasterKey
from mtd.security.masters import MasterKeys

NONCE_BYTES = 12
TAG_BYTES = 16
# Not that of the keys that sealed secrets themselves, before there were data keys.
_PURPOSE = b"mtd data keys\0"


def new_data_key(tenant_id: str, master: MasterKey) -> WrappedKey:
    """Return a new key of a tenant."""
    return _wrap(tenant_id, str(uuid.uuid4()), os.urandom(KEY_BYTES), master)


def wrap_again(key: WrappedKey, masters: MasterKeys) -> WrappedKey:
    """Return a key wrapped by the newest master key. Raises SecretUnreadable."""
    return _wrap(key.tenant_id, key.key_id, _unwrap(key, masters), masters.newest)


def cipher_of(key: WrappedKey, masters: MasterKeys) -> AESGCM:
    """Return what a key seals and opens with. Raises SecretUnreadable."""
    return AESGCM(_unwrap(key, masters))


def _wrap(tenant_id: str, key_id: str, material: bytes, master: MasterKey) -> WrappedKey:
    nonce = os.urandom(NONCE_BYTES)
    sealed = _wrapping(master).encrypt(nonce, material, _bound(tenant_id, key_id, master.key_id))
    return WrappedKey(tenant_id, key_id, nonce + sealed, master.key_id)


def _unwrap(key: WrappedKey, masters: MasterKeys) -> bytes:
    master = masters.get(key.master_key_id)
    if master is None:
        raise SecretUnreadable(
            f"data key {key.key_id} was sealed with master key {key.master_key_id.hex()}, which isn't in"
            f" {masters.place}: put it back from its backup"
        )
    nonce, sealed = key.wrapped[:NONCE_BYTES], key.wrapped[NONCE_BYTES:]
    try:
        if len(nonce) < NONCE_BYTES:
            raise InvalidTag
        return _wrapping(master).decrypt(nonce, sealed, _bound(key.tenant_id, key.key_id, master.key_id))
    except InvalidTag:
        raise SecretUnreadable(
            f"data key {key.key_id} is damaged, or was moved to another tenant: restore the table"
            " mtd.tenant_data_key from the backup"
        ) from None


def _wrapping(master: MasterKey) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE)
    return AESGCM(derived.derive(master.material))


def _bound(tenant_id: str, key_id: str, master_key_id: bytes) -> bytes:
    return b"\0".join((b"1", tenant_id.encode(), key_id.encode(), master_key_id))


class KeyRing:
    """Unwraps data keys, and keeps so many of those used last."""

    def __init__(self, masters: MasterKeys, most: int = 1024) -> None:
        self.masters = masters
        self._most = most
        self._ciphers: OrderedDict[str, tuple[str, AESGCM]] = OrderedDict()

    def __repr__(self) -> str:
        return f"KeyRing({len(self._ciphers)} unwrapped)"

    def known(self, key_id: str) -> tuple[str, AESGCM] | None:
        """Return the tenant and the cipher of a key that was unwrapped before."""
        found = self._ciphers.get(key_id)
        if found is not None:
            self._ciphers.move_to_end(key_id)
        return found

    async def unwrap(self, key: WrappedKey) -> AESGCM:
        """Return the cipher of a key. A master key that is new in the file is found. Raises SecretUnreadable."""
        known = self.known(key.key_id)
        if known is not None and known[0] == key.tenant_id:
            return known[1]
        if self.masters.get(key.master_key_id) is None:
            await self.masters.refresh()
        cipher = cipher_of(key, self.masters)
        self._ciphers[key.key_id] = (key.tenant_id, cipher)
        if len(self._ciphers) > self._most:
            self._ciphers.popitem(last=False)
        return cipher
