"""The mapper of one device: which commands to send, and what the answers mean.

Holds what one device's past is needed for: baselines of rates, tables as last
seen, names of things, capabilities. Never raises for what a router sent; a menu
at which an egg raises is set aside on this device, and left out for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.slices import Steps, at_once
from mtd.model import values
from mtd.model.command import Command, Reply, Rows
from mtd.model.device import Device, Severity
from mtd.model.layout import Layout
from mtd.model.metric import DEFAULT_INTERVAL_S, Lane, Tier
from mtd.model.observation import FrameValues, Observation, ProbeFacts, StateChange
from mtd.model.selection import TABLE as SELECTION
from mtd.plugin import metrics
from mtd.plugin.config import ALL_LIVE, PluginConfig, T0Config
from mtd.plugin.declaration import Collector, Menu, TableKind
from mtd.plugin.given import Given
from mtd.plugin.latency import LatencyWatch
from mtd.plugin.live_rows import LiveRows
from mtd.plugin.metrics_menu import MetricsMenu
from mtd.plugin.over_snmp import OverSnmp, fed
from mtd.plugin.plan import AnyMenu, Part, Plan, Step, build_plan, rows_for, unclear
from mtd.plugin.presence import Presence
from mtd.plugin.probe import all_probes, probe_commands, probe_facts
from mtd.plugin.quarantine import Quarantine
from mtd.plugin.reboot import UPTIME_FIELD, RebootWatch, lasted
from mtd.plugin.refusals import Refusals
from mtd.plugin.set_aside import SetAside
from mtd.plugin.snapshot_menu import SnapshotMenu
from mtd.plugin.split import Split
from mtd.plugin.table_menu import TableMenu
from mtd.plugin.table_shape import Pseudonym
from mtd.plugin.things import Things
from mtd.plugin.watchdog import guarded

_DEFAULT_SETTINGS = PluginConfig()
# More than this is for a thread, if it is an egg's own code, or a document.
_MANY_ROWS = 500
_RESTORED_AT_ONCE = 200
# Tiers of which a command that wasn't answered in time is asked again with the next poll.
_LIVELY = frozenset((Tier.T0, Tier.T1))


class DeviceMapper:
    """Maps the polls of one device. Not thread-safe; one device, one mapper."""

    def __init__(
        self,
        device: Device,
        collectors: Iterable[Collector],
        capabilities: ProbeFacts | AbstractSet[str] | None = None,
        *,
        settings: PluginConfig = _DEFAULT_SETTINGS,
        t0: T0Config = ALL_LIVE,
        intervals_s: Mapping[Tier, float] = DEFAULT_INTERVAL_S,
        clock: Clock = SYSTEM_CLOCK,
        pseudonym: Pseudonym | None = None,
    ) -> None:
        self.device = device
        self.things = Things(device.naming, device.code_page)
        self.probe_wanted = False  # the device may have changed: probe its capabilities soon
        self._clock = clock
        self._max_instances = settings.max_instances
        self._max_rows = settings.max_table_rows
        self._pseudonym = pseudonym
        self._numbering = {
            (c.name, menu.numbers_of) for c in collectors for menu in c.menus if menu.numbers_of
        }
        self._intervals = {tier: device.intervals_s.get(tier) or intervals_s[tier] for tier in Tier}
        self._probes = all_probes(probe for collector in collectors for probe in collector.probes)
        self._menus: dict[Tier, list[AnyMenu]] = {tier: [] for tier in Tier}
        self._live = LiveRows(
            device, t0, self.things, self._intervals, self._choosers, self._other_live_values
        )
        for collector in collectors:
            for menu in collector.menus:
                for mapped in self._mapped_halves(menu, collector.name):
                    self._menus[mapped.menu.tier].append(mapped)
        for menus in self._menus.values():
            # Counters first: their moment is the frame's.
            menus.sort(key=lambda mapped: not (isinstance(mapped, MetricsMenu) and mapped.has_counters))
        self._plans: dict[Tier, Plan] = {}
        self._layouts: dict[Tier, tuple[tuple[object, ...], Layout]] = {}
        self._filled: set[Tier] = set()  # whose newest frame has series
        self._latency = {tier: LatencyWatch(self._intervals[tier]) for tier in Tier}
        self._quarantine = Quarantine(settings)
        self._refusals = Refusals(device)
        self._presence = Presence(collectors, self._probes, self._refusals)
        self._presence_changed = False
        self._aside = SetAside()
        self._reboot = RebootWatch()
        self._over_snmp = OverSnmp(device, (menu for one in collectors for menu in one.menus))
        self.set_capabilities(capabilities)

    # ------------------------------------------------------------ what to ask

    def commands(self, tier: Tier) -> list[Command]:
        """Return the commands of a poll, to be sent together. Empty: nothing to do."""
        if not self._quarantine.empty and self._quarantine.release(self._clock.monotonic()):
            self._plans.clear()
        if self._live.outdated(tier):
            self._plans.pop(tier, None)
        commands = self._plan(tier).commands
        if self._aside.any:
            # Where all is too large something else is wrong, and is told as such.
            return self._aside.without(commands, self._clock.monotonic()) or list(commands)
        return list(commands)

    def set_aside(self, tier: Tier) -> list[Reply]:
        """Return how the commands were refused that ``commands`` leaves out for a while: too large, or too slow."""
        if not self._aside.any:
            return []
        return self._aside.replies(self._plan(tier).commands, self._clock.monotonic())

    def owners(self, tier: Tier) -> Mapping[Command, tuple[str, ...]]:
        """Return the collectors that share each of the ``commands``; those that mtd asks for itself are missing."""
        return self._plan(tier).owners

    def probe_commands(self) -> list[Command]:
        """Return the commands of a capability probe."""
        return probe_commands(self._probes)

    def probe_facts(self, replies: Sequence[Reply]) -> ProbeFacts:
        """Return what the answers to ``probe_commands`` say."""
        return probe_facts(replies, self._probes)

    def set_capabilities(self, capabilities: ProbeFacts | AbstractSet[str] | None) -> None:
        """Take what the device can do: of a probe, as plain names, or None if it isn't known.

        Menus that the router refused are asked again.
        """
        self._presence.learn(capabilities)
        self._presence_changed = True
        self.probe_wanted = False
        self._plans.clear()

    def session_restarted(self) -> None:
        """The session is a new one. Counters are kept: a reboot is told by the uptime."""
        for watch in self._latency.values():
            watch.forget()

    def restore_table(self, table: str, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Take a current-state table as it was before a restart of mtd: rows by key.

        So that an id which the router used again in the meantime is noticed, and
        what is read at the live tier stays.
        """
        at_once(self.restoring(table, rows))

    def restoring(self, table: str, rows: Mapping[str, Mapping[str, str]]) -> Steps[None]:
        """Return the steps of ``restore_table``, for a table that may be large."""
        if table == SELECTION:
            self._live.restore(rows)
            # The rest was in another frame, which may have none of it any more.
            self._filled.update(Tier)
            return
        for mapped in self._tables(table):
            menu = mapped.menu
            self._over_snmp.restore(menu, rows.values())
            if menu.labels is None:
                continue
            for number, key in enumerate(sorted(rows), start=1):
                raw_id = rows[key].get(menu.row_key, key)
                self.things.restore(menu.scope, raw_id, key, rows[key], menu.labels, menu.same_thing)
                if number % _RESTORED_AT_ONCE == 0:
                    yield None

    def tell_table(self, table: str) -> None:
        """Tell all rows of a table with its next read: some of what was told before got lost."""
        for mapped in self._tables(table):
            mapped.tell_all()

    def _tables(self, name: str = "") -> list[TableMenu]:
        """Return the current-state tables, or those of a name."""
        tables = (menu for menus in self._menus.values() for menu in menus if isinstance(menu, TableMenu))
        return [table for table in tables if not name or table.menu.table == name]

    # ------------------------------------------------------------ what it means

    def observe(self, tier: Tier, replies: Sequence[Reply], *, late: bool = False) -> Observation:
        """Map the answers to ``commands(tier)``. ``late``: rates of this poll are of low confidence.

        Answers may be missing, and in any order.
        """
        return at_once(self.observing(tier, replies, late=late))

    def observing(self, tier: Tier, replies: Sequence[Reply], *, late: bool = False) -> Steps[Observation]:
        """Return the steps of ``observe``, for answers that may be large.

        Polls of other tiers may be observed between two steps; those of this one
        not before the last.
        """
        plan = self._plan(tier)
        out = Observation(collected_us=replies[0].received_us if replies else self._clock.now_us())
        answered = [
            (plan.by_command[reply.command], self._over_snmp.with_whole_uptime(reply, self._reboot))
            for reply in replies
            if reply.command in plan.by_command
        ]
        self._watch_uptime(answered, out)
        if replies:
            late = self._latency[tier].is_spike(max(reply.duration_s for reply in replies)) or late
        mapped: set[int] = set()
        given = Given.of(plan, answered, late)
        for step, reply in answered:
            yield from self._map_reply(step, reply, given, mapped, out)
        if self._presence_changed:
            self._clear_tables(out)
        if replies:
            self._live.polled(tier, replies[0].received_at, out)
        self._build_frame(tier, plan, answered, mapped, out)
        return out

    def _map_reply(
        self, step: Step, reply: Reply, given: Given, mapped: set[int], out: Observation
    ) -> Steps[None]:
        if reply.trap is not None:
            self._refused(step, reply, out)
            return
        if self._refusals.any:
            self._refusals.answered(step.command, out)
        if self._aside.any:
            self._aside.answered(step.command)
        for menu in step.menus:
            if self._quarantine.resting(menu) or given.lacks(menu) or not fed(menu.menu, reply):
                continue
            if unclear(menu, reply):
                # As good as no answer: that rows are missing doesn't say that what they tell of is gone.
                metrics.ROWS_REFUSED.labels(menu.collector).inc(reply.rows.count)
                continue
            try:
                yield from self._map_menu(menu, reply, given, out)
            except Exception as error:
                # An egg's mistake is logged, counted and an event; the device's other menus go on.
                self._quarantine.enter(menu, error, reply.received_at, out)
                self._start_over(menu)
                continue
            mapped.add(id(menu))
            if not self._quarantine.empty:
                self._quarantine.worked(menu, out)

    def _start_over(self, failed: AnyMenu) -> None:
        """Forget what the menu held: its collector may have raised half-way."""
        menus = self._menus[failed.menu.tier]
        if isinstance(failed, TableMenu) or (isinstance(failed, MetricsMenu) and self._live.has(failed)):
            failed.start_over()
        else:
            menus[menus.index(failed)] = self._mapped(failed.menu, failed.collector)
        self._plans.clear()

    def _map_menu(self, mapped: AnyMenu, reply: Reply, given: Given, out: Observation) -> Steps[None]:
        menu = mapped.menu
        rows = self._over_snmp.rows(mapped.collector, menu, reply, rows_for(mapped, reply), out)
        if menu.transform is not None:
            rows = yield from _foreign(partial(menu.transform, rows), rows)
        if menu.join is not None:
            others = given.companions_of(mapped)
            rows = yield from _foreign(partial(menu.join, rows, others), rows, *others.values())
        if isinstance(mapped, MetricsMenu):
            mapped.observe(rows, reply, given.late, out)
        elif isinstance(mapped, SnapshotMenu):
            yield from _document(mapped, rows, out)
        else:
            version = mapped.ids_version
            yield from mapped.steps(rows, reply, given.late, out)
            if mapped.ids_version != version and (mapped.collector, menu.name) in self._numbering:
                self._plans.clear()
                self._presence_changed = self._presence_changed or not mapped.ids

    def _refused(self, step: Step, reply: Reply, out: Observation) -> None:
        """A menu that isn't there is no error: it isn't asked again until the next probe."""
        trap = reply.trap
        assert trap is not None
        if trap.not_served:
            return  # nobody asked the router: there are no values, and nothing is known of the menu
        cause = "missing" if trap.no_such_command else "denied" if trap.not_permitted else "other"
        for menu in step.menus:
            metrics.TRAPS.labels(menu.collector, cause).inc()
        if trap.timed_out and not _LIVELY & {menu.menu.tier for menu in step.menus}:
            self._aside.gave_up(reply)
        if trap.too_large and self._aside.gave_up(reply):
            # A capability may say how many rows are too many for a menu: it is time to count again.
            self.probe_wanted = True
        if self._refusals.refused(step.command, trap, out):
            self._plans.clear()
            self._presence_changed = True

    def _clear_tables(self, out: Observation) -> None:
        """What a device doesn't have any more, it has no rows of."""
        self._presence_changed = False
        tables = self._tables()
        without_rows = {(table.collector, table.menu.name) for table in tables if table.row_count == 0}
        for table in tables:
            numberless = (table.collector, table.menu.numbers_of) in without_rows
            if numberless or not self._presence.wants(table.collector, table.menu):
                table.gone(out)

    def _watch_uptime(self, answered: Iterable[tuple[Step, Reply]], out: Observation) -> None:
        for step, reply in answered:
            if not step.tells_uptime or not reply.rows.count:
                continue
            raw = reply.rows.column(UPTIME_FIELD)[0]
            uptime = values.duration(raw)
            if uptime is None:
                continue
            before = self._reboot.uptime_s
            if self._reboot.rebooted(uptime, reply.received_at):
                self._rebooted(before or 0.0, uptime, out)

    def _rebooted(self, before: float, uptime: float, out: Observation) -> None:
        metrics.REBOOTS.inc()
        self.probe_wanted = True
        for menus in self._menus.values():
            for mapped in menus:
                if isinstance(mapped, MetricsMenu):
                    mapped.reset_baseline()
        out.state_changes.append(
            StateChange(
                event_type="device.rebooted",
                severity=Severity.WARNING,
                entity_type="device",
                entity_id=self.device.device_id,
                entity_label=self.device.name,
                field=UPTIME_FIELD,
                old=f"{before:.0f}s",
                new=f"{uptime:.0f}s",
                message=f"{self.device.name} rebooted {lasted(uptime)} ago, after {lasted(before)} or more",
            )
        )

    def _build_frame(
        self,
        tier: Tier,
        plan: Plan,
        answered: Sequence[tuple[Step, Reply]],
        mapped: AbstractSet[int],
        out: Observation,
    ) -> None:
        """Put the menus' lanes together. A menu without an answer keeps its place, without values."""
        moment = _moment(answered, mapped)
        if moment is None and answered and tier in self._filled and not plan.parts:
            # What it had is read elsewhere now, and its last frame must not stay the newest.
            moment = answered[0][1]
        if moment is None:
            return
        counters: list[int | None] = []
        gauges: list[float] = []
        rates: list[float] = []
        doubtful: list[int] = []
        parts = plan.parts
        if not self._quarantine.empty:
            parts = [part for part in parts if not self._quarantine.resting(part[0])]
        for menu, part in parts:
            if id(menu) not in mapped:
                part.absent()
            if part.doubtful:
                offset = len(rates)
                doubtful += [offset + position for position in part.doubtful] if offset else part.doubtful
            counters += part.counters
            gauges += part.gauges
            rates += part.rates
        layout = self._layout(tier, parts)
        if not layout.series and tier not in self._filled:
            return
        (self._filled.add if layout.series else self._filled.discard)(tier)
        out.collected_us = moment.received_us
        out.frame = FrameValues(
            layout=layout,
            collected_us=moment.received_us,
            counters=counters,
            gauges=gauges,
            rates=rates,
            low_confidence=doubtful,
            poll_duration_us=round(max(reply.duration_s for _, reply in answered) * 1e6),
        )

    def _layout(self, tier: Tier, parts: Sequence[Part]) -> Layout:
        stamp = tuple([(part, part.series_version) for _, part in parts])
        known = self._layouts.get(tier)
        if known is not None and known[0] == stamp:
            return known[1]
        series = [entry for lane in Lane for _, part in parts for entry in part.series if entry.lane is lane]
        layout = Layout.of(tier, tuple(series))
        self._layouts[tier] = (stamp, layout)
        return layout

    # ------------------------------------------------------------ plans

    def _plan(self, tier: Tier) -> Plan:
        plan = self._plans.get(tier)
        if plan is None:
            active = [menu for menu in self._menus[tier] if self._is_active(menu)]
            ids = {
                (menu.collector, menu.menu.name): menu.ids
                for menus in self._menus.values()
                for menu in menus
                if (menu.collector, menu.menu.name) in self._numbering
                and isinstance(menu, TableMenu)
                and self._is_active(menu)
            }
            plan = self._plans[tier] = build_plan(
                active,
                ids,
                self._presence.has,
                self._live.narrowed,
                mark_documents=self.device.config_login is not None,
            )
        return plan

    def _is_active(self, mapped: AnyMenu) -> bool:
        return not self._quarantine.resting(mapped) and self._presence.wants(mapped.collector, mapped.menu)

    def _choosers(self) -> list[TableMenu]:
        return [table for table in self._tables() if table.menu.chooses and self._is_active(table)]

    def _other_live_values(self) -> int:
        """Return how many values a live poll reads that nobody chooses."""
        menus = (menu for menu in self._menus[Tier.T0] if isinstance(menu, MetricsMenu))
        return sum(len(menu.counters) + len(menu.gauges) for menu in menus if not self._live.has(menu))

    def _mapped_halves(self, menu: Menu, collector: str) -> list[AnyMenu]:
        """Return what maps a menu: two, if some rows of it may be read more seldom."""
        mapped = self._mapped(menu, collector)
        if menu.selectable is None or not isinstance(mapped, MetricsMenu) or not self._live.takes(menu.scope):
            return [mapped]
        rest = replace(menu, tier=menu.selectable.rest, name=f"{menu.name}-rest")
        slow = MetricsMenu(rest, collector, self.things, self._intervals[rest.tier], self._max_instances)
        self._live.watch(Split(mapped, slow, menu.selectable))
        return [mapped, slow]

    def _mapped(self, menu: Menu, collector: str) -> AnyMenu:
        max_instances = self._max_instances
        if menu.kind is TableKind.CURRENT_STATE:
            interval_s = self._intervals[menu.tier]
            return TableMenu(menu, collector, self.things, self._max_rows, interval_s, self._pseudonym)
        if menu.kind is TableKind.SNAPSHOT:
            return SnapshotMenu(menu, collector, self.things, max_instances)
        return MetricsMenu(menu, collector, self.things, self._intervals[menu.tier], max_instances)


def _foreign(work: Callable[[], Rows], *rows: Rows) -> Steps[Rows]:
    """Return what an egg's code makes of rows; of many, not in the loop's thread: it can't be cut into steps."""
    if sum([one.count for one in rows]) < _MANY_ROWS:
        return guarded(work)
    found: Rows = yield partial(guarded, work)
    return found


def _document(mapped: SnapshotMenu, rows: Rows, out: Observation) -> Steps[None]:
    """Map the rows of a document; many of them not in the loop's thread: it is written, hashed and compared whole."""
    if rows.count < _MANY_ROWS:
        mapped.observe(rows, out)
    else:
        yield partial(mapped.observe, rows, out)


def _moment(answered: Sequence[tuple[Step, Reply]], mapped: AbstractSet[int]) -> Reply | None:
    """Return the reply whose receipt is the frame's time: the first with counters, else with any metric."""
    first: Reply | None = None
    for step, reply in answered:
        for menu in step.menus:
            if id(menu) not in mapped:
                continue
            if isinstance(menu, MetricsMenu):
                if menu.has_counters:
                    return reply
                first = first or reply
            elif isinstance(menu, TableMenu) and menu.tallies is not None:
                first = first or reply
    return first
