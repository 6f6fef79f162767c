"""Enrolment tokens: what a collector shows once to get its certificate.

``mtde_<id>_<secret>_<pin>``: the id names it in the database, which knows no more of the secret than its
SHA-256; the pin is the beginning of the fingerprint of the hub's CA, so that who enrols knows the hub, too.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from mtd.security.ca import PIN_CHARACTERS

_ID_BYTES, _SECRET_BYTES = 8, 32
_TOKEN = re.compile(
    rf"mtde_([0-9a-f]{{{_ID_BYTES * 2}}})_([0-9a-f]{{{_SECRET_BYTES * 2}}})_([0-9a-f]{{{PIN_CHARACTERS}}})"
)


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """A token. ``pin`` is that of the CA."""

    token_id: str
    secret: str = field(repr=False)
    pin: str

    @property
    def text(self) -> str:
        """The token as it is given to the collector."""
        return f"mtde_{self.token_id}_{self.secret}_{self.pin}"

    @property
    def secret_hash(self) -> bytes:
        """What is stored of the secret. It is random, so that one SHA-256 is enough."""
        return hashlib.sha256(self.secret.encode()).digest()


def new_token(pin: str) -> EnrolmentToken:
    """Return a new token."""
    return EnrolmentToken(secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES), pin)


def parse_token(text: str) -> EnrolmentToken | None:
    """Return the token of a text; None if it is none."""
    found = _TOKEN.fullmatch(text.strip())
    return None if found is None else EnrolmentToken(*found.groups())
