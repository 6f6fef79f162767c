"""API tokens: made, told apart from other texts, and hashed.

``mtd_<id>_<secret><checksum>``: the id is public and names the token in the database, the secret has 256 random
bits, and the checksum lets scanners for leaked secrets, and us, know a token without asking anybody.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field

PREFIX = "mtd"
PATTERN = r"mtd_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}"
"""What a scanner for leaked secrets looks for."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_CHARACTERS = 12
_SECRET_CHARACTERS = 43  # of 62 different ones: 256 bits
_CHECKSUM_CHARACTERS = 6  # 32 bits
_TOKEN = re.compile(
    rf"({PREFIX}_([0-9A-Za-z]{{{_ID_CHARACTERS}}})_[0-9A-Za-z]{{{_SECRET_CHARACTERS}}})"
    rf"([0-9A-Za-z]{{{_CHECKSUM_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its owner has it. ``text`` is the secret."""

    token_id: str
    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is stored of it: SHA-256 suffices for what nobody can guess."""
        return hashlib.sha256(self.text.encode()).digest()


def new_token_id() -> str:
    """Return an id that no token has."""
    return _random(_ID_CHARACTERS)


def new_token(token_id: str) -> Token:
    """Return a token with a new secret."""
    body = f"{PREFIX}_{token_id}_{_random(_SECRET_CHARACTERS)}"
    return Token(token_id, body + _checksum(body))


def parse_token(text: str) -> Token | None:
    """Return the token that a text is; None if it is none: mistyped, cut, or something else."""
    found = _TOKEN.fullmatch(text)
    if found is None or _checksum(found[1]) != found[3]:
        return None
    return Token(found[2], text)


def _random(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
