"""Metrics that the loop's thread counts at every poll, and nobody else ever does.

``inc`` and ``observe`` of prometheus-client take a lock for each bucket and sum,
because any thread may call them. Counted by one thread, a number needs none:
here they are additions to plain attributes, read when somebody asks. What is
read is exact; a histogram that is read by another thread may be an observation
ahead in its sum.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from mtd.core.metrics import unit_of


class _Child(Protocol):
    created: float


class Count:
    """What a counter counted for one set of labels."""

    __slots__ = ("created", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.created = time.time()

    def inc(self, amount: float = 1.0) -> None:
        """Add to it. In the loop's thread only."""
        self.value += amount


class Spread:
    """What a histogram observed for one set of labels."""

    __slots__ = ("_bounds", "counts", "created", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * len(bounds)
        self.sum = 0.0
        self.created = time.time()

    def observe(self, amount: float) -> None:
        """Take a number in, which is not NaN. In the loop's thread only."""
        self.sum += amount
        self.counts[bisect_left(self._bounds, amount)] += 1


C = TypeVar("C", bound=_Child)


class LoopMetric(Collector, Generic[C]):
    """A metric with its children by labels, in a registry."""

    def __init__(self, name: str, labelnames: Sequence[str], make: Callable[[], C]) -> None:
        self.labelnames = tuple(labelnames)
        self._name = name
        self._make = make
        self._children: dict[tuple[str, ...], C] = {}

    def labels(self, **values: object) -> C:
        """Return the child with these labels. To be kept: looking it up costs more than counting."""
        if values.keys() != set(self.labelnames):
            raise ValueError(f"{self._name} has the labels {self.labelnames}")
        key = tuple(str(values[name]) for name in self.labelnames)
        return self._children.setdefault(key, self._make())

    def _read(self) -> Iterator[tuple[tuple[str, ...], C]]:
        yield from list(self._children.items())


class LoopCounter(LoopMetric[Count]):
    """Like prometheus-client's Counter, for the loop's thread only."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        super().__init__(name, labelnames, Count)
        self._documentation = documentation
        if not labelnames:
            self.inc = self.labels().inc
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the family without samples."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """Return what was counted."""
        family = self._family()
        for key, child in self._read():
            family.add_metric(key, child.value, created=child.created)
        return [family]

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(
            self._name, self._documentation, labels=self.labelnames, unit=unit_of(self._name)
        )


class LoopHistogram(LoopMetric[Spread]):
    """Like prometheus-client's Histogram, for the loop's thread only. ``buckets``: rising upper bounds."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labelnames: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        bounds = [*map(float, buckets), math.inf]
        super().__init__(name, labelnames, lambda: Spread(bounds))
        self._documentation = documentation
        self._bounds = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]
        if not labelnames:
            self.observe = self.labels().observe
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the family without samples."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """Return what was observed."""
        family = self._family()
        for key, child in self._read():
            family.add_metric(
                key, list(zip(self._bounds, accumulate(child.counts), strict=True)), sum_value=child.sum
            )
            labels = dict(zip(self.labelnames, key, strict=True))
            family.add_sample(f"{self._name}_created", labels, child.created)
        return [family]

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(
            self._name, self._documentation, labels=self.labelnames, unit=unit_of(self._name)
        )
