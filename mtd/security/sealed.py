"""How sealed secrets look.

Version 2: the byte 2, the id of the tenant's data key (16 bytes), the nonce (12 bytes), ciphertext and tag of
AES-256-GCM. Header, tenant, owner and kind are authenticated with it.

Version 1, which is still opened: the byte 1, the id of the master key (4 bytes), the nonce, ciphertext and tag
under HKDF-SHA-256(master key, tenant); header, tenant and device are authenticated with it.
"""

from __future__ import annotations

import uuid

from mtd.security.datakeys import NONCE_BYTES, TAG_BYTES
from mtd.security.interfaces import PASSWORD, Bond
from mtd.security.keyfile import KEY_ID_BYTES

FIRST_VERSION, VERSION = 1, 2
_KEY_ID_BYTES = 16
_HEADER_BYTES = {FIRST_VERSION: 1 + KEY_ID_BYTES, VERSION: 1 + _KEY_ID_BYTES}


def header_of(key_id: str) -> bytes:
    """Return what secrets begin with that a data key sealed."""
    return bytes((VERSION,)) + uuid.UUID(key_id).bytes


def split(sealed: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return header, nonce and the rest; None for what isn't a sealed secret."""
    length = _HEADER_BYTES.get(sealed[0]) if sealed else None
    if length is None or len(sealed) < length + NONCE_BYTES + TAG_BYTES:
        return None
    return sealed[:length], sealed[length : length + NONCE_BYTES], sealed[length + NONCE_BYTES :]


def data_key_of(sealed: bytes) -> str | None:
    """Return the id of the data key that sealed; None if none did."""
    parts = split(sealed)
    if parts is None or parts[0][0] != VERSION:
        return None
    return str(uuid.UUID(bytes=parts[0][1:]))


def master_key_of(sealed: bytes) -> bytes | None:
    """Return the id of the master key that sealed a secret of version 1; None for all others."""
    parts = split(sealed)
    return parts[0][1:] if parts is not None and parts[0][0] == FIRST_VERSION else None


def bound(header: bytes, bond: Bond) -> bytes:
    """Return what is authenticated beside the secret."""
    if header[0] == FIRST_VERSION:
        # It knew devices only, and bound all but the password to a path below the device.
        owner = bond.owner_id if bond.kind == PASSWORD else f"{bond.owner_id}/{bond.kind}"
        return b"\0".join((header, bond.tenant_id.encode(), owner.encode()))
    words = (bond.tenant_id, bond.owner, bond.owner_id, bond.kind)
    return b"\0".join((header, *(word.encode() for word in words)))
