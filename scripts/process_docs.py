"""What the process tells about itself: metrics and queues, as they are in the code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

# What the daemon doesn't load, and what tells nothing at /metrics.
APART = ("mtd.__main__", "mtd.cli", "mtd.client", "mtd.dropin", "mtd.lab", "mtd.pb", "mtd.testing")
PREFIX = "mtd_"

# prometheus-client's own, in every process of Python's on Linux.
OF_THE_RUNTIME = {
    "process_cpu_seconds_total": ("counter", "seconds", "CPU time of the process."),
    "process_max_fds": ("gauge", "", "Descriptors that it may have open."),
    "process_open_fds": ("gauge", "", "Descriptors that it has open."),
    "process_resident_memory_bytes": ("gauge", "bytes", "Memory in use."),
    "process_start_time_seconds": ("gauge", "seconds", "When it was started, since the epoch."),
    "process_virtual_memory_bytes": ("gauge", "bytes", "Addresses in use."),
    "python_gc_collections_total": ("counter", "", "Runs of the garbage collector, by `generation`."),
    "python_gc_objects_collected_total": ("counter", "", "Objects that it freed, by `generation`."),
    "python_gc_objects_uncollectable_total": ("counter", "", "Objects that it can't free, by `generation`."),
    "python_info": ("gauge", "", "1, with the version of Python as labels."),
}


@dataclass(frozen=True, slots=True)
class Described:
    """A metric as its reference describes it."""

    component: str
    name: str
    kind: str
    unit: str
    labels: tuple[str, ...]
    meaning: str
    module: str

    @property
    def samples(self) -> frozenset[str]:
        """The names by which Prometheus knows what it measures."""
        if self.kind == "histogram":
            return frozenset(f"{self.name}_{part}" for part in ("bucket", "count", "sum"))
        return frozenset({self.name})


def modules() -> Iterator[ModuleType]:
    """Import and yield all that the daemon may load."""
    package = importlib.import_module("mtd")
    for found in pkgutil.walk_packages(package.__path__, "mtd."):
        if not f"{found.name}.".startswith(tuple(f"{name}." for name in APART)):
            yield importlib.import_module(found.name)


@cache
def catalogue() -> Sequence[Described]:
    """Return all metrics of mtd's own, by component and name."""
    from prometheus_client import REGISTRY

    homes = {name: module.__name__ for module in modules() for name in _named_in(module)}
    # There is no public way from a name to what collects it.
    collectors: dict[str, Any] = REGISTRY._names_to_collectors
    found: list[Described] = []
    for collector in {id(one): one for name, one in collectors.items() if name.startswith(PREFIX)}.values():
        names: Any = getattr(collector, "labelnames", None) or getattr(collector, "_labelnames", ())
        for family in collector.describe():
            name = family.name + ("_total" if family.type == "counter" else "")
            home = homes[name]
            component = home.removeprefix("mtd.").rpartition(".")[0]
            found.append(
                Described(component, name, family.type, family.unit, tuple(names), family.documentation, home)
            )
    return sorted(found, key=lambda one: (one.component, one.name))


def _named_in(module: ModuleType) -> Iterator[str]:
    """Yield the metrics that are made in a module: their names stand there."""
    if module.__file__ is None:
        return
    text = Path(module.__file__).read_text(encoding="utf-8")
    if f'"{PREFIX}' not in text:  # most, and parsing takes its time
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.args[0].value
            if isinstance(name, str) and name.startswith(PREFIX):
                yield name


def metrics_page(notice: str) -> str:
    """Return docs/reference/metrics.md: what the process says about itself at /metrics."""
    parts = [
        notice,
        "# Metrics of the process\n",
        "Served at `/metrics`, in OpenMetrics 1.0 or Prometheus' older text format, as the scraper prefers.",
        "Units are the base units of OpenMetrics; what is counted in things has none. A histogram gives",
        "`_bucket`, `_count` and `_sum`. [Observability](../observability.md) says what to look at, and",
        "[Prometheus](../prometheus.md) how to scrape. What mtd measures on routers is not here: `mtd catalogue`",
        "lists that.\n",
    ]
    head = ["| metric | type | unit | labels | meaning |", "| --- | --- | --- | --- | --- |"]
    for component, described in groupby(catalogue(), key=lambda one: one.component):
        parts += [f"## {component}\n", *head, *map(_row, described), ""]
    parts += ["## Python and the operating system\n", *head]
    parts += [
        f"| `{name}` | {kind} | {unit} |  | {meaning} |"
        for name, (kind, unit, meaning) in OF_THE_RUNTIME.items()
    ]
    return "\n".join(parts).rstrip() + "\n"


def _row(one: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in one.labels)
    return f"| `{one.name}` | {one.kind} | {one.unit} | {labels} | {one.meaning} |"


def queues_page(notice: str) -> str:
    """Return docs/reference/queues.md: what waits where, and what happens when it is full."""
    from mtd.core.queues import queues

    for _ in modules():
        pass
    parts = [
        notice,
        "# Queues of the process\n",
        "Every queue is bounded, and has a name and a policy. `mtd_core_queue_depth` and `mtd_core_queue_limit`",
        "tell what waits and what may, by `queue`; so does [a dump](../observability.md#a-dump). Where there is",
        "one for each stream or tenant, the name stands for all of them together.\n",
        "| queue | of | when full | limit | counted by | what waits |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for queue in queues():
        counted = f"`{queue.counted_by}`" if queue.counted_by else ""
        parts.append(
            f"| `{queue.name}` | {queue.unit} | {queue.policy} | {queue.limited_by} | {counted} | {queue.meaning} |"
        )
    return "\n".join(parts) + "\n"
