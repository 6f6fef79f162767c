"""A tracer that remembers its spans, without OpenTelemetry."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from mtd.core import tracing
from mtd.core.tracing import Link


class Step:
    """A span that is remembered."""

    def __init__(
        self, name: str, link: Link, parent: Link | None, attributes: Mapping[str, tracing.Attribute]
    ) -> None:
        self.name = name
        self.link = link
        self.parent = parent
        self.attributes = dict(attributes)
        self.ended: list[str] = []

    def set(self, name: str, value: tracing.Attribute) -> None:
        self.attributes[name] = value

    def end(self, error: str = "") -> None:
        self.ended.append(error)


class Book:
    """A tracer that remembers."""

    def __init__(self, *, samples: bool = True) -> None:
        self._numbers = itertools.count(1)
        self.samples = samples
        self.steps: list[Step] = []

    def chosen(self) -> bool:
        return self.samples

    def follows(self) -> bool:
        return True

    def start(
        self,
        name: str,
        parent: Link | None,
        attributes: Mapping[str, tracing.Attribute],
        *,
        serves: bool = False,
    ) -> Step:
        number = next(self._numbers)
        trace = number + 1000 if parent is None else parent.trace_id
        self.steps.append(Step(name, Link(trace, number), parent, attributes))
        return self.steps[-1]

    def named(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]
