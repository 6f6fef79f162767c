"""Keys without a database, and secrets as older versions of mtd sealed them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mtd.security.interfaces import WrappedKey
from mtd.security.keyfile import MasterKey


class ListedKeys:
    """Data keys in a list; the last of a tenant seals."""

    def __init__(self, *keys: WrappedKey) -> None:
        self.keys = list(keys)
        self.asked: list[set[str]] = []

    async def current(self, tenant_id: str) -> WrappedKey | None:
        own = [key for key in self.keys if key.tenant_id == tenant_id]
        return own[-1] if own else None

    async def add(self, key: WrappedKey) -> WrappedKey:
        self.keys.append(key)
        return key

    async def named(self, key_ids: Collection[str]) -> Mapping[str, WrappedKey]:
        self.asked.append(set(key_ids))
        return {key.key_id: key for key in self.keys if key.key_id in key_ids}


def sealed_of_old(
    master: MasterKey, tenant_id: str, owner: str, secret: str, nonce: bytes | None = None
) -> bytes:
    """Return a secret as version 1 sealed it: written from its description, not with the product's code."""
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"mtd tenant\0" + tenant_id.encode())
    header = b"\x01" + master.key_id
    nonce = nonce or os.urandom(12)
    bound = b"\0".join((header, tenant_id.encode(), owner.encode()))
    return header + nonce + AESGCM(key.derive(master.material)).encrypt(nonce, secret.encode(), bound)
