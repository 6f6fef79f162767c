"""What is wrong with a declaration: found when a plugin is loaded, not at the first poll."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mtd.model.metric import Kind, Metric, Unit
from mtd.plugin.declaration import (
    Collector,
    Column,
    Companion,
    Counter,
    Gauge,
    Menu,
    Parse,
    State,
    TableKind,
)
from mtd.plugin.probe import DERIVED, all_probes
from mtd.plugin.selection_checks import selection_problems
from mtd.plugin.snmp_checks import snmp_problems
from mtd.plugin.spec import API_VERSION
from mtd.plugin.table_checks import table_problems

_NAME = re.compile(r"[a-z][a-z0-9_]*(?:[.-][a-z0-9_]+)*")
_KEY = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")

# The unit is the end of the key, so that nobody has to look it up.
ENDINGS: dict[Unit, tuple[str, ...]] = {
    Unit.BYTES: ("_bytes",),
    Unit.PACKETS: ("_packets",),
    Unit.BITS_PER_SECOND: ("_bps",),
    Unit.PACKETS_PER_SECOND: ("_pps",),
    Unit.EVENTS_PER_SECOND: ("_per_s",),
    Unit.PERCENT: ("_pct",),
    Unit.SECONDS: ("_seconds",),
    Unit.CELSIUS: ("_celsius",),
    Unit.VOLTS: ("_volts",),
    Unit.AMPERES: ("_amperes",),
    Unit.WATTS: ("_watts",),
    Unit.RPM: ("_rpm",),
    Unit.HERTZ: ("_hertz",),
    Unit.DBM: ("_dbm",),
    Unit.DECIBELS: ("_db",),
}
"""What the keys of a unit end in; those of others may end in anything."""

# The rate of a counter: which unit it has, and what makes it so.
_RATES: dict[Unit, tuple[Unit, float]] = {
    Unit.BYTES: (Unit.BITS_PER_SECOND, 8.0),
    Unit.PACKETS: (Unit.PACKETS_PER_SECOND, 1.0),
    Unit.EVENTS: (Unit.EVENTS_PER_SECOND, 1.0),
}


def problems_of(collector: Collector) -> list[str]:
    """Return what is wrong, one sentence each; nothing if it can be used."""
    found = []
    if collector.api != API_VERSION:
        found.append(f"it was written for plugin API {collector.api}, this mtd has {API_VERSION}")
    if not _NAME.fullmatch(collector.name):
        found.append(f"name {collector.name!r} isn't lower-case words")
    if not collector.menus:
        found.append("it declares no menu")
    names = [menu.name for menu in collector.menus]
    found += [f"two menus are called {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    for menu in collector.menus:
        found += [f"menu {menu.name}: {problem}" for problem in _menu_problems(menu, collector.menus)]
    return [*found, *_capability_problems(collector), *_label_problems(collector.menus)]


def _capability_problems(collector: Collector) -> Iterator[str]:
    """A capability that nobody asks for is never known to be absent: it would be required in vain."""
    known = {*DERIVED, *(probe.capability for probe in all_probes(collector.probes))}
    for menu in collector.menus:
        reads: tuple[Menu | Companion, ...] = (menu, *menu.companions)
        for name in [read.requires for read in reads]:
            if name and name not in known:
                yield f"menu {menu.name}: requires={name!r} has no Probe: declare one in the collector's probes"


def _label_problems(menus: Iterable[Menu]) -> Iterator[str]:
    named: dict[str, Menu] = {}
    for menu in menus:
        if menu.labels is None:
            continue
        if not menu.scope:
            yield f"menu {menu.name}: labels are those of a scope"
        first = named.setdefault(menu.table, menu)
        if (first.scope, first.labels) != (menu.scope, menu.labels):
            yield f"menu {menu.name}: table {menu.table} has other labels in menu {first.name}"


def _endless(read: Menu | Companion) -> Iterator[str]:
    """A monitor goes on until it is cancelled, and nothing else of the poll is answered meanwhile."""
    if read.command.startswith("monitor") and not any(name == "once" for name, _ in read.arguments):
        yield f'{read.command_path} never ends by itself: it needs arguments=(("once", ""),)'


def _menu_problems(menu: Menu, menus: Iterable[Menu]) -> Iterator[str]:
    if not menu.path.startswith("/") or menu.path.endswith("/"):
        yield f"path {menu.path!r} has to look like /interface"
    if not menu.fields:
        yield "it reads no field"
    if menu.max_rows <= 0 or menu.max_bytes <= 0 or menu.max_instances <= 0:
        yield "its caps have to be over 0"
    if (menu.transform is not None or menu.join is not None) and not menu.reads:
        yield "with a transform or a join, say in `reads` which fields to ask for"
    yield from _companion_problems(menu)
    fields = [field.field for field in menu.fields]
    for name in sorted({name for name in fields if fields.count(name) > 1}):
        yield f"field {name!r} is declared twice"
    yield from _kind_problems(menu)
    yield from snmp_problems(menu)
    if menu.numbers_of and not any(
        other.name == menu.numbers_of and other.kind is TableKind.CURRENT_STATE for other in menus
    ):
        yield f"numbers_of={menu.numbers_of!r} isn't a current-state table of this collector"
    if menu.instead_of and not any(other.name == menu.instead_of and other is not menu for other in menus):
        yield f"instead_of={menu.instead_of!r} isn't another menu of this collector"
    for metric in menu.metrics():
        yield from _metric_problems(metric)
    for field in menu.fields:
        if isinstance(field, Counter):
            yield from _rate_problems(field)
        elif isinstance(field, State):
            yield from _state_problems(field)
        elif isinstance(field, Gauge) and field.parse is Parse.UNTIL and field.unit is not Unit.SECONDS:
            yield f"{field.key}: how long it is until a date is told in {Unit.SECONDS}"


def _companion_problems(menu: Menu) -> Iterator[str]:
    if bool(menu.companions) is not (menu.join is not None):
        yield "companions and join go together"
    companions = [companion.name for companion in menu.companions]
    for name in sorted({name for name in companions if companions.count(name) > 1}):
        yield f"two companions are called {name!r}"
    yield from _endless(menu)
    for companion in menu.companions:
        yield from _endless(companion)


def _kind_problems(menu: Menu) -> Iterator[str]:
    is_text = menu.kind in {TableKind.CURRENT_STATE, TableKind.SNAPSHOT}
    wrong = [field.field for field in menu.fields if isinstance(field, Column) is not is_text]
    if wrong:
        yield f"{', '.join(wrong)}: a {menu.kind} menu has {'columns' if is_text else 'counters, gauges and states'} only"
    if is_text and not _NAME.fullmatch(menu.table):
        yield f"table {menu.table!r} isn't lower-case words"
    if menu.kind is TableKind.COUNT_ONLY and len(menu.fields) != 1:
        yield "a count is one gauge"
    if menu.kind is TableKind.METRICS and bool(menu.row_key) is not bool(menu.scope):
        yield "row_key and scope go together: many things have keys and a scope, one thing has neither"
    if menu.sparse and any(isinstance(field, Counter) for field in menu.fields):
        yield "a sparse menu has no counters"
    if menu.changes is not None and menu.kind is not TableKind.SNAPSHOT:
        yield "changes of a document are a snapshot's; a table has appears, vanishes and its columns' events"
    yield from table_problems(menu)
    yield from selection_problems(menu)
    if menu.labels is not None and (menu.kind is not TableKind.CURRENT_STATE or menu.keyed_by_name):
        yield "labels are taught by a current-state table with ids of its own"


def _metric_problems(metric: Metric) -> Iterator[str]:
    key = metric.key
    if not _KEY.fullmatch(key):
        yield f"{key!r} isn't a key such as iface.rx_bytes_total"
    if metric.scope and not key.startswith(metric.scope + "."):
        yield f"{key} doesn't start with its scope {metric.scope}"
    if not metric.since.isdecimal():
        yield f"{key}: since={metric.since!r} has to be the number of a catalogue"
    if not metric.description.strip():
        yield f"{key} has no description"
    if (metric.kind is Kind.COUNTER) is not key.endswith("_total"):
        yield f"{key}: counters end in _total, and nothing else does"
    endings = ENDINGS.get(metric.unit, ())
    if endings and not key.removesuffix("_total").endswith(endings):
        yield f"{key} is in {metric.unit}: it has to end in {' or '.join(endings)}"
    low, high = metric.expected_min, metric.expected_max
    if low is not None and high is not None and low > high:
        yield f"{key}: expected_min is over expected_max"


def _rate_problems(counter: Counter) -> Iterator[str]:
    rate = counter.rate
    if rate is None:
        return
    wanted = _RATES.get(counter.unit)
    if wanted is None:
        yield f"{counter.key}: there is no rate of {counter.unit}"
    elif (rate.unit, rate.scale) != wanted:
        unit, scale = wanted
        yield f"{rate.key}: the rate of {counter.unit} is {unit} with scale {scale:g}"
    if rate.bounded_by_link and rate.unit is not Unit.BITS_PER_SECOND:
        yield f"{rate.key}: only bits per second are bounded by the link"


def _state_problems(state: State) -> Iterator[str]:
    if not state.states:
        yield f"{state.key} has no states"
    numbers = list(state.states.values())
    if len(set(numbers)) != len(numbers):
        yield f"{state.key}: two states have one number"
    unknown = sorted(set(state.words.values()) - set(state.states))
    if unknown:
        yield f"{state.key}: words map to {', '.join(unknown)}, which isn't a state"
    if state.event is not None:
        named = {*state.event.messages, *state.event.severities} - set(state.states)
        if named:
            yield f"{state.key}: its event names {', '.join(sorted(named))}, which isn't a state"
