"""What is refused of questions about flows."""

from __future__ import annotations

from mtd.core.errors import Refused
from mtd.storage.errors import HistoryDamaged


class TooManyFlows(Refused):
    """More would have to be read than one question may."""

    hint = "ask for a shorter range, or for fewer devices"


class FlowsDamaged(HistoryDamaged):
    """Records or sums of flows can't be read: the disk, or somebody, changed them."""

    hint = "restore the row from a backup, or delete it and lose what it holds"
