"""Files that are of no use without the master key: AES-256-GCM.

A line ``mtd-sealed-1 <id of the master key>``, then the base64 of nonce, ciphertext and tag.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mtd.security.errors import KeyUnusable
from mtd.security.keyfile import KEY_BYTES, MasterKey

_MARK = b"mtd-sealed-1 "
_NONCE_BYTES = 12
# What opens passwords of routers must not be what opens files.
_PURPOSE = b"mtd sealed file\0"


def seal(key: MasterKey, content: bytes) -> bytes:
    """Return the content of a sealed file."""
    nonce, head = os.urandom(_NONCE_BYTES), _MARK + key.key_id.hex().encode()
    sealed = nonce + _cipher(key).encrypt(nonce, content, head)
    return head + b"\n" + base64.b64encode(sealed) + b"\n"


def sealed_with(content: bytes) -> bytes:
    """Return the id of the master key that a file was sealed with; empty if it isn't sealed."""
    head, _, _ = content.partition(b"\n")
    try:
        return bytes.fromhex(head.removeprefix(_MARK).decode("ascii")) if head.startswith(_MARK) else b""
    except ValueError:
        return b""


def open_sealed(keys: Sequence[MasterKey], content: bytes, path: Path) -> bytes:
    """Return what was sealed. Raises KeyUnusable."""
    key_id = sealed_with(content)
    key = next((key for key in keys if key.key_id == key_id), None)
    if key is None:
        raise KeyUnusable(
            f"{path} was sealed with master key {key_id.hex() or 'unknown'}, which isn't in the key file: restore the key file"
            " from its backup"
        )
    head, _, body = content.partition(b"\n")
    try:
        sealed = base64.b64decode(body.strip(), validate=True)
        return _cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], head)
    except (binascii.Error, InvalidTag, ValueError):
        raise KeyUnusable(f"{path} is damaged: restore it from its backup") from None


def _cipher(key: MasterKey) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_PURPOSE)
    return AESGCM(derived.derive(key.material))
