"""Sealing and opening in one: for the operator's commands. The daemon hands out the halves."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.security.datakeys import KeyRing
from mtd.security.keyfile import MasterKey
from mtd.security.masters import MasterKeys
from mtd.security.opener import Opener
from mtd.security.sealer import Sealer


class Vault:
    """A sealer and an opener with the same keys."""

    def __init__(self, masters: MasterKeys | Sequence[MasterKey]) -> None:
        self.masters = masters if isinstance(masters, MasterKeys) else MasterKeys(masters)
        ring = KeyRing(self.masters)
        self.sealer = Sealer(ring)
        self.opener = Opener(ring)

    def __repr__(self) -> str:
        return f"Vault({self.masters!r})"
