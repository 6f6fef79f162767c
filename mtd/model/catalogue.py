"""The metric catalogue: every key, what it means, and who brings it.

Assembled from the collectors' declarations, so that it can't differ from what
is collected. ``compare`` holds it to what was released: a key, once given,
keeps its unit and its meaning.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mtd.model.labels import LabelSource
from mtd.model.metric import Metric


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric and the collector that brings it."""

    metric: Metric
    collector: str

    def facts(self) -> dict[str, Any]:
        """Return what may not change once released, as plain JSON."""
        metric = self.metric
        return {
            "unit": str(metric.unit),
            "kind": str(metric.kind),
            "scope": metric.scope,
            "states": dict(sorted(metric.states.items())),
            "since": metric.since,
        }


class Conflicts(ValueError):
    """Collectors that contradict each other; ``problems`` lists all of it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All metrics by key. ``number`` grows with each release that adds keys.

    ``labels`` are the tables that name instances, those of scopes without series as well.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    labels: tuple[LabelSource, ...] = ()

    @classmethod
    def assemble(
        cls, parts: Iterable[tuple[str, Iterable[Metric]]], labels: Iterable[LabelSource] = ()
    ) -> Catalogue:
        """Build it from (collector, metrics), and from what names their instances. Raises Conflicts."""
        entries: dict[str, Entry] = {}
        problems = []
        for collector, metrics in parts:
            for metric in metrics:
                entry = Entry(metric, collector)
                other = entries.setdefault(metric.key, entry)
                # One menu may be read by two parts of a collector; two meanings can't share a key.
                if other != entry:
                    problems.append(
                        f"metric {metric.key} of {collector} is declared by {other.collector} already"
                        + (", differently" if other.collector == collector else "")
                    )
        if problems:
            raise Conflicts(problems)
        return cls(MappingProxyType(dict(sorted(entries.items()))), tuple(labels))

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """All metrics by key, sorted."""
        return {key: entry.metric for key, entry in self.entries.items()}

    @property
    def series_labels(self) -> tuple[LabelSource, ...]:
        """The tables that name instances of series."""
        scopes = {entry.metric.scope for entry in self.entries.values()}
        return tuple(source for source in self.labels if source.scope in scopes)

    @property
    def number(self) -> int:
        """The catalogue version that its newest metric came with."""
        return max((int(entry.metric.since) for entry in self.entries.values()), default=0)

    @property
    def digest(self) -> str:
        """Address of the content: equal catalogues have equal digests."""
        content = {key: [entry.collector, *entry.facts().values()] for key, entry in self.entries.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def version(self) -> str:
        """Number and content, as ``3+9f2c51e07ab4``."""
        return f"{self.number}+{self.digest}"

    def metric(self, key: str) -> Metric:
        """Return a metric. Raises KeyError."""
        return self.entries[key].metric

    def collector_of(self, key: str) -> str:
        """Return the name of the collector that brings a metric. Raises KeyError."""
        return self.entries[key].collector

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[Metric]:
        return (entry.metric for entry in self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)


def lock_of(catalogue: Catalogue, released: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the content of the lock file: what is promised from now on.

    Keys that were released and are gone stay in it as retired: they can't come
    back with another meaning.
    """
    metrics = {key: entry.facts() for key, entry in catalogue.entries.items()}
    retired = dict((released or {}).get("retired", {}))
    for key, facts in (released or {}).get("metrics", {}).items():
        if key not in metrics:
            retired[key] = facts
    return {
        "number": catalogue.number,
        "metrics": metrics,
        "retired": {key: facts for key, facts in sorted(retired.items()) if key not in metrics},
    }


def compare(catalogue: Catalogue, released: Mapping[str, Any]) -> list[str]:
    """Return what breaks the promise of the lock file, one sentence each."""
    problems = []
    promised = {**released.get("retired", {}), **released.get("metrics", {})}
    for key, entry in catalogue.entries.items():
        if key not in promised:
            if int(entry.metric.since) < int(released["number"]):
                problems.append(
                    f"{key} is new, but says since={entry.metric.since}: say {released['number']} or later"
                )
            continue
        facts = entry.facts()
        problems += [
            f"{key}: {name} was {was!r} and is {facts.get(name)!r}; a key keeps its meaning: use a new key"
            for name, was in promised[key].items()
            if facts.get(name) != was and not _only_added(was, facts.get(name))
        ]
    return problems


def _only_added(was: object, now: object) -> bool:
    """Whether states were added and none was changed."""
    return isinstance(was, dict) and isinstance(now, dict) and was.items() <= now.items()
