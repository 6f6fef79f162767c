"""Pseudonyms of subscribers: the same for the same text of one tenant, and nothing else to be learned from them.

HMAC-SHA-256 under a key of the tenant's own, HKDF-SHA-256(master key, tenant), cut to 80 bits: among a million
subscribers two have one pseudonym once in two million million installations. Without the key nobody can try
out names. With the key, and the name, anybody can: that is how one subscriber is looked up.
"""

from __future__ import annotations

import base64
import functools
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mtd.security.config import Personal, PrivacyConfig
from mtd.security.keyfile import KEY_BYTES, MasterKey

MARK = "~"
"""What every pseudonym begins with: no login, address or host name does."""

_BYTES = 10
# Not that of the vault's keys: what opens passwords must not be what names people.
_PURPOSE = b"mtd subscriber pseudonyms\0"

Pseudonym = Callable[[str], str]


class Pseudonyms:
    """Makes what replaces private texts, tenant by tenant."""

    def __init__(self, key: MasterKey, config: PrivacyConfig) -> None:
        self._key = key
        self._config = config
        self._made = functools.lru_cache(maxsize=256)(lambda tenant_id: pseudonym_by(self._derive(tenant_id)))

    def __repr__(self) -> str:
        return "Pseudonyms()"

    def of(self, tenant_id: str) -> Pseudonym | None:
        """Return what makes a pseudonym of a text of a tenant; None if its texts are kept."""
        if self._config.of(tenant_id) is Personal.KEPT:
            return None
        return self._made(tenant_id)

    def key_of(self, tenant_id: str) -> bytes:
        """Return the key of a tenant, for an edge that polls its devices; empty if its texts are kept."""
        return b"" if self._config.of(tenant_id) is Personal.KEPT else self._derive(tenant_id)

    def _derive(self, tenant_id: str) -> bytes:
        derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE + tenant_id.encode())
        return derived.derive(self._key.material)


def pseudonym_by(key: bytes) -> Pseudonym:
    """Return what makes a pseudonym of a text by a tenant's key."""

    def pseudonym(text: str) -> str:
        if not text:
            return text  # there is nothing to hide, and everyone would know it anyway
        digest = hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256")
        return MARK + base64.b32encode(digest[:_BYTES]).decode().lower()

    return pseudonym
