"""Layouts: the ordered series of a frame, declared once (DESIGN section 5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from mtd.model.metric import Lane


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a device: what is measured (metric), on which thing (instance)."""

    metric: str
    instance: str
    lane: Lane


@lru_cache(maxsize=100_000)
def shared_series(metric: str, instance: str, lane: Lane) -> Series:
    """Return a series that is the same object for all devices: most have an ``*1`` and an ``*2``.

    A thousand devices of 660 series each would otherwise be 675,000 objects.
    """
    return Series(metric, instance, lane)


@dataclass(frozen=True, slots=True)
class Layout:
    """An ordered list of series; within a lane, the n-th series is the n-th value.

    ``layout_id`` is the address of the content, so that two collectors, or one
    collector before and after a restart, name equal layouts equally without
    asking anybody.
    """

    poll_group: str
    series: tuple[Series, ...]
    layout_id: int

    @classmethod
    def of(cls, poll_group: str, series: tuple[Series, ...]) -> Layout:
        """Return the layout of these series with its content address."""
        digest = hashlib.blake2b(_framed(poll_group), digest_size=8)
        for entry in series:
            digest.update(_framed(entry.metric) + _framed(entry.instance) + _framed(entry.lane))
        return cls(poll_group, series, int.from_bytes(digest.digest(), "big", signed=True))

    def lane(self, lane: Lane) -> tuple[Series, ...]:
        """Return the series of one lane, in the order of its values."""
        return tuple(entry for entry in self.series if entry.lane is lane)


def _framed(part: str) -> bytes:
    """Return a text with its length in front: routers choose instances, and any separator may be in one."""
    encoded = part.encode()
    return len(encoded).to_bytes(4, "big") + encoded
