"""How old values are when they become a device's newest."""

from __future__ import annotations

from collections.abc import Iterable

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
            if self._newest_us.get(place, 0) < collected_us:
                self._newest_us[place] = collected_us
                metrics.LATEST_AGE_SECONDS.labels(poll_group=place[2]).observe((now_us - collected_us) / 1e6)


AGES = Ages()
"""Of this process: history and what is shown in front of it write the same rows."""
