"""The mapper of one device: which commands to send, and what the answers mean.

Holds what one device's past is needed for: baselines of rates, tables as last
seen, names of things, capabilities. Never raises for what a router sent; a menu
at which an egg raises is set aside on this device, and left out for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model import values
from mtd.model.command import Command, Reply, Rows
from mtd.model.device import Device, Severity
from mtd.model.layout import Layout
from mtd.model.metric import DEFAULT_INTERVAL_S, Lane, Tier
from mtd.model.observation import FrameValues, Observation, ProbeFacts, StateChange
from mtd.plugin import metrics
from mtd.plugin.config import PluginConfig
from mtd.plugin.declaration import Collector, Menu, TableKind
from mtd.plugin.latency import LatencyWatch
from mtd.plugin.metrics_menu import MetricsMenu
from mtd.plugin.plan import AnyMenu, Plan, Step, build_plan, is_count
from mtd.plugin.probe import all_probes, probe_commands, probe_facts
from mtd.plugin.quarantine import Quarantine
from mtd.plugin.reboot import UPTIME_FIELD, RebootWatch
from mtd.plugin.refusals import Refusals
from mtd.plugin.table_menu import SnapshotMenu, TableMenu
from mtd.plugin.things import Things

_DEFAULT_SETTINGS = PluginConfig()


class DeviceMapper:
    """Maps the polls of one device. Not thread-safe; one device, one mapper."""

    def __init__(
        self,
        device: Device,
        collectors: Iterable[Collector],
        capabilities: ProbeFacts | AbstractSet[str] | None = None,
        *,
        settings: PluginConfig = _DEFAULT_SETTINGS,
        intervals_s: Mapping[Tier, float] = DEFAULT_INTERVAL_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.device = device
        self.things = Things(device.naming, device.code_page)
        self.probe_wanted = False  # the device may have changed: probe its capabilities soon
        self._clock = clock
        self._max_instances = settings.max_instances
        self._capabilities: dict[str, bool] | None = None
        self._intervals = {tier: device.intervals_s.get(tier) or intervals_s[tier] for tier in Tier}
        self._probes = all_probes(probe for collector in collectors for probe in collector.probes)
        self._menus: dict[Tier, list[AnyMenu]] = {tier: [] for tier in Tier}
        for collector in collectors:
            for menu in collector.menus:
                self._menus[menu.tier].append(self._mapped(menu, collector.name))
        for menus in self._menus.values():
            # Counters first: their moment is the frame's.
            menus.sort(key=lambda mapped: not (isinstance(mapped, MetricsMenu) and mapped.has_counters))
        self._plans: dict[Tier, Plan] = {}
        self._layouts: dict[Tier, tuple[tuple[object, ...], Layout]] = {}
        self._latency = {tier: LatencyWatch(self._intervals[tier]) for tier in Tier}
        self._quarantine = Quarantine(settings)
        self._refusals = Refusals(device)
        self._reboot = RebootWatch()
        self.set_capabilities(capabilities)

    # ------------------------------------------------------------ what to ask

    def commands(self, tier: Tier) -> list[Command]:
        """Return the commands of a poll, to be sent together. Empty: nothing to do."""
        if not self._quarantine.empty and self._quarantine.release(self._clock.monotonic()):
            self._plans.clear()
        return list(self._plan(tier).commands)

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
        if isinstance(capabilities, ProbeFacts):
            # Of what isn't among them nothing is known: the menu's own answer will tell.
            self._capabilities = {fact.name: fact.present for fact in capabilities.capabilities}
        elif capabilities is None:
            self._capabilities = None
        else:
            names = {menu.menu.requires for menus in self._menus.values() for menu in menus}
            self._capabilities = {name: name in capabilities for name in names}
        self.probe_wanted = False
        self._refusals.forget_missing()
        self._plans.clear()

    def session_restarted(self) -> None:
        """The session is a new one. Counters are kept: a reboot is told by the uptime."""
        for watch in self._latency.values():
            watch.forget()

    def restore_table(self, table: str, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Take a current-state table as it was before a restart of mtd: rows by key.

        So that an id which the router used again in the meantime is noticed.
        """
        for menus in self._menus.values():
            for mapped in menus:
                menu = mapped.menu
                if menu.table == table and menu.kind is TableKind.CURRENT_STATE and menu.labels is not None:
                    for key in sorted(rows):
                        raw_id = rows[key].get(menu.row_key, key)
                        self.things.restore(menu.scope, raw_id, key, rows[key], menu.labels)

    # ------------------------------------------------------------ what it means

    def observe(self, tier: Tier, replies: Sequence[Reply], *, late: bool = False) -> Observation:
        """Map the answers to ``commands(tier)``. ``late``: rates of this poll are of low confidence.

        Answers may be missing, and in any order.
        """
        plan = self._plan(tier)
        out = Observation(collected_us=replies[0].received_us if replies else self._clock.now_us())
        answered = [
            (plan.by_command[reply.command], reply) for reply in replies if reply.command in plan.by_command
        ]
        self._watch_uptime(answered, out)
        if replies:
            late = self._latency[tier].is_spike(max(reply.duration_s for reply in replies)) or late
        mapped: set[int] = set()
        for step, reply in answered:
            self._map_reply(step, reply, late, mapped, out)
        self._build_frame(tier, plan, answered, mapped, out)
        return out

    def _map_reply(self, step: Step, reply: Reply, late: bool, mapped: set[int], out: Observation) -> None:
        if reply.trap is not None:
            self._refused(step, reply, out)
            return
        if self._refusals.any:
            self._refusals.answered(step.command, out)
        for menu in step.menus:
            if self._quarantine.resting(menu):
                continue
            try:
                self._map_menu(menu, reply, late, out)
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
        menus[menus.index(failed)] = self._mapped(failed.menu, failed.collector)
        self._plans.clear()

    def _map_menu(self, mapped: AnyMenu, reply: Reply, late: bool, out: Observation) -> None:
        rows = reply.rows
        if is_count(mapped):
            rows = Rows(1, {field.field: (reply.done.get("ret"),) for field in mapped.menu.fields})
        if mapped.menu.transform is not None:
            rows = mapped.menu.transform(rows)
        if isinstance(mapped, MetricsMenu):
            mapped.observe(rows, reply.received_at, late, out)
            return
        ids = mapped.ids if isinstance(mapped, TableMenu) else ()
        mapped.observe(rows, out)
        if isinstance(mapped, TableMenu) and mapped.ids != ids:
            self._plans.clear()

    def _refused(self, step: Step, reply: Reply, out: Observation) -> None:
        """A menu that isn't there is no error: it isn't asked again until the next probe."""
        trap = reply.trap
        assert trap is not None
        cause = "missing" if trap.no_such_command else "denied" if trap.not_permitted else "other"
        for menu in step.menus:
            metrics.TRAPS.labels(menu.collector, cause).inc()
        if self._refusals.refused(step.command, trap, out):
            self._plans.clear()
            for menu in step.menus:
                if isinstance(menu, TableMenu):
                    menu.gone(out)

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
                message=f"{self.device.name} rebooted {uptime:.0f} s ago, after {before:.0f} s or more",
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
        if moment is None:
            return
        counters: list[int | None] = []
        gauges: list[float] = []
        rates: list[float] = []
        doubtful: list[int] = []
        parts = plan.metrics
        if not self._quarantine.empty:
            parts = [menu for menu in parts if not self._quarantine.resting(menu)]
        for menu in parts:
            if id(menu) not in mapped:
                menu.absent()
            if menu.doubtful:
                offset = len(rates)
                doubtful += [offset + position for position in menu.doubtful] if offset else menu.doubtful
            counters += menu.counters
            gauges += menu.gauges
            rates += menu.rates
        layout = self._layout(tier, parts)
        if not layout.series:
            return
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

    def _layout(self, tier: Tier, parts: Sequence[MetricsMenu]) -> Layout:
        stamp = tuple((menu, menu.series_version) for menu in parts)
        known = self._layouts.get(tier)
        if known is not None and known[0] == stamp:
            return known[1]
        series = [entry for lane in Lane for menu in parts for entry in menu.series if entry.lane is lane]
        layout = Layout.of(tier, tuple(series))
        self._layouts[tier] = (stamp, layout)
        return layout

    # ------------------------------------------------------------ plans

    def _plan(self, tier: Tier) -> Plan:
        plan = self._plans.get(tier)
        if plan is None:
            active = [menu for menu in self._menus[tier] if self._is_active(menu)]
            ids = {
                (menu.collector, menu.menu.name): menu.ids for menu in active if isinstance(menu, TableMenu)
            }
            plan = self._plans[tier] = build_plan(active, ids)
        return plan

    def _is_active(self, mapped: AnyMenu) -> bool:
        if self._quarantine.resting(mapped):
            return False
        needed = mapped.menu.requires
        if needed and self._capabilities is not None and not self._capabilities.get(needed, True):
            return False
        return not self._refusals.is_missing(mapped.menu.command_path)

    def _mapped(self, menu: Menu, collector: str) -> AnyMenu:
        max_instances = self._max_instances
        if menu.kind is TableKind.CURRENT_STATE:
            return TableMenu(menu, collector, self.things, max_instances)
        if menu.kind is TableKind.SNAPSHOT:
            return SnapshotMenu(menu, collector, self.things, max_instances)
        return MetricsMenu(menu, collector, self.things, self._intervals[menu.tier], max_instances)


def _moment(answered: Sequence[tuple[Step, Reply]], mapped: AbstractSet[int]) -> Reply | None:
    """Return the reply whose receipt is the frame's time: the first with counters, else with any metric."""
    first: Reply | None = None
    for step, reply in answered:
        for menu in step.menus:
            if isinstance(menu, MetricsMenu) and id(menu) in mapped:
                if menu.has_counters:
                    return reply
                first = first or reply
    return first
