"""The port of the secret store."""

from __future__ import annotations

from zope.interface import Interface


class ISecretStore(Interface):
    """Encrypts secrets of devices so that a copy of the database gives none away.

    ``tenant_id`` and ``device_id`` are bound to the ciphertext: moved to another
    row it can't be opened.
    """

    def seal(tenant_id: str, device_id: str, secret: str) -> bytes:
        """Encrypt a secret."""

    def open(tenant_id: str, device_id: str, sealed: bytes) -> str:
        """Decrypt what ``seal`` gave. Raises SecretUnreadable."""

    def is_current(sealed: bytes) -> bool:
        """Whether it was sealed with the newest key; otherwise seal it anew when at hand."""
