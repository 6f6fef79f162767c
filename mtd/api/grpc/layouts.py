"""Layouts that frames may refer to, shared by all devices of a tenant that have the same series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mtd.api import metrics
from mtd.model.layout import Layout
from mtd.model.metric import Lane, Metric
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate


def scope_and_unit(metric: str, instance: str, catalogue: Mapping[str, Metric]) -> tuple[str, str]:
    """Return the scope and the unit of a series' metric."""
    known = catalogue.get(metric)
    if known is not None:
        return known.scope, known.unit
    # A metric whose egg is gone: its first word is the best guess at its scope.
    return (metric.partition(".")[0] if instance else ""), ""


class KnownLayout:
    """A layout, how many values of each lane it has, and which things it speaks of."""

    __slots__ = ("key", "layout", "sizes", "things", "users")

    def __init__(self, key: tuple[str, int], layout: Layout, catalogue: Mapping[str, Metric]) -> None:
        self.key = key
        self.layout = layout
        self.users = 0
        count = Counter(series.lane for series in layout.series)
        self.sizes = (count[Lane.COUNTER], count[Lane.GAUGE], count[Lane.RATE])
        self.things = tuple(
            dict.fromkeys(
                (scope_and_unit(series.metric, series.instance, catalogue)[0], series.instance)
                for series in layout.series
                if series.instance
            )
        )

    def fits(self, update: LatestUpdate) -> bool:
        """Return whether an update has as many values as this layout names."""
        counters, gauges, rates = self.sizes
        return (
            len(update.counters) == counters
            and len(update.gauges) == gauges
            and len(update.rates) == rates
            and len(update.counters_present) in (0, (counters + 7) // 8)
        )


class LayoutBook:
    """Layouts by tenant and id. Those in use stay; of the others the ones used last do."""

    def __init__(self, max_unused: int, catalogue: Mapping[str, Metric]) -> None:
        self._max_unused = max_unused
        self._catalogue = catalogue
        self._layouts: dict[tuple[str, int], KnownLayout] = {}
        self._unused: dict[tuple[str, int], None] = {}  # in the order in which they fell out of use

    def get(self, tenant_id: str, layout_id: int) -> KnownLayout | None:
        """Return a layout if it is here."""
        return self._layouts.get((tenant_id, layout_id))

    def declare(self, tenant_id: str, layout: Layout) -> KnownLayout:
        """Take a layout in; the one that is here already stays."""
        key = (tenant_id, layout.layout_id)
        known = self._layouts.get(key)
        if known is None:
            known = self._layouts[key] = KnownLayout(key, layout, self._catalogue)
            self._retire(known)
        return known

    def acquire(self, known: KnownLayout) -> None:
        """A group uses it from now on."""
        known.users += 1
        self._unused.pop(known.key, None)
        # It may have been forgotten between its declaration and this.
        self._layouts.setdefault(known.key, known)

    def release(self, known: KnownLayout) -> None:
        """A group doesn't use it any more."""
        known.users -= 1
        if known.users == 0:
            self._retire(known)

    def _retire(self, known: KnownLayout) -> None:
        self._unused[known.key] = None
        if len(self._unused) > self._max_unused:
            oldest = next(iter(self._unused))
            del self._unused[oldest]
            del self._layouts[oldest]
        metrics.HUB_LAYOUTS.set(len(self._layouts))
