"""What was seen: told when it is news, and now and then while it lasts."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from mtd.core.limits import TokenBucket
from mtd.discovery import metrics

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.discovery.config import DiscoveryConfig
    from mtd.ingest.recorder import Recorder
    from mtd.model.sighting import Sighting

_NEW_AT_ONCE = 1000


class Sightings:
    """Remembers what was told of each thing, so that a router that announces itself each minute isn't an event each."""

    def __init__(self, recorder: Recorder, config: DiscoveryConfig, clock: Clock) -> None:
        self._recorder = recorder
        self._config = config
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Sighting, float]] = OrderedDict()
        self._new = TokenBucket(config.max_new_per_minute / 60, _NEW_AT_ONCE, clock=clock)

    def seen(self, tenant_id: str, sighting: Sighting) -> None:
        """Take a sighting; record it if it is news, or if the last one is a while ago."""
        thing = sighting.thing
        if not thing:
            return
        key, now = (tenant_id, thing), self._clock.monotonic()
        known = self._known.get(key)
        if known is not None and known[0] == sighting and now - known[1] < self._config.repeat_s:
            self._known.move_to_end(key)
            return
        if known is None and not self._new.take():
            metrics.SIGHTINGS_DROPPED.inc()
            return
        self._known[key] = sighting, now
        self._known.move_to_end(key)
        if len(self._known) > self._config.max_proposals:
            self._known.popitem(last=False)
        metrics.KNOWN.set(len(self._known))
        metrics.SIGHTINGS.labels(way=sighting.found_by).inc()
        self._recorder.record_sighting(tenant_id, sighting)
