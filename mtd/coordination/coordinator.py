"""The coordinator: one process at a time that decides who polls what."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtd.coordination import metrics
from mtd.coordination.ends import Ends, Seen
from mtd.coordination.planning import Plan, Planner
from mtd.coordination.service import COORDINATOR, LEASES, TAKER, lease_name
from mtd.core.clock import LEASE_CLOCK, SYSTEM_CLOCK, Clock
from mtd.core.errors import Conflict, LeaseLost, MtdError
from mtd.core.service import TaskGroup
from mtd.model.assignment import Lease, LeaseState
from mtd.storage.stores.assignments import AssignmentStore, Picture
from mtd.storage.stores.memberships import ONLINE, MemberRow

if TYPE_CHECKING:
    from mtd.coordination.config import CoordinationConfig
    from mtd.coordination.interfaces import ILeaseStore
    from mtd.coordination.planning import Move

logger = logging.getLogger(__name__)

_SETTLE_S = 0.02  # what changes together is decided together
_TERM_WITHIN = 0.5  # of a lease
_SMALL = 200  # devices that are decided about within some milliseconds


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and seen: for who writes events of it. ``members``: all collectors, by id."""

    moves: Sequence[Move]
    came: Sequence[MemberRow]
    went: Sequence[MemberRow]
    members: Mapping[str, MemberRow]


@dataclass(slots=True)
class Standing:
    """How the coordinator of this process is."""

    active: bool = False
    failure: str = ""
    held: Mapping[str, int] = field(default_factory=dict)
    """How many devices wait for a collector that has them alone and isn't heard of, by its id."""
    unserved: int = 0
    """Devices that no collector may poll."""


class Coordinator:
    """Stands by until it gets the lease ``coordinator``, then decides until it loses it.

    ``process``: its name, and a word for this start of it; one that is started again takes over from what it was before.
    ``decided`` hears what was decided, ``began`` that this process decides from now on.
    """

    def __init__(
        self,
        leases: ILeaseStore,
        store: AssignmentStore,
        config: CoordinationConfig,
        process: tuple[str, str],
        decided: Callable[[Decision], None] = lambda _: None,
        began: Callable[[], None] = lambda: None,
        clock: Clock = LEASE_CLOCK,
    ) -> None:
        self._leases = leases
        self._store = store
        self._config = config
        self._process, instance = process
        self._holder = f"{self._process}/{instance}"
        self._taker = f"{TAKER}/{self._holder}"
        self._decided = decided
        self._began = began
        self._clock = clock
        self._planner = Planner()
        self._ends = Ends(config.lease_s, clock)
        self._changed = asyncio.Event()
        self._tasks = TaskGroup("coordinator")
        self._lease: Lease | None = None
        self._states: dict[str, str] = {}  # of collectors, as seen last
        self.standing = Standing()

    async def start(self) -> None:
        """Begin to stand by."""
        self._tasks.spawn("coordinate", self._run())

    async def stop(self) -> None:
        """Let others decide."""
        await self._tasks.stop()
        lease, self._lease = self._lease, None
        self._stand_by()
        if lease is not None:
            with contextlib.suppress(MtdError):
                await self._leases.release(lease)

    def look_again(self) -> None:
        """Something changed by which it is decided."""
        self._changed.set()

    # -- standing by -----------------------------------------------------------

    async def _run(self) -> None:
        await self._supersede()
        while True:
            try:
                self._lease = await self._leases.acquire(COORDINATOR, self._holder, self._config.lease_s)
                if self._lease is None:
                    self._ends.look(await self._leases.list(LEASES))
                else:
                    await self._lead()
                self.standing.failure = ""
            except LeaseLost as error:
                logger.warning("this process coordinates no more: %s", error)
            except MtdError as error:
                self._failed(str(error))
            except Exception as error:
                logger.exception("coordinating failed by an error of mtd")
                self._failed(f"by an error of mtd: {error!r}")
            self._stand_by()
            await asyncio.sleep(self._config.check_s)

    def _stand_by(self) -> None:
        self.standing.active = False
        metrics.COORDINATOR.set(0)

    async def _supersede(self) -> None:
        """End the lease of this process's last start: it can't be there any more."""
        with contextlib.suppress(MtdError):
            state = await self._leases.read(COORDINATOR)
            if state is not None and state.left_s > 0 and state.holder.rpartition("/")[0] == self._process:
                await self._leases.release(Lease(COORDINATOR, state.holder, state.epoch, 0.0))

    # -- deciding --------------------------------------------------------------

    async def _lead(self) -> None:
        """Decide as long as the lease is good, and the term is the newest. Raises LeaseLost."""
        term = await self._begin()
        logger.info("this process decides who polls what")
        self.standing.active = True
        metrics.COORDINATOR.set(1)
        self._began()
        self._changed.set()
        config, renew_at = self._config, self._clock.monotonic() + self._config.renew_s
        next_s = 0.0
        while self._lease is not None:
            wait_s = min(next_s, config.check_s, max(0.0, renew_at - self._clock.monotonic()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
                    await asyncio.sleep(_SETTLE_S)
            if self._clock.monotonic() >= renew_at:
                renew_at = self._clock.monotonic() + config.renew_s
                self._lease = await self._leases.renew(self._lease, config.lease_s)
            next_s = await self._decide(term)

    async def _begin(self) -> int:
        """Begin a term, and see that the lease is still held: who began one and lost it decides nothing."""
        assert self._lease is not None
        lease_s = self._config.lease_s
        # Who waited for longer than its lease would take the term from the one who has the lease by then.
        term = await self._store.begin_term(self._holder, lease_s * _TERM_WITHIN)
        self._lease = await self._leases.renew(self._lease, lease_s)
        return term

    async def _decide(self, term: int) -> float:
        """Look, and decide if anything changed; return the seconds until a lease could be over."""
        online = [key for key, state in self._states.items() if state == ONLINE]
        seen = await self._look(online)
        changed = self._changed.is_set()
        self._changed.clear()
        if not changed and not any(lease_name(key) in seen.over for key in online):
            return seen.next_s
        try:
            picture = await self._store.picture()
            await self._decide_by(picture, term)
        except Conflict as conflict:
            metrics.PLANS.labels(result="outdated").inc()
            logger.debug("deciding again: %s", conflict)
            self._changed.set()
        except BaseException:
            self._changed.set()
            raise
        return seen.next_s

    async def _decide_by(self, picture: Picture, term: int) -> None:
        members = picture.members
        online = {key for key, member in members.items() if member.state == ONLINE}
        over = (await self._look(online)).over
        taken = await self._take([key for key in online if lease_name(key) in over])
        try:
            gone = [lease.name.removeprefix(LEASES) for lease in taken]
            plan = await self._plan(picture, online.difference(gone))
            if plan.changes or gone:
                await self._store.commit(term, picture, plan.changes, gone)
        finally:
            await self._give_back(taken)
        metrics.PLANS.labels(result="done").inc()
        self._tell(picture, plan, gone)

    async def _look(self, online: Collection[str]) -> Seen:
        """Look at all leases; a collector that should have one, and has none, is as one whose lease is over."""
        states = {state.name: state for state in await self._leases.list(LEASES)}
        for name in map(lease_name, online):
            states.setdefault(name, LeaseState(name, "", 0, 0.0))
        return self._ends.look(list(states.values()))

    async def _take(self, collectors: Sequence[str]) -> list[Lease]:
        """Take the leases that are over, so that their collectors, if they are still there, know that they lost them."""
        taken: list[Lease] = []
        try:
            for key in collectors:
                lease = await self._leases.acquire(lease_name(key), self._taker, self._config.lease_s)
                if lease is not None:
                    taken.append(lease)
        except BaseException:
            await self._give_back(taken)
            raise
        return taken

    async def _give_back(self, taken: Sequence[Lease]) -> None:
        for lease in taken:
            with contextlib.suppress(MtdError):  # it ends by itself
                await self._leases.release(lease)

    async def _plan(self, picture: Picture, alive: Collection[str]) -> Plan:
        now_s = SYSTEM_CLOCK.now_us() // 1_000_000
        if len(picture.devices) <= _SMALL:
            return self._planner.plan(picture, alive, now_s)
        return await asyncio.to_thread(self._planner.plan, picture, alive, now_s)

    def _tell(self, picture: Picture, plan: Plan, gone: Collection[str]) -> None:
        states = {key: "offline" if key in gone else one.state for key, one in picture.members.items()}
        before, self._states = self._states, states
        # Who went before this process began to decide was told of by another.
        came = [
            picture.members[key]
            for key, state in states.items()
            if state == ONLINE and before.get(key, ONLINE) != ONLINE
        ]
        went = [
            picture.members[key]
            for key, state in states.items()
            if key in gone or (state != ONLINE and before.get(key) == ONLINE)
        ]
        self.standing.held = Counter(plan.held.values())
        self.standing.unserved = len(plan.unserved)
        self.standing.failure = ""
        self._measure(plan, states)
        if plan.moves or came or went:
            self._decided(Decision(plan.moves, came, went, picture.members))

    @staticmethod
    def _measure(plan: Plan, states: Mapping[str, str]) -> None:
        for move in plan.moves:
            metrics.MOVES.labels(reason=move.reason).inc()
        metrics.DEVICES.clear()
        for key in states:
            if states[key] == ONLINE or plan.polled[key]:
                metrics.DEVICES.labels(collector=key).set(plan.polled[key])
        counts = Counter(states.values())
        for state in ("online", "offline", "left"):
            metrics.COLLECTORS.labels(state=state).set(counts[state])
        metrics.WAITING.labels(reason="collector_away").set(len(plan.held))
        metrics.WAITING.labels(reason="no_collector").set(len(plan.unserved))

    def _failed(self, failure: str) -> None:
        if failure != self.standing.failure:
            logger.warning("who polls what can't be decided: %s", failure)
        self.standing.failure = failure
