"""The seat of a process: what it may poll at each moment, whatever it hears of its hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import replace

from zope.interface import implementer
from zope.interface.verify import verifyObject

from mtd.coordination.config import CoordinationConfig
from mtd.coordination.interfaces import ICoordination, ISeat
from mtd.coordination.seat import LocalSeat
from mtd.core.errors import LeaseLost, Retryable, Superseded
from mtd.model.assignment import AssignedDevice, Assignment, CollectorFacts, Lease, Membership
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.testing import run_async

QUICK = CoordinationConfig(lease_s=1.0, renew_s=0.05, margin_s=0.1, check_s=0.05)
FACTS = CollectorFacts("a", "a", "00000000-0000-4000-8000-000000000001", None)
SHARED, ALONE = "shared", "alone"


class Moving:
    """A clock that goes on as time does, and is moved ahead by tests."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now_us(self) -> int:
        return 0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s


@implementer(ICoordination)
class ScriptedHub:
    """A hub that does as it is told."""

    def __init__(self, clock: Moving) -> None:
        self.clock = clock
        self.fails: Exception | None = None
        self.renews = True
        self.joins: list[bool] = []
        self.holds: list[str] = []
        self.told: list[Mapping[str, int]] = []
        self.revisions: list[int] = []
        self.left = 0
        self.assignment = self.assigned(ALONE, SHARED)
        self.changed = asyncio.Event()
        self.changed.set()

    @staticmethod
    def assigned(*names: str, epoch: int = 3, revision: int = 1, exclusive: bool = True) -> Assignment:
        devices = {
            name: AssignedDevice(
                Device(name, DEFAULT_TENANT_ID, name, "192.0.2.1", 8728, "u", "p"),
                epoch,
                exclusive and name == ALONE,
            )
            for name in names
        }
        return Assignment(revision, devices)

    def assign(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.changed.set()

    def _check(self) -> None:
        if self.fails is not None:
            raise self.fails

    def _membership(self) -> Membership:
        return Membership(FACTS, Lease("collector/a", "a/1", 1, self.clock.monotonic() + QUICK.lease_s))

    async def join(
        self, facts: CollectorFacts, *, resumes: bool = False, holds: Collection[str] = ()
    ) -> Membership:
        self.joins.append(resumes)
        self.holds = list(holds)
        self._check()
        self.changed.set()
        return self._membership()

    async def renew(self, membership: Membership) -> Membership:
        self._check()
        if not self.renews:
            raise Retryable("busy")
        return self._membership()

    async def leave(self, membership: Membership) -> None:
        self._check()
        self.left += 1

    async def assignments(self, membership: Membership) -> AsyncGenerator[Assignment, None]:
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield self.assignment

    async def applied(self, membership: Membership, revision: int) -> None:
        self.revisions.append(revision)

    async def released(self, membership: Membership, epochs: Mapping[str, int]) -> None:
        self._check()
        self.told.append(dict(epochs))


class Scene:
    """A seat, its hub, and somebody who polls what it assigns."""

    def __init__(self, config: CoordinationConfig = QUICK) -> None:
        self.clock = Moving()
        self.hub = ScriptedHub(self.clock)
        self.seat = LocalSeat(self.hub, FACTS, config, self.clock)
        self.polled: set[str] = set()

    async def poll(self) -> None:
        async for assignment in self.seat.assignments():
            gone = self.polled.union(self.seat.leaving()) - assignment.devices.keys()
            self.polled = set(assignment.devices)
            await self.seat.released(gone)

    def allowed(self) -> set[str]:
        return {name for name in (ALONE, SHARED) if self.seat.may_poll(name)}


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.002)


def with_seat(body: Callable[[Scene], object], config: CoordinationConfig = QUICK) -> None:
    async def main() -> None:
        scene = Scene(config)
        await scene.seat.start()
        polling = asyncio.create_task(scene.poll())
        try:
            await until(lambda: scene.allowed() == {ALONE, SHARED} and len(scene.polled) == 2)
            await body(scene)  # type: ignore[misc]
        finally:
            polling.cancel()
            await scene.seat.stop()

    run_async(main(), 60)


def test_both_sides_are_what_they_say() -> None:
    async def main() -> None:
        scene = Scene()
        verifyObject(ISeat, scene.seat)
        verifyObject(ICoordination, scene.hub)

    run_async(main())


def test_nothing_is_polled_that_was_not_assigned() -> None:
    async def body(scene: Scene) -> None:
        assert not scene.seat.may_poll("another")
        assert scene.seat.epoch_of("another") == 0
        assert scene.seat.epoch_of(SHARED) == 3
        assert scene.hub.revisions == [1]

    with_seat(body)


def test_a_time_that_passed_without_us_ends_the_lease_at_once() -> None:
    """As after SIGSTOP, or the suspension of the machine: before anything else is done."""

    async def body(scene: Scene) -> None:
        scene.hub.fails = Retryable("away")
        scene.clock.ahead_s += QUICK.lease_s
        assert scene.allowed() == {ALONE}
        scene.hub.fails = None
        await until(lambda: scene.allowed() == {ALONE, SHARED})

    with_seat(body)


def test_without_its_hub_it_polls_on_what_it_has_alone() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = Retryable("away")
        await until(lambda: scene.polled == {ALONE})
        assert scene.allowed() == {ALONE}
        assert "away" in scene.seat.failure
        scene.hub.fails = None
        await until(lambda: scene.polled == {ALONE, SHARED})
        assert scene.seat._failure == ""
        assert scene.hub.joins == [False]  # nobody took it: it goes on

    with_seat(body)


def test_an_operator_may_want_polling_rather_than_never_two_at_a_time() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = Retryable("away")
        await until(lambda: "away" in scene.seat._failure)
        scene.clock.ahead_s += QUICK.lease_s
        await asyncio.sleep(0.1)
        assert scene.allowed() == {ALONE, SHARED}
        assert scene.polled == {ALONE, SHARED}
        scene.hub.fails = LeaseLost("others have it")  # only this one was cut off
        await until(lambda: scene.polled == {ALONE})
        assert scene.allowed() == {ALONE}

    with_seat(body, QUICK.model_copy(update={"poll_without_store": True}))


def test_a_lost_lease_is_asked_for_anew() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = LeaseLost("others have it")
        await until(lambda: len(scene.hub.joins) > 1)
        assert scene.allowed() == {ALONE}
        scene.hub.assignment = scene.hub.assigned(ALONE, epoch=4, revision=2)
        scene.hub.fails = None
        await until(lambda: scene.seat.epoch_of(ALONE) == 4)
        # What it had is another one's now, however good the new lease is.
        assert scene.allowed() == {ALONE}
        assert set(scene.hub.joins[1:]) == {True}
        assert scene.hub.holds == [ALONE]

    with_seat(body)


def test_one_that_is_superseded_lets_go_of_all() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = Superseded("another process")
        await until(lambda: scene.polled == set())
        assert scene.allowed() == set()
        assert "another process" in scene.seat.failure

    with_seat(body)


def test_what_is_withdrawn_is_recorded_until_it_was_let_go() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = Retryable("busy")  # what is let go can't be told yet
        scene.hub.assign(scene.hub.assigned(ALONE, revision=2))
        await until(lambda: scene.polled == {ALONE})
        await until(lambda: not scene.seat.may_poll(SHARED))
        assert scene.hub.told == []
        scene.hub.fails = None
        await until(lambda: scene.hub.told == [{SHARED: 3}])

    with_seat(body)


def test_what_is_given_back_is_not_let_go_any_more() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = Retryable("busy")
        scene.hub.assign(scene.hub.assigned(ALONE, revision=2))
        await until(lambda: scene.polled == {ALONE})
        scene.hub.assign(scene.hub.assigned(ALONE, SHARED, epoch=5, revision=3))
        await until(lambda: scene.polled == {ALONE, SHARED})
        scene.hub.fails = None
        await until(lambda: scene.seat._failure == "" and scene.seat.may_poll(SHARED))
        await asyncio.sleep(0.1)
        assert scene.hub.told == []

    with_seat(body)


def test_what_is_withdrawn_while_the_lease_is_over_is_let_go() -> None:
    """It isn't polled then, and whoever is to poll it waits for that it is said."""

    async def body(scene: Scene) -> None:
        scene.hub.renews = False
        await until(lambda: scene.polled == {ALONE})
        for _ in range(20):
            await asyncio.sleep(0)
        assert scene.hub.told == []  # it is to have it again
        scene.hub.assign(scene.hub.assigned(ALONE, revision=2))
        await until(lambda: scene.hub.revisions[-1:] == [2])
        await until(lambda: scene.hub.told == [{SHARED: 3}])

    with_seat(body)


def test_what_is_withdrawn_before_it_was_told_is_let_go() -> None:
    async def body(scene: Scene) -> None:
        told = scene.hub.assigned(ALONE, SHARED, revision=2)
        scene.hub.assign(replace(told, releasing={"another": 7}))
        await until(lambda: scene.hub.told == [{"another": 7}])
        assert scene.allowed() == {ALONE, SHARED}

    with_seat(body)


def test_an_error_of_mtd_does_not_end_taking_part() -> None:
    async def body(scene: Scene) -> None:
        scene.hub.fails = ValueError("odd")
        await until(lambda: scene.seat._failure)
        assert "odd" in scene.seat._failure
        scene.hub.fails = None
        await until(lambda: len(scene.hub.joins) > 1 and scene.seat._failure == "")
        await until(lambda: scene.allowed() == {ALONE, SHARED})
        assert scene.hub.joins[-1], "it goes on"

    with_seat(body)


def test_a_stop_leaves() -> None:
    async def body(scene: Scene) -> None:
        await scene.seat.stop()
        assert scene.hub.left == 1
        assert scene.allowed() == set()

    with_seat(body)
