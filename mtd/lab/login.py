"""Both ways to log in: plain since 6.43, by challenge before."""

from __future__ import annotations

import hashlib
import secrets

from mtd.lab.personality import Personality
from mtd.lab.scenario import RouterSpec

_CHALLENGE_BYTES = 16


class Login:
    """Decides about the logins of one connection."""

    def __init__(self, spec: RouterSpec, persona: Personality) -> None:
        self._spec = spec
        self._plain = persona.plain_login
        self._challenge = b""

    def wants_challenge(self, attributes: dict[bytes, bytes]) -> bool:
        """Whether the answer is a challenge instead of a verdict.

        Since 6.43 a bare ``/login`` still gets one, whose response is refused.
        """
        return b"response" not in attributes and not (self._plain and b"name" in attributes)

    def challenge(self) -> bytes:
        """Return a new challenge as the 32 hex digits of ``=ret=``. It is good for one response."""
        self._challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        return self._challenge.hex().encode()

    def accepts(self, attributes: dict[bytes, bytes]) -> bool:
        """Whether name and password, or name and response, are right."""
        if attributes.get(b"name") != self._spec.username.encode():
            return False
        password = self._spec.password.encode()
        if b"response" not in attributes:
            return attributes.get(b"password", b"") == password
        challenge, self._challenge = self._challenge, b""
        if self._plain or not challenge:
            return False
        digest = hashlib.md5(b"\x00" + password + challenge, usedforsecurity=False)
        return attributes[b"response"] == b"00" + digest.hexdigest().encode()
