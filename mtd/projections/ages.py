"""How old values are when they become a device's newest."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from mtd.model.moments import is_from_future
from mtd.projections import metrics

Place = tuple[str, str, str]
"""Of a row of ``latest``: tenant, device and poll group."""

_PLACES = 200_000


class Ages:
    """Measures each time once: what is written again, or late, doesn't become the newest."""

    def __init__(self) -> None:
        self._newest_us: dict[Place, int] = {}

    def written(self, times: Iterable[tuple[Place, int]], now_us: int) -> None:
        """Take note of when values were collected that were just written."""
        if len(self._newest_us) > _PLACES:
            self._newest_us.clear()
        for place, collected_us in times:
            known_us = self._newest_us.get(place, 0)
            # What a clock that was ahead has dated gives way, as it does in the database.
            if known_us < collected_us or is_from_future(known_us, now_us):
                self._newest_us[place] = collected_us
                # A clock that is a bit ahead dates values into the future; a sum of ages can't go down.
                _ages_of(place[2]).observe(max(0, now_us - collected_us) / 1e6)


@cache
def _ages_of(poll_group: str) -> Any:
    """Return the histogram of a poll group: looking a label up costs more than counting."""
    return metrics.LATEST_AGE_SECONDS.labels(poll_group=poll_group)


AGES = Ages()
"""Of this process: history and what is shown in front of it write the same rows."""
