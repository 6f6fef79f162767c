"""The life of one device: connect, probe, poll by tier, fail, wait, again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from mtd.core import log_fields, tracing
from mtd.core.backoff import Backoff
from mtd.core.breaker import Breaker
from mtd.core.errors import Bug
from mtd.core.slices import in_slices
from mtd.model.device import Outcome
from mtd.model.labels import INTERFACES
from mtd.model.metric import Tier
from mtd.model.ways import TABLE as WAYS
from mtd.scheduler import metrics
from mtd.scheduler.account import Account
from mtd.scheduler.conditions import Conditions
from mtd.scheduler.guards import expect_an_answer, pace_by_buffer
from mtd.scheduler.health import DeviceHealth
from mtd.scheduler.missed import MissedPolls
from mtd.scheduler.on_demand import OnDemand, no_session
from mtd.scheduler.pacing import Pacer
from mtd.scheduler.prober import Prober
from mtd.scheduler.rest import Rest
from mtd.scheduler.taking import Taking
from mtd.scheduler.way_follower import WayFollower
from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mtd.model.command import Command, Reply
    from mtd.model.device import Device
    from mtd.model.observation import ProbeFacts
    from mtd.model.polled import PolledTier
    from mtd.scheduler.parts import Parts, Tables
    from mtd.sources.standing import Standing

logger = logging.getLogger(__name__)

# First polls of the lower tiers after a connect, so that tables and links are known soon. The second
# is at any moment half an interval to one and a half later: routers that were connected together, at the
# start of mtd or after a link was down, would be asked for their long tables together for ever.
_FIRST_POLL_WITHIN_S = {Tier.T1: 1.0, Tier.T2: 3.0, Tier.T3: 5.0}
# Commands of a slower tier that a router has at once. It answers one after the other: a live poll
# that is due meanwhile waits for these, and not for all 150 of a whole tier.
_TOGETHER = 8
_JITTER = 0.3
_MOST_FACTORS = 12
_LEASE_CHECK_S = 0.5
_CONNECTS_WITHIN_S = 5.0


class DeviceLoop:
    """Polls one device until it is cancelled. Whatever fails, it goes on."""

    def __init__(self, device: Device, parts: Parts, tables: Tables | None = None) -> None:
        settings = parts.settings
        self.device = device
        self.health = DeviceHealth()
        self.connected = False
        self.account = Account()
        self._parts = parts
        self._mapper = parts.make_mapper(device)
        self._taking = Taking(device, self._mapper, parts.recorder)
        self._tables = tables or {}
        self._source = parts.make_source(device)
        self._conditions = Conditions(device, self.health, parts.recorder, settings)
        self._standing: Standing | None = None  # of the ways, as followed last
        self._ways = WayFollower(device, parts.recorder, self._conditions, parts.clock)
        self._source.learn(self._ways.restore(self._tables.get(WAYS, {})))
        self._intervals_s = {
            tier: device.intervals_s.get(tier) or settings.intervals_s.of(tier) for tier in Tier
        }
        named: tracing.Attributes = {
            "mtd.device": device.name,
            "mtd.device_id": device.device_id,
            "mtd.tenant_id": device.tenant_id,
        }
        self._named = {tier: {**named, "mtd.tier": tier.value} for tier in Tier}  # in traces
        self._pace = parts.pace or pace_by_buffer(parts.recorder)
        # Devices that were connected together don't all leave out the same polls.
        self._due = {tier: parts.rng.randrange(_MOST_FACTORS) for tier in Tier}
        self._on_demand = OnDemand(device.name, parts.clock, self._intervals_s)
        self._failed: SessionFailed | None = None  # what ended the last session, or kept it from being opened
        self._next_try = 0.0
        self._missed = MissedPolls(self._intervals_s)
        self._missed_live = 0  # T0 polls missed since the last report that told of them
        self._backoff = Backoff(settings.backoff_first_s, settings.backoff_cap_s, rng=parts.rng)
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_open_s)
        self._rests = {tier: Rest(parts.rng) for tier in Tier}
        self._prober = Prober(device, parts, self._source, self._mapper)
        self._session_since = 0.0
        self._last_polled = float("-inf")  # monotonic time of the last T0 poll that was answered
        self._seen_live = asyncio.Event()  # in this session
        self._tried = asyncio.Event()  # whether it was connected, or couldn't be

    async def run(self) -> None:
        """Poll until cancelled."""
        device = self.device
        log_fields.bind(device=device.name, device_id=device.device_id, tenant=device.tenant_id)
        self._missed.went_down(self._parts.clock.monotonic())
        try:
            await self._restore()
            await self._poll_for_ever()
        finally:
            await self._taking.finish()

    async def _restore(self) -> None:
        """Let the mapper know how things were called before mtd was started."""
        tables, self._tables = self._tables, {}
        for table, rows in tables.items():
            await in_slices(self._mapper.restoring(table, rows))

    async def _poll_for_ever(self) -> NoReturn:
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

    def interface_names(self) -> dict[str, tuple[str, str]]:
        """Return names and labels of the interfaces that are known, by their ids."""
        return self._mapper.things.names(INTERFACES)

    async def refresh_capabilities(self) -> ProbeFacts:
        """Probe the device now, and return what was found. SessionFailed if it doesn't answer."""
        if not self.connected:
            raise SessionFailed(Outcome.UNREACHABLE, f"{self.device.name} has no session at the moment")
        return await self._prober.probe_soon()

    async def poll_now(self, tiers: frozenset[Tier]) -> list[PolledTier]:
        """Poll tiers now, and return what came of each. Raises SessionFailed and PollTooSoon."""
        if not self.connected and self._failed is None:
            # It is being connected: whoever changed a device looks whether that helped.
            with suppress(TimeoutError):
                async with asyncio.timeout(_CONNECTS_WITHIN_S):
                    await self._tried.wait()
        if not self.connected:
            now = self._parts.clock.monotonic()
            raise no_session(self.device.name, self._failed, self._breaker, now, self._next_try)
        return await self._on_demand.poll(tiers)

    # -- one session ----------------------------------------------------------

    async def _session(self) -> NoReturn:
        """Open a session and poll until it fails; raise why it failed."""
        source = self._source
        gate = self._parts.retry_gate if self.health.failures else self._parts.fresh_gate
        while not self._parts.may_poll(self.device.device_id):  # noqa: ASYNC110 - seldom, and it ends by time
            await asyncio.sleep(_LEASE_CHECK_S)
        failure: SessionFailed | None = None
        try:
            async with gate:
                await source.connect()
            self._connected()
            async with asyncio.TaskGroup() as tasks:
                for tier in Tier:
                    tasks.create_task(self._poll_tier(tier))
                tasks.create_task(self._prober.run(self._run, self._hung))
        except* SessionFailed as failures:
            # One lost session fails every command in flight: the first tells as much as all.
            failure = next(_leaves(failures))
        finally:
            self._disconnected(failure)
            await source.close()
            self.account.session_ended(source.traffic)
        if failure is None:
            raise Bug("the tiers of a session ended without an error")
        self._follow_ways()
        raise failure

    def _connected(self) -> None:
        self.connected = True
        self._tried.set()
        now = self._parts.clock.monotonic()
        self._session_since = now
        self.account.logged_in(now)
        self._count_missed(self._missed.came_up(now))
        self._seen_live.clear()
        self._prober.session_began()
        self._mapper.session_restarted()
        self._follow_ways()

    def _follow_ways(self) -> None:
        """Tell if another way serves. It answers at its own pace, and may tell more or less."""
        standing = self._source.standing
        if standing is self._standing:
            return
        self._standing = standing
        if self._ways.follow(standing) and self.connected:
            self._mapper.session_restarted()
            self._prober.way_changed()

    def _disconnected(self, failure: SessionFailed | None) -> None:
        self._missed.went_down(self._parts.clock.monotonic())
        self.connected = False
        self._prober.session_ended()
        self._on_demand.session_ended(failure)

    async def _poll_tier(self, tier: Tier) -> NoReturn:
        clock = self._parts.clock
        interval = self._intervals_s[tier]
        if tier is not Tier.T0:
            await self._prober.tried.wait()
            await self._seen_live.wait()
        first_within = _FIRST_POLL_WITHIN_S.get(tier, interval)
        pacer = Pacer(interval, clock.monotonic() + self._parts.rng.random() * min(first_within, interval))
        spread = tier is Tier.T0
        while True:
            hurried = await self._on_demand.sleep(tier, pacer.next_due)
            reason = self._reason_to_skip(tier)
            if reason is not None:
                self._skip(tier, reason)
            elif tier is Tier.T0 or (spread and not hurried):
                await self._poll_traced(tier, pacer.next_due)
            else:
                async with self._parts.first_readings.of(tier):
                    await self._poll_traced(tier, clock.monotonic())
            if hurried and spread and clock.monotonic() < pacer.next_due:
                continue  # regular polls stay where they were
            passed = pacer.advance(clock.monotonic())
            if not spread:
                spread = True
                pacer.next_due = clock.monotonic() + interval * (0.5 + self._parts.rng.random())
            if passed:
                metrics.POLLS_SKIPPED.labels(tier=tier, reason="overrun").inc(passed)
                self.account.polls_skipped += passed
            if tier is Tier.T0 and reason is None:
                self._conditions.follow_slowness(passed, interval)

    def _skip(self, tier: Tier, reason: str) -> None:
        metrics.POLLS_SKIPPED.labels(tier=tier, reason=reason).inc()
        self.account.polls_skipped += 1
        self._on_demand.skipped(tier, reason)

    def _reason_to_skip(self, tier: Tier) -> str | None:
        if not self._parts.may_poll(self.device.device_id):
            return "lease_over"
        factor = self._pace(tier)
        self._due[tier] += 1
        if factor == 0 or self._due[tier] % factor:
            if tier is Tier.T0:
                text = "mtd can't write down what it polls fast enough: polling pauses; see its own state"
                self._conditions.set("pressure", Outcome.BUSY, text)
            return "pressure"
        if tier is Tier.T0:
            if self.health.degraded:
                self._conditions.clear("pressure")
            return None
        if self._conditions.cpu_is_high:
            return "cpu_guard"
        if self._parts.clock.monotonic() >= self._rests[tier].until:
            return None
        text = f"polls of tier {tier} rest: they were not answered while live polls were"
        self._conditions.set(f"resting.{tier}", Outcome.TIMED_OUT, text)
        return "resting"

    async def _poll_traced(self, tier: Tier, due: float) -> None:
        if not tracing.is_on():  # some thousand times a second
            await self._poll(tier, due)
            return
        with tracing.begin("poll", self._named[tier]):
            await self._poll(tier, due)

    async def _poll(self, tier: Tier, due: float) -> None:
        source = self._source
        if tier is not Tier.T0:
            await self._taking.ready(tier)
        commands = self._mapper.commands(tier)
        if not commands:
            if tier is Tier.T0:
                self._answered_live(self._parts.clock.monotonic())
                self._conditions.set("empty", Outcome.COMMAND_FAILED, "no plugin reads live values from it")
            self._on_demand.polled(tier, self._parts.clock.monotonic())
            return
        clock = self._parts.clock
        started = clock.monotonic()
        owners = self._mapper.owners(tier)
        try:
            asking = self._run_in_turns(tier, commands, owners)
            replies = await (tracing.around("ask", asking) if tracing.is_on() else asking)
            if tier is Tier.T0:
                expect_an_answer(replies)
        except SessionFailed as failure:
            metrics.POLLS_FAILED.labels(tier=tier, outcome=failure.outcome).inc()
            self.account.polls_failed += 1
            if tier is not Tier.T0 and self._hung(started):
                self._rests[tier].hung(clock.monotonic())
            raise
        now = clock.monotonic()
        self._follow_ways()
        # A reply that took long was counted by the router at an unknown moment of that time.
        late = now - started > self._intervals_s[tier] / 2
        observation = await self._taking.take(tier, replies, round((now - started) * 1e6), late=late)
        self.account.polled(now - started, source.traffic)
        metrics.POLLS_OF[tier].inc()
        metrics.POLL_SECONDS_OF[tier].observe(now - started)
        if observation.discarded_rates:
            metrics.RATES_DISCARDED.inc(observation.discarded_rates)
        if self._mapper.probe_wanted:
            self._mapper.probe_wanted = False
            self._prober.want()
        if tier is Tier.T0:
            metrics.LATENESS_SECONDS.observe(max(0.0, started - due))
            self._answered_live(now)
            self._conditions.follow_cpu(observation.frame)
        self._answered(tier, replies)
        self._on_demand.polled(tier, now, len(replies), now - started)

    async def _run_in_turns(
        self, tier: Tier, commands: Sequence[Command], owners: Mapping[Command, tuple[str, ...]]
    ) -> list[Reply]:
        """Run the commands of a poll: live ones together, others few at a time, so that live ones come between."""
        together = len(commands) if tier is Tier.T0 else _TOGETHER
        replies: list[Reply] = []
        for first in range(0, len(commands), together):
            turn = commands[first : first + together]
            replies += await self._run(turn, self.device.command_timeout_s, owners)
        return replies

    async def _run(
        self, commands: Sequence[Command], timeout_s: float, owners: Mapping[Command, tuple[str, ...]]
    ) -> list[Reply]:
        """Run commands, and count what they cost the router."""
        clock, account = self._parts.clock, self.account
        sent = account.sent(clock.monotonic())
        try:
            replies: list[Reply] = await self._source.run(commands, timeout_s)
        finally:
            busy_s = account.ended(clock.monotonic(), self._source.traffic, sent)
        account.costs.answered(replies, owners, busy_s)
        return replies

    def _answered_live(self, now: float) -> None:
        self._last_polled = now
        self._seen_live.set()
        self._ways.follow_condition(self._source.standing)
        if self.health.failures:
            logger.info("%s is polled again, after %d failures", self.device.name, self.health.failures)
            missed, self._missed_live = self._missed_live, 0
            self._conditions.report(self.health.succeeded(Tier.T0, missed=missed))
        else:
            self._conditions.report(self.health.succeeded(Tier.T0))
        # A session that ends soon after it began is a failure like those before.
        if self._backoff.failures and now - self._session_since > self._parts.settings.backoff_cap_s:
            self._backoff.reset()
            self._breaker.succeeded()

    def _answered(self, tier: Tier, replies: Sequence[Reply]) -> None:
        rest = self._rests[tier]
        if rest.until:
            rest.answered()
            self._conditions.clear(f"resting.{tier}")
        refused = [reply for reply in replies if reply.trap is not None]
        self._conditions.follow_refusals(tier, refused + self._mapper.set_aside(tier))

    def _hung(self, started: float) -> bool:
        """Whether live polls were answered since, so that what began then hung by itself."""
        return self._last_polled > started

    # -- between sessions -----------------------------------------------------

    async def _wait_after(self, failure: SessionFailed) -> None:
        now = self._parts.clock.monotonic()
        # Routers that one failed link took down together don't come back together.
        jitter = 1.0 + _JITTER * self._parts.rng.random()
        self._breaker.failed(now, self._parts.settings.breaker_open_s * jitter)
        delay = max(self._backoff.next_delay(), self._breaker.wait_s(now))
        # Not itself: it holds the frames that it came through, and a device that is back keeps this.
        self._failed, self._next_try = SessionFailed(failure.outcome, failure.reason), now + delay
        self._tried.set()
        self._count_missed(self._missed.advance(now))
        missed, self._missed_live = self._missed_live, 0
        report = self.health.failed(failure.outcome, failure.reason, missed=missed, retry_in_s=delay)
        # Each failure is an event; a line is written for the first of a row.
        level = logging.INFO if report.consecutive_failures == 1 else logging.DEBUG
        logger.log(
            level, "%s can't be polled: %s; next try in %.0f s", self.device.name, failure.reason, delay
        )
        self._conditions.report(report)
        await asyncio.sleep(delay)

    def _count_missed(self, missed: Mapping[Tier, int]) -> None:
        for tier, count in missed.items():
            metrics.POLLS_MISSED.labels(tier=tier).inc(count)
        self._missed_live += missed.get(Tier.T0, 0)


def _leaves(group: BaseExceptionGroup[SessionFailed]) -> Iterator[SessionFailed]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
