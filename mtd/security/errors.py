"""Errors of the secret store."""

from __future__ import annotations

from mtd.core.errors import Misconfigured


class KeyUnusable(Misconfigured):
    """The master key's file can't be used as it is; the text says what to do."""


class SecretUnreadable(Misconfigured):
    """A stored secret can't be decrypted: another key, another row, or damaged."""
