"""Values that programs trip over. All of a seed: what was found once is found again.

Whatever names a host names this machine, or nothing: a daemon may be made to
connect to what it is told.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

TEXTS: Sequence[str] = (
    *(
        "",
        " ",
        "0",
        "-1",
        "*",
        "**",
        "[",
        "[!a-",
        "?",
        ".",
        "..",
        "/",
        "\\",
        "%",
        "%s",
        "%(a)s",
        "{}",
        "{0.__class__}",
    ),
    *("\0", "a\0b", "\n", "\r\nX: y", "\x1b[31m", "\u202e", "\ufffd", "\U0010ffff", "ï¿½", "é", "e\u0301"),
    *("' OR '1'='1", "'; DROP TABLE mtd.device; --", '"; SELECT pg_sleep(9)', "$1", "$$x$$", "E'\\'"),
    *(
        "../../etc/passwd",
        "file:///etc/passwd",
        "${jndi:ldap://x}",
        "<script>alert(1)</script>",
        "null",
        "None",
    ),
    *("00000000-0000-4000-8000-000000000001", "00000000-0000-0000-0000-000000000000", "g0000000"),
    *(
        "default",
        "lab-0001",
        "LAB-0001",
        "system.*",
        "iface.*.rx_bps",
        "ping",
        "tool.ping",
        "t0",
        "super-admin",
    ),
    *("MA==", "bGFi", "====", "9" * 40, "1e309", "NaN", "true", "1970-01-01T00:00:00Z"),
    *("x" * 300, "x" * 70_000, "é" * 5000, "[" * 3000, "a*" * 500),
)
HOSTS: Sequence[str] = (
    "",
    "127.0.0.1",
    "::1",
    "127.0.0.2/32",
    "not a host\n",
    "x" * 300,
    "-",
    "127.0.0.999",
    "\0",
)
NUMBERS: Sequence[int] = (
    0,
    1,
    -1,
    2,
    7,
    100,
    1000,
    65_535,
    65_536,
    2**31 - 1,
    -(2**31),
    2**53 + 1,
    2**63 - 1,
    -(2**63),
)
FLOATS: Sequence[float] = (0.0, -0.0, 1.0, -1.0, 0.1, 1e-300, 1e300, math.inf, -math.inf, math.nan)
BYTES: Sequence[bytes] = (b"", b"\0", b"\xff" * 8, bytes(range(256)), b"x" * 70_000)

_HOSTLIKE = ("host", "address", "subnet", "source", "destination", "issuer", "url", "uri")


class Values:
    """Draws values."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret

    def text(self, field: str = "") -> str:
        """Return a text; for a field that names a host, one that leads nowhere else."""
        if any(word in field for word in _HOSTLIKE):
            return self.chance.choice(HOSTS)
        if self.chance.random() < 0.8:
            return self.chance.choice(TEXTS)
        return "".join(chr(self._character()) for _ in range(self.chance.randrange(12)))

    def _character(self) -> int:
        high = self.chance.choice((0x7F, 0xFF, 0x2FFF, 0x10FFFF))
        code = self.chance.randrange(high)
        return 0x20 if 0xD800 <= code < 0xE000 else code  # half characters are no text

    def number(self, low: int, high: int) -> int:
        """Return a whole number within what a type holds."""
        if self.chance.random() < 0.7:
            return max(low, min(high, self.chance.choice(NUMBERS)))
        return self.chance.randint(low, high)

    def real(self) -> float:
        """Return a floating-point number, which may be none."""
        return self.chance.choice(FLOATS)

    def blob(self) -> bytes:
        """Return bytes."""
        return (
            self.chance.choice(BYTES) if self.chance.random() < 0.7 else self.chance.randbytes(self.few(40))
        )

    def few(self, most: int) -> int:
        """Return a small number, mostly a very small one."""
        return min(self.chance.randrange(most + 1), self.chance.randrange(most + 1))

    def broken(self, good: bytes) -> bytes:
        """Return bytes that were good, and no longer are."""
        body = bytearray(good)
        for _ in range(1 + self.few(4)):
            where = self.chance.randrange(len(body) + 1)
            act: Callable[[], None] = self.chance.choice(
                (
                    lambda w=where: body.__setitem__(slice(w, w + 1), self.chance.randbytes(1)),
                    lambda w=where: body.__delitem__(slice(w, w + self.few(8))),
                    lambda w=where: body.__setitem__(slice(w, w), self.chance.randbytes(self.few(16))),
                    lambda w=where: body.__delitem__(slice(w, None)),
                )
            )
            act()
        return bytes(body)
