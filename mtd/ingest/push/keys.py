"""Full keys, as people see them: which metric each means, and of what thing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from mtd.model.metric import Metric

KEY_CHARACTERS = 512
_REMEMBERED = 50_000


class Meant(NamedTuple):
    """What a full key means. ``label``: what people call the thing; empty if it is the device."""

    metric: Metric
    label: str


class KeyBook:
    """Knows the catalogue by full keys: ``iface.ether1.rx_bps`` is ``iface.rx_bps`` of ``ether1``."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._own: dict[str, Metric] = {}
        self._scoped: defaultdict[str, list[tuple[str, Metric]]] = defaultdict(list)
        for metric in metrics:
            if not metric.scope:
                self._own[metric.key] = metric
            else:
                self._scoped[f"{metric.scope}."].append((metric.key[len(metric.scope) :], metric))
        for suffixes in self._scoped.values():
            # A name may hold dots: the longest end of the key is the metric's.
            suffixes.sort(key=lambda one: -len(one[0]))
        self._scopes = sorted(self._scoped, key=len, reverse=True)
        self.meaning = lru_cache(maxsize=_REMEMBERED)(self._meaning)

    def _meaning(self, key: str) -> Meant | None:
        """Return what a key means, None if it is none of the catalogue's."""
        if key in self._own:
            return Meant(self._own[key], "")
        for scope in self._scopes:
            if not key.startswith(scope):
                continue
            for suffix, metric in self._scoped[scope]:
                label = key[len(scope) : -len(suffix)]
                if label and key.endswith(suffix) and len(key) > len(scope) + len(suffix):
                    return Meant(metric, label)
        return None
