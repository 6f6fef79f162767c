"""Where a stream of newest values may go on after a break.

A token counts what its tenant's devices showed until then, in this process: after
a restart, or once a device was removed or renamed, streams begin anew.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Sequence

_LONGEST = 100


class ResumePoints:
    """Numbers the changes of each tenant's values."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(6)
        self._changes: Counter[str] = Counter()
        self._void_before: dict[str, int] = {}

    def changed(self, tenant_id: str) -> int:
        """Number a change."""
        self._changes[tenant_id] += 1
        return self._changes[tenant_id]

    def void(self, tenant_id: str) -> None:
        """What was shown so far may name what isn't there any more: no stream goes on behind it."""
        self._void_before[tenant_id] = self.changed(tenant_id)

    def token(self, tenant_id: str, selection: str) -> str:
        """Return where a stream is that has shown everything."""
        return f"{self._process}-{selection}-{self._changes[tenant_id]:x}"

    def change_at(self, tenant_id: str, selection: str, token: str) -> int | None:
        """Return the number of the last change that a stream has shown; None: it has to begin anew."""
        process, _, rest = token[:_LONGEST].partition("-")
        selected, _, number = rest.partition("-")
        if (process, selected) != (self._process, selection) or len(token) > _LONGEST:
            return None
        try:
            change = int(number, 16)
        except ValueError:
            return None
        known = self._void_before.get(tenant_id, 0) <= change <= self._changes[tenant_id]
        return change if known else None


def selection_of(devices: Sequence[str], metrics: Sequence[str]) -> str:
    """Return what tells one selector from another."""
    digest = hashlib.blake2b(digest_size=6)
    for patterns in (devices, metrics):
        digest.update(len(patterns).to_bytes(4, "big"))
        for pattern in patterns:
            raw = pattern.encode()
            digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
