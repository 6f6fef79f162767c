"""The life of one device: connect, probe, poll by tier, fail, wait, again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from mtd.core.backoff import Backoff
from mtd.core.breaker import Breaker
from mtd.core.errors import Bug
from mtd.model.device import Outcome, Severity
from mtd.model.metric import Lane, Tier
from mtd.model.observation import StateChange
from mtd.scheduler import metrics
from mtd.scheduler.guards import PRESSURE_LIMIT, CpuGuard
from mtd.scheduler.health import DeviceHealth
from mtd.scheduler.pacing import Pacer
from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mtd.core.clock import Clock
    from mtd.core.limits import Gate
    from mtd.ingest.recorder import Recorder
    from mtd.model.command import Reply
    from mtd.model.device import Device
    from mtd.model.observation import FrameValues, OutcomeReport, ProbeFacts
    from mtd.plugin.mapper import DeviceMapper
    from mtd.scheduler.config import SchedulerConfig
    from mtd.sources.interfaces import ISource

logger = logging.getLogger(__name__)

CPU_LOAD = "system.cpu.load_pct"
# First polls of the lower tiers after a connect, so that tables and links are known soon.
_FIRST_POLL_WITHIN_S = {Tier.T1: 1.0, Tier.T2: 3.0, Tier.T3: 5.0}
# A device that reconnects quickly isn't probed again: nothing can have changed.
_PROBE_AGAIN_AFTER_S = 60.0
_SLOW_POLLS_TO_DEGRADE = 5
_REFUSAL_ADVICE = {
    Outcome.NOT_PERMITTED: "user {user} may not read {menus}; give its group the right",
    Outcome.TIMED_OUT: "{menus} was not answered in time; look at the router's load",
    Outcome.REPLY_TOO_LARGE: "{menus} has more rows than we read; raise the cap if they are wanted",
    Outcome.COMMAND_FAILED: "{menus} was answered with an error; see the events",
}


Tables = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Current-state tables of a device as they were last seen: table -> row key -> fields."""

LoadTables = Callable[[Iterable[str]], Awaitable[Mapping[str, Tables]]]
"""Returns the tables of devices, by the devices' ids."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a device loop works with, the same for all devices."""

    settings: SchedulerConfig
    clock: Clock
    recorder: Recorder
    make_source: Callable[[Device], ISource]
    make_mapper: Callable[[Device], DeviceMapper]
    load_tables: LoadTables
    fresh_gate: Gate
    retry_gate: Gate
    rng: random.Random = field(default_factory=random.Random)


class DeviceLoop:
    """Polls one device until it is cancelled. Whatever fails, it goes on."""

    def __init__(self, device: Device, parts: Parts, tables: Tables | None = None) -> None:
        settings = parts.settings
        self.device = device
        self.health = DeviceHealth()
        self.connected = False
        self._parts = parts
        self._mapper = parts.make_mapper(device)
        for table, rows in (tables or {}).items():
            self._mapper.restore_table(table, rows)
        self._backoff = Backoff(settings.backoff_first_s, settings.backoff_cap_s, rng=parts.rng)
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_open_s)
        self._cpu_guard = CpuGuard(
            settings.cpu_guard_pct, settings.cpu_guard_release_pct, settings.cpu_guard_polls
        )
        self._cpu_position: tuple[int, int | None] = (0, None)  # layout id, position among the gauges
        self._last_polled: float | None = None  # monotonic time of the last T0 poll that was answered
        self._last_probed: float | None = None
        self._slow_polls = 0
        self._probe_wanted = asyncio.Event()
        self._probe_waiters: list[asyncio.Future[ProbeFacts]] = []

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            try:
                await self._session()
            except SessionFailed as failed:
                failure = failed
            except Exception as error:
                # Nothing that one device does may end its watching: loud, counted, and on.
                metrics.INTERNAL_ERRORS.inc()
                logger.exception("polling %s failed by an error of mtd", self.device.name)
                failure = SessionFailed(
                    Outcome.COMMAND_FAILED, f"internal error of mtd: {error!r}; see its log"
                )
            await self._wait_after(failure)

    async def refresh_capabilities(self) -> ProbeFacts:
        """Probe the device now, and return what was found. SessionFailed if it isn't connected."""
        if not self.connected:
            raise SessionFailed(Outcome.UNREACHABLE, f"{self.device.name} has no session at the moment")
        waiter: asyncio.Future[ProbeFacts] = asyncio.get_running_loop().create_future()
        self._probe_waiters.append(waiter)
        self._probe_wanted.set()
        return await asyncio.wait_for(waiter, self.device.command_timeout_s * 2)

    def _interval_s(self, tier: Tier) -> float:
        return self.device.intervals_s.get(tier) or self._parts.settings.intervals_s.of(tier)

    async def _session(self) -> NoReturn:
        """Open a session and poll until it fails; raise why it failed."""
        source = self._parts.make_source(self.device)
        gate = self._parts.retry_gate if self.health.failures else self._parts.fresh_gate
        failure: SessionFailed | None = None
        try:
            async with gate:
                await source.connect()
            self.connected = True
            self._mapper.session_restarted()
            if self._probe_due():
                await self._probe(source)
            async with asyncio.TaskGroup() as tasks:
                for tier in Tier:
                    tasks.create_task(self._poll_tier(source, tier))
                tasks.create_task(self._probe_regularly(source))
        except* SessionFailed as failures:
            # One lost session fails every command in flight: the first tells as much as all.
            failure = next(_leaves(failures))
        finally:
            self.connected = False
            self._fail_waiters()
            await source.close()
        if failure is None:
            raise Bug("the tiers of a session ended without an error")
        raise failure

    async def _poll_tier(self, source: ISource, tier: Tier) -> None:
        clock = self._parts.clock
        interval = self._interval_s(tier)
        first_within = _FIRST_POLL_WITHIN_S.get(tier, interval)
        pacer = Pacer(interval, clock.monotonic() + self._parts.rng.random() * min(first_within, interval))
        while True:
            delay = pacer.next_due - clock.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            reason = self._reason_to_skip(tier)
            if reason is not None:
                metrics.POLLS_SKIPPED.labels(tier=tier, reason=reason).inc()
            else:
                await self._poll(source, tier, pacer.next_due, interval)
            passed = pacer.advance(clock.monotonic())
            if passed:
                metrics.POLLS_SKIPPED.labels(tier=tier, reason="overrun").inc(passed)
            if tier is Tier.T0 and reason is None:
                self._follow_slowness(passed, interval)

    def _reason_to_skip(self, tier: Tier) -> str | None:
        if self._parts.recorder.pressure >= PRESSURE_LIMIT[tier]:
            return "pressure"
        if tier is not Tier.T0 and self._cpu_guard.active:
            return "cpu_guard"
        return None

    async def _poll(self, source: ISource, tier: Tier, due: float, interval: float) -> None:
        commands = self._mapper.commands(tier)
        if not commands:
            return
        clock = self._parts.clock
        started = clock.monotonic()
        try:
            replies = await source.run(commands, self.device.command_timeout_s)
        except SessionFailed as failure:
            metrics.POLLS_FAILED.labels(tier=tier, outcome=failure.outcome).inc()
            raise
        duration = clock.monotonic() - started
        # A reply that took long was counted by the router at an unknown moment of that time.
        late = duration > interval / 2
        observation = self._mapper.observe(tier, replies, late=late)
        if observation.frame is not None:
            observation.frame.poll_duration_us = round(duration * 1e6)
        self._parts.recorder.record(self.device, observation)
        metrics.POLLS_OF[tier].inc()
        metrics.POLL_SECONDS_OF[tier].observe(duration)
        if observation.discarded_rates:
            metrics.RATES_DISCARDED.inc(observation.discarded_rates)
        self._after_poll(tier, replies)
        if self._mapper.probe_wanted:
            self._mapper.probe_wanted = False
            self._probe_wanted.set()
        if tier is Tier.T0:
            metrics.LATENESS_SECONDS.observe(max(0.0, started - due))
            self._follow_cpu(observation.frame)

    def _after_poll(self, tier: Tier, replies: Sequence[Reply]) -> None:
        missed = 0
        if tier is Tier.T0:
            now = self._parts.clock.monotonic()
            if self.health.failures:
                missed = self._missed_polls(now)
            self._last_polled = now
            self._backoff.reset()
            self._breaker.succeeded()
            self._report(self.health.succeeded(tier, missed=missed))
        self._follow_refusals(tier, [reply for reply in replies if reply.trap is not None])

    def _follow_refusals(self, tier: Tier, refused: Sequence[Reply]) -> None:
        """Degrade the device while commands are denied, too slow or too large; a menu may be missing."""
        if not refused and not self.health.degraded:
            return
        causes: dict[Outcome, list[str]] = {}
        for reply in refused:
            trap = reply.trap
            if trap is None or trap.no_such_command:
                continue
            if trap.not_permitted:
                outcome = Outcome.NOT_PERMITTED
            elif trap.timed_out:
                outcome = Outcome.TIMED_OUT
            elif trap.too_large:
                outcome = Outcome.REPLY_TOO_LARGE
            else:
                outcome = Outcome.COMMAND_FAILED
            causes.setdefault(outcome, []).append(reply.command.path)
        for outcome, advice in _REFUSAL_ADVICE.items():
            key = f"{outcome}.{tier}"
            if outcome in causes:
                text = advice.format(user=self.device.username, menus=", ".join(causes[outcome]))
                self._report(self.health.degrade(key, outcome, text))
            else:
                self._report(self.health.restore(key))

    def _follow_slowness(self, passed: int, interval: float) -> None:
        self._slow_polls = self._slow_polls + 1 if passed else 0
        if self._slow_polls >= _SLOW_POLLS_TO_DEGRADE:
            text = f"answers slower than the {interval:g} s between polls"
            self._report(self.health.degrade("slow", Outcome.TIMED_OUT, text))
        elif not passed:
            self._report(self.health.restore("slow"))

    def _follow_cpu(self, frame: FrameValues | None) -> None:
        load = self._cpu_load(frame)
        if load is None or not self._cpu_guard.update(load):
            return
        settings = self._parts.settings
        active = self._cpu_guard.active
        if active:
            text = (
                f"CPU load {load:.0f} % is over {settings.cpu_guard_pct:.0f} %: only live values are polled"
            )
            self._report(self.health.degrade("cpu", Outcome.BUSY, text))
        else:
            text = f"CPU load {load:.0f} % is under {settings.cpu_guard_release_pct:.0f} %: all tiers are polled again"
            self._report(self.health.restore("cpu"))
        self._parts.recorder.record_event(
            StateChange(
                event_type="device.polling.reduced" if active else "device.polling.restored",
                severity=Severity.WARNING if active else Severity.INFO,
                entity_type="device",
                entity_id=self.device.device_id,
                entity_label=self.device.name,
                field="polling",
                old="full" if active else "live only",
                new="live only" if active else "full",
                message=text,
            ),
            self.device,
        )

    def _cpu_load(self, frame: FrameValues | None) -> float | None:
        if frame is None:
            return None
        layout_id, position = self._cpu_position
        if layout_id != frame.layout.layout_id:
            names = [series.metric for series in frame.layout.lane(Lane.GAUGE)]
            position = names.index(CPU_LOAD) if CPU_LOAD in names else None
            self._cpu_position = (frame.layout.layout_id, position)
        return None if position is None else frame.gauges[position]

    async def _probe_regularly(self, source: ISource) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # then the regular time has come
                await asyncio.wait_for(self._probe_wanted.wait(), self._parts.settings.probe_interval_s)
            self._probe_wanted.clear()
            await self._probe(source)

    def _probe_due(self) -> bool:
        last = self._last_probed
        return last is None or self._parts.clock.monotonic() - last > _PROBE_AGAIN_AFTER_S

    async def _probe(self, source: ISource) -> None:
        replies = await source.run(self._mapper.probe_commands(), self.device.command_timeout_s * 2)
        facts = self._mapper.probe_facts(replies)
        self._mapper.set_capabilities(facts)
        self._last_probed = self._parts.clock.monotonic()
        self._parts.recorder.record_probe(self.device, facts)
        waiters, self._probe_waiters = self._probe_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(facts)

    def _fail_waiters(self) -> None:
        waiters, self._probe_waiters = self._probe_waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(SessionFailed(Outcome.BUSY, "the session ended before the probe did"))

    def _missed_polls(self, now: float) -> int:
        """Return how many T0 polls were due since the last that was answered, and count them."""
        if self._last_polled is None:
            return 0
        missed = max(0, int((now - self._last_polled) / self._interval_s(Tier.T0)) - 1)
        metrics.POLLS_MISSED.labels(tier=Tier.T0).inc(missed)
        return missed

    async def _wait_after(self, failure: SessionFailed) -> None:
        now = self._parts.clock.monotonic()
        self._breaker.failed(now)
        delay = max(self._backoff.next_delay(), self._breaker.wait_s(now))
        self._report(self.health.failed(failure.outcome, failure.reason, retry_in_s=delay))
        await asyncio.sleep(delay)

    def _report(self, report: OutcomeReport | None) -> None:
        if report is not None:
            self._parts.recorder.record_outcome(self.device, report)


def _leaves(group: BaseExceptionGroup[SessionFailed]) -> Iterator[SessionFailed]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
