"""Errors of the secret store."""

from __future__ import annotations

from mtd.core.errors import Misconfigured, Retryable


class KeyUnusable(Misconfigured):
    """The master key's file can't be used as it is; the text says what to do."""


class SecretUnreadable(Misconfigured):
    """A stored secret can't be decrypted: another key, another row, or damaged."""


class SecretUnavailable(Retryable):
    """A secret that is kept elsewhere can't be had at the moment; the text says why, and what to do."""


class CertificateUnusable(Misconfigured):
    """A certificate, or the key that belongs to it, can't be used as it is; the text says what to do."""


class NoAuthority(Misconfigured):
    """There is no internal CA where one is needed."""
