"""What a log lost, and whether somebody was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mtd.eventlog import metrics
from mtd.eventlog.interfaces import Damage


class DamageBook:
    """Damage that was set aside. ``changed``: something isn't stored yet."""

    def __init__(self) -> None:
        self._told: dict[Damage, bool] = {}
        self.changed = False

    def __iter__(self) -> Any:
        return iter(self._told)

    def add(self, first_seq: int, last_seq: int, found_us: int, detail: str) -> bool:
        """Note damage; False if it is known."""
        if self.covers(first_seq, last_seq):
            return False
        damage = Damage(first_seq, last_seq, found_us, detail)
        self._told[damage] = False
        self.changed = True
        metrics.DAMAGED_EVENTS.inc(damage.events)
        return True

    def covers(self, first_seq: int, last_seq: int) -> bool:
        """Whether positions are known to be damaged."""
        return any(one.first_seq <= first_seq and last_seq <= one.last_seq for one in self._told)

    def untold(self) -> Sequence[Damage]:
        """Return what nobody was told of."""
        return [damage for damage, told in self._told.items() if not told]

    def told(self, damage: Iterable[Damage]) -> None:
        """Note that somebody was told."""
        for one in damage:
            if self._told.get(one) is False:
                self._told[one] = True
                self.changed = True

    def forget(self, through: int) -> None:
        """Forget what lies in front of all that is retained, and was told."""
        self._told = {
            damage: told for damage, told in self._told.items() if damage.last_seq > through or not told
        }

    def state(self) -> list[dict[str, Any]]:
        """Return it as plain values."""
        return [
            {
                "first_seq": one.first_seq,
                "last_seq": one.last_seq,
                "found_us": one.found_us,
                "detail": one.detail,
                "told": told,
            }
            for one, told in self._told.items()
        ]

    def restore(self, entries: Iterable[dict[str, Any]]) -> None:
        """Take in what was stored."""
        self._told = {
            Damage(
                int(one["first_seq"]), int(one["last_seq"]), int(one["found_us"]), str(one["detail"])
            ): bool(one["told"])
            for one in entries
        }
