"""The queues of the process: what waits where, how much may, and what happens when it is full.

A component declares each of its queues once, where it is made, with its policy;
while it has one, it says how its depth is read. `/metrics`, a dump and
docs/reference/queues.md tell of all of them. Names are few and fixed: of streams
that have a queue each, the name stands for all of them together.
"""

from __future__ import annotations

import enum
import math
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

T = TypeVar("T")

_TRIES = 3


class Policy(enum.StrEnum):
    """What happens to what comes when there is no room."""

    WAIT = "wait"
    """Whoever brings it waits."""
    DROP_OLDEST = "drop oldest"
    """The oldest is given up, and counted."""
    DROP_LEAST = "drop least urgent"
    """The least urgent is given up, the oldest of it first, and counted."""
    DROP_NEWEST = "drop newest"
    """What comes is given up, and counted."""
    REPLACE = "replace"
    """Something newer takes the place of what it makes needless; counted."""
    REFUSE = "refuse"
    """Whoever brings it is told to come again; counted."""
    SPOOL = "spool"
    """It goes to the disk."""
    END = "end"
    """Whoever doesn't take what waits for it is cut off; counted."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits in a queue now, in all its instances; ``limit`` is of all together."""

    depth: float
    limit: float
    instances: int


@dataclass(frozen=True, eq=False, slots=True)
class Queue:
    """One of the queues that the process may have. ``limited_by``: the setting, or the constant, that bounds it."""

    name: str
    unit: str
    policy: Policy
    meaning: str
    limited_by: str
    counted_by: str = ""
    """The metric that counts what the policy costs; empty where it costs nothing but waiting."""
    _instances: weakref.WeakKeyDictionary[object, tuple[Callable[[], float], Callable[[], float]]] = field(
        default_factory=weakref.WeakKeyDictionary, repr=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def watch(self, owner: T, depth: Callable[[T], float], limit: Callable[[T], float]) -> None:
        """Measure a queue of this name for as long as its owner is there. Both are read by any thread, and cheap."""
        there = weakref.ref(owner)

        def reading(read: Callable[[T], float]) -> Callable[[], float]:
            def value() -> float:
                for _ in range(_TRIES):
                    one = there()
                    try:
                        return 0.0 if one is None else read(one)
                    except RuntimeError:  # it changed while it was looked through
                        continue
                return math.nan

            return value

        with self._lock:  # others look at it meanwhile
            self._instances[owner] = (reading(depth), reading(limit))

    def state(self) -> QueueState:
        """Return what waits in it now."""
        with self._lock:
            found = list(self._instances.values())
        return QueueState(sum(depth() for depth, _ in found), sum(limit() for _, limit in found), len(found))


_QUEUES: dict[str, Queue] = {}


def declare(
    name: str, unit: str, policy: Policy, meaning: str, *, limited_by: str, counted_by: str = ""
) -> Queue:
    """Declare a queue, once in the process."""
    if name in _QUEUES:
        raise ValueError(f"there is a queue {name!r} already")
    _QUEUES[name] = Queue(name, unit, policy, meaning, limited_by, counted_by)
    return _QUEUES[name]


def queues() -> list[Queue]:
    """Return all that are declared, by name."""
    return [_QUEUES[name] for name in sorted(_QUEUES)]


class QueueMetrics(Collector):
    """What waits in each queue, read when somebody asks."""

    labelnames = ("queue",)

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the families without samples."""
        return self._families()

    def collect(self) -> Iterable[Metric]:
        """Return depth and limit of each queue that there is at the moment."""
        depths, limits = self._families()
        for queue in queues():
            state = queue.state()
            if state.instances:
                depths.add_metric((queue.name,), state.depth)
                limits.add_metric((queue.name,), state.limit)
        return depths, limits

    def _families(self) -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
        return (
            GaugeMetricFamily(
                "mtd_core_queue_depth", "What waits in a queue, in its own unit.", labels=self.labelnames
            ),
            GaugeMetricFamily(
                "mtd_core_queue_limit", "What may wait in a queue, in its own unit.", labels=self.labelnames
            ),
        )


METRICS = QueueMetrics()
