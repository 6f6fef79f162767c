"""Sealing secrets: what doors are given. There is nothing in here that opens one."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from zope.interface import implementer

from mtd.security.datakeys import NONCE_BYTES, KeyRing, new_data_key
from mtd.security.interfaces import Bond, IDataKeys, ISealing, ISecretSealer
from mtd.security.sealed import bound, header_of


@implementer(ISealing)
class Sealing:
    """See `ISealing`."""

    def __init__(self, key_id: str, cipher: AESGCM) -> None:
        self.key_id = key_id
        self._header = header_of(key_id)
        self._encrypt = cipher.encrypt

    def seal(self, bond: Bond, secret: str) -> bytes:
        """Encrypt a secret."""
        nonce = os.urandom(NONCE_BYTES)
        text = secret.encode("utf-8", "surrogatepass")
        return self._header + nonce + self._encrypt(nonce, text, bound(self._header, bond))

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the key that seals now."""
        return sealed.startswith(self._header)


@implementer(ISecretSealer)
class Sealer:
    """See `ISecretSealer`."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def __repr__(self) -> str:
        return "Sealer()"

    async def sealing(self, keys: IDataKeys, tenant_id: str) -> Sealing:
        """Return what seals for a tenant, whose first key is made if it has none. Raises SecretUnreadable."""
        key = await keys.current(tenant_id)
        if key is None:
            # The newest of the file: another process may have put it there since.
            await self._ring.masters.refresh()
            key = await keys.add(new_data_key(tenant_id, self._ring.masters.newest))
        return Sealing(key.key_id, await self._ring.unwrap(key))
