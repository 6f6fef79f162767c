"""Finding plugins, checking them, and what they make together."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model.catalogue import Catalogue, Conflicts
from mtd.model.device import Device
from mtd.model.labels import label_sources
from mtd.model.metric import DEFAULT_INTERVAL_S, Tier
from mtd.model.selection import TABLE as SELECTION
from mtd.plugin import metrics
from mtd.plugin.checks import problems_of
from mtd.plugin.config import ALL_LIVE, PluginConfig, T0Config
from mtd.plugin.declaration import Collector, TableKind
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.secret_providers import brings_providers, providers_of
from mtd.plugin.spec import PROJECT, PluginSpecs
from mtd.plugin.table_shape import Pseudonym
from mtd.security.interfaces import ISecretProvider

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "mtd"
BLOCK_VARIABLE = "MTD_BLOCK_PLUGINS"
THIRD_PARTY = "third-party"
# Distributions of the project itself; others shouldn't take this prefix.
OWN_PREFIX = "mtd-collector-"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin, and what became of it."""

    name: str
    distribution: str
    version: str
    collectors: tuple[str, ...] = ()
    problem: str = ""  # why it was left out
    blocked: bool = False

    @property
    def loaded(self) -> bool:
        """Whether it works."""
        return not self.problem and not self.blocked


@dataclass(slots=True)
class _Candidate:
    name: str
    distribution: str
    version: str
    entry_point: EntryPoint


class PluginManager:
    """The plugins that are loaded. Built by ``load``; doesn't change afterwards."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        plugins: Sequence[PluginInfo],
        settings: PluginConfig,
        hooks: pluggy.PluginManager | None = None,
    ) -> None:
        self._hooks = hooks
        self.collectors = tuple(collectors)
        self.plugins = tuple(plugins)
        self.settings = settings
        labels = label_sources(named for c in self.collectors for named in _labels(c))
        self.catalogue = Catalogue.assemble(((c.name, c.metrics()) for c in self.collectors), labels)

    @classmethod
    def load(
        cls,
        blocked: Iterable[str] = (),
        *,
        settings: PluginConfig | None = None,
        environment: Mapping[str, str] = os.environ,
        found: Iterable[EntryPoint] | None = None,
    ) -> PluginManager:
        """Load what is installed. A plugin that is wrong is left out, with a reason; never raises for it.

        ``blocked`` are names, or ``third-party``; the settings and the variable
        MTD_BLOCK_PLUGINS (separated by commas) add to them.
        """
        settings = settings or PluginConfig()
        names = {*blocked, *settings.blocked, *_split(environment.get(BLOCK_VARIABLE, ""))}
        loader = _Loader()
        for candidate in _candidates(entry_points(group=ENTRY_POINT_GROUP) if found is None else found):
            loader.take(candidate, names)
        loader.report()
        return cls(loader.collectors, loader.plugins, settings, loader.hooks)

    @classmethod
    def of(cls, *collectors: Collector, settings: PluginConfig | None = None) -> PluginManager:
        """Return a manager of these collectors, without looking at what is installed."""
        loader = _Loader()
        for collector in collectors:
            problem = loader.add(collector)
            if problem:
                raise ValueError(problem)
        return cls(loader.collectors, (), settings or PluginConfig())

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with plugins that were left out, one sentence each."""
        return tuple(
            f"plugin {info.name} of {info.distribution}: {info.problem}"
            for info in self.plugins
            if info.problem
        )

    def mapper(
        self,
        device: Device,
        *,
        t0: T0Config = ALL_LIVE,
        intervals_s: Mapping[Tier, float] = DEFAULT_INTERVAL_S,
        clock: Clock = SYSTEM_CLOCK,
        pseudonym: Pseudonym | None = None,
    ) -> DeviceMapper:
        """Return a mapper for a device. ``pseudonym`` is made of private texts, which are kept without."""
        return DeviceMapper(
            device,
            self.collectors,
            settings=self.settings,
            t0=t0,
            intervals_s=intervals_s,
            clock=clock,
            pseudonym=pseudonym,
        )

    def secret_providers(
        self, settings: Mapping[str, Mapping[str, Any]], taken: Iterable[str] = ()
    ) -> dict[str, ISecretProvider]:
        """Return the providers of secrets that plugins bring, by their schemes; those that are taken are left out."""
        return {} if self._hooks is None else providers_of(self._hooks, settings, taken)

    @property
    def restored_tables(self) -> tuple[str, ...]:
        """The current-state tables that a mapper wants to know from before a restart.

        Those that tell apart who had an id before, and those whose names others
        ask for. That leaves out the largest, whose rows are sessions.
        """
        menus = [menu for collector in self.collectors for menu in collector.menus]
        named = {
            menu.scope for menu in menus if menu.kind is not TableKind.CURRENT_STATE or menu.keyed_by_name
        }
        tables = [
            menu.table
            for menu in menus
            if menu.labels is not None and (menu.same_thing is not None or menu.scope in named)
        ]
        return tuple(dict.fromkeys([SELECTION, *tables]))


class _Loader:
    """Registers plugins with pluggy and collects what they declare."""

    def __init__(self) -> None:
        self.collectors: list[Collector] = []
        self.plugins: list[PluginInfo] = []
        self.hooks = pluggy.PluginManager(PROJECT)
        self.hooks.add_hookspecs(PluginSpecs)
        self._origins: dict[str, str] = {}  # entry point name -> distribution

    def take(self, candidate: _Candidate, blocked: set[str]) -> None:
        """Load one plugin, or note why not."""
        name, origin = candidate.name, candidate.distribution
        third_party = not origin.startswith(OWN_PREFIX)
        if name in blocked or (third_party and THIRD_PARTY in blocked):
            self._note(candidate, blocked=True)
            return
        if name in self._origins:
            self._note(
                candidate,
                problem=f"{self._origins[name]} brings a plugin of this name already: uninstall one",
            )
            return
        try:
            declared = self._declared(candidate)
        except Exception as error:
            # Foreign code at import: one bad plugin may not keep the daemon from starting.
            logger.exception("plugin %s of %s can't be loaded", name, origin)
            self._note(candidate, problem=f"{type(error).__name__}: {error}")
            return
        self._origins[name] = origin
        problems, taken = [], []
        for collector in declared:
            problem = self.add(replace(collector, version=candidate.version))
            if problem:
                problems.append(problem)
            else:
                taken.append(collector.name)
        self._note(candidate, collectors=tuple(taken), problem="; ".join(problems))

    def add(self, collector: Collector) -> str:
        """Take a collector; return what is wrong with it, or an empty text."""
        wrong = problems_of(collector)
        if any(other.name == collector.name for other in self.collectors):
            wrong.append("another collector has this name")
        named = {table: other.name for other in self.collectors for _, table, _, _ in _labels(other)}
        wrong += [
            f"table {table} of collector {named[table]} names rows already"
            for table in dict.fromkeys(table for _, table, _, _ in _labels(collector))
            if table in named
        ]
        if not wrong:
            try:
                Catalogue.assemble((c.name, c.metrics()) for c in (*self.collectors, collector))
            except Conflicts as conflicts:
                wrong += conflicts.problems
        if wrong:
            return f"collector {collector.name}: " + "; ".join(wrong)
        self.collectors.append(collector)
        return ""

    def report(self) -> None:
        """Tell the log and the metrics what became of the plugins."""
        results = {"loaded": 0, "blocked": 0, "refused": 0}
        for info in self.plugins:
            results["loaded" if info.loaded else "blocked" if info.blocked else "refused"] += 1
            if info.problem:
                logger.error("plugin %s of %s is left out: %s", info.name, info.distribution, info.problem)
        for result, count in results.items():
            metrics.PLUGINS.labels(result).set(count)
        if not self.collectors:
            logger.warning("no collector is installed: nothing will be read from routers")

    def _declared(self, candidate: _Candidate) -> list[Collector]:
        plugin = candidate.entry_point.load()
        self.hooks.register(plugin, name=candidate.name)
        try:
            self.hooks.check_pending()
            others = [other for other in self.hooks.get_plugins() if other is not plugin]
            answers = self.hooks.subset_hook_caller("mtd_collectors", remove_plugins=others)()
            declared = [collector for answer in answers for collector in answer]
        except BaseException:
            self.hooks.unregister(plugin)
            raise
        if not declared and not brings_providers(self.hooks, plugin):
            raise ValueError("it implements no hook of mtd, or brings nothing")
        for collector in declared:
            if not isinstance(collector, Collector):
                raise TypeError(f"mtd_collectors has to return Collectors, not {type(collector).__name__}")
        return declared

    def _note(
        self,
        candidate: _Candidate,
        *,
        collectors: tuple[str, ...] = (),
        problem: str = "",
        blocked: bool = False,
    ) -> None:
        self.plugins.append(
            PluginInfo(
                candidate.name, candidate.distribution, candidate.version, collectors, problem, blocked
            )
        )


def _labels(collector: Collector) -> Iterator[tuple[str, str, str, str]]:
    """Yield scope, table, and fields of name and comment of what names things."""
    for menu in collector.menus:
        if menu.labels is not None:
            yield menu.scope, menu.table, menu.labels.name, menu.labels.comment


def _candidates(found: Iterable[EntryPoint]) -> list[_Candidate]:
    """Return what is installed, each once, in an order that doesn't depend on the file system."""
    seen: dict[tuple[str, str, str], _Candidate] = {}
    for entry_point in found:
        distribution = entry_point.dist
        origin = distribution.name if distribution is not None else "?"
        version = distribution.version if distribution is not None else "?"
        candidate = _Candidate(entry_point.name, origin, version, entry_point)
        # An editable install is found twice: once installed, once in its folder.
        seen.setdefault((origin, entry_point.name, entry_point.value), candidate)
    # The project's own come first: a stranger can't take the place of one of them.
    return sorted(
        seen.values(), key=lambda c: (not c.distribution.startswith(OWN_PREFIX), c.distribution, c.name)
    )


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
