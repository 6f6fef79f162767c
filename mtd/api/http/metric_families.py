"""How metrics of the catalogue are called in Prometheus: by rule, so that anyone can tell a name from a key.

docs/prometheus.md states the rule for users.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.model.catalogue import Catalogue
from mtd.model.metric import Kind, Lane, Metric, Unit

logger = logging.getLogger(__name__)

PREFIX = "routeros_"

SUFFIXES: Mapping[Unit, str] = {
    Unit.BYTES: "bytes",
    Unit.PACKETS: "packets",
    Unit.SECONDS: "seconds",
    Unit.CELSIUS: "celsius",
    Unit.VOLTS: "volts",
    Unit.AMPERES: "amperes",
    Unit.WATTS: "watts",
    Unit.HERTZ: "hertz",
    Unit.RPM: "rpm",
    Unit.DBM: "dbm",
    Unit.DECIBELS: "decibels",
    Unit.BITS_PER_SECOND: "bps",
    Unit.PACKETS_PER_SECOND: "pps",
    Unit.PERCENT: "ratio",
    Unit.EVENTS_PER_SECOND: "per_second",
}
"""What the name of a metric of that unit ends in. Counts and states have no unit."""

KEY_SUFFIXES: Mapping[Unit, str] = {Unit.PERCENT: "pct", Unit.EVENTS_PER_SECOND: "per_s"}
"""How keys of the catalogue end where Prometheus' habit is another one."""

LABELS: Mapping[str, str] = {"iface": "interface", "health": "sensor"}
"""Label of an instance by the last word of its scope, where that isn't the word itself."""


class Type(enum.StrEnum):
    """Types of families that we serve."""

    COUNTER = "counter"
    GAUGE = "gauge"
    INFO = "info"


# What samples have behind the name that OpenMetrics gives their family.
SAMPLE_SUFFIXES: Mapping[Type, str] = {Type.COUNTER: "_total", Type.GAUGE: "", Type.INFO: "_info"}


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric as Prometheus sees it; two are equal if they are the same object. ``name`` is that of the OpenMetrics family, without ``_total``.

    Values are divided by ``divisor``. ``label`` tells the instances of ``scope`` apart.
    """

    name: str
    type: Type
    help: str
    unit: str = ""
    divisor: int = 1
    scope: str = ""

    @property
    def label(self) -> str:
        """Name of the label that tells instances apart."""
        return label_of(self.scope)

    @property
    def sample(self) -> str:
        """Name of its samples."""
        return self.name + SAMPLE_SUFFIXES[self.type]


def family_of(metric: Metric) -> Family:
    """Return the family of a metric of the catalogue."""
    name = metric.key.replace(".", "_")
    if metric.kind is Kind.COUNTER:
        name = name.removesuffix("_total")
    suffix = SUFFIXES.get(metric.unit, "")
    if suffix:
        bare = name.removesuffix("_" + KEY_SUFFIXES.get(metric.unit, suffix))
        name = f"{bare}_{suffix}"
    return Family(
        name=PREFIX + name,
        type=Type.COUNTER if metric.kind is Kind.COUNTER else Type.GAUGE,
        help=_help(metric),
        unit=suffix if metric.unit is not Unit.EVENTS_PER_SECOND else "",
        divisor=100 if metric.unit is Unit.PERCENT else 1,
        scope=metric.scope,
    )


def info_of(scope: str) -> Family:
    """Return the family that tells what the things of a scope are."""
    about = "One of the router's things: its id in mtd, and its name, comment and type on the router."
    return Family(PREFIX + scope.replace(".", "_"), Type.INFO, about, scope=scope)


def _help(metric: Metric) -> str:
    text = metric.description
    if metric.states:
        numbers = sorted((number, name) for name, number in metric.states.items())
        text += " " + ", ".join(f"{number}: {name}" for number, name in numbers) + "."
    if metric.unit is Unit.PERCENT:
        text += " 0 to 1."
    return text


def label_of(scope: str) -> str:
    """Return the name of the label that tells instances of a scope apart."""
    word = scope.rpartition(".")[2]
    label = LABELS.get(word, word)
    return label if label not in ("", "device") else "thing"


class Families:
    """Families by key of the catalogue, in the catalogue's order; those of stored metrics whose egg is gone, too.

    ``infos`` tell what the things of a scope are, of those that something names.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._families: dict[tuple[str, Lane], Family | None] = {}
        self._names: dict[str, str] = {}
        # A key that comes up in two threads must not become two families.
        self._lock = threading.Lock()
        for metric in catalogue:
            self._families[metric.key, metric.lane] = self._owned(metric.key, family_of(metric))
        scopes = dict.fromkeys(source.scope for source in catalogue.series_labels)
        owned = (self._owned(scope, info_of(scope)) for scope in scopes)
        self.infos: Sequence[Family] = tuple(family for family in owned if family is not None)

    def of(self, key: str, lane: Lane) -> Family | None:
        """Return the family of a series' metric; None if its name is that of another metric."""
        try:
            return self._families[key, lane]
        except KeyError:
            pass
        with self._lock:
            if (key, lane) not in self._families:
                self._families[key, lane] = self._undescribed(key, lane)
            return self._families[key, lane]

    def _undescribed(self, key: str, lane: Lane) -> Family | None:
        name = PREFIX + key.replace(".", "_")
        kind = Type.COUNTER if lane is Lane.COUNTER else Type.GAUGE
        if kind is Type.COUNTER:
            name = name.removesuffix("_total")
        help_text = f"Metric {key}, which no installed collector describes."
        return self._owned(key, Family(name, kind, help_text, scope=key.partition(".")[0]))

    def _owned(self, key: str, family: Family) -> Family | None:
        owner = self._names.setdefault(family.name, key)
        if owner != key:
            logger.error("%s isn't served to Prometheus: %s has the name %s", key, owner, family.name)
            return None
        return family
