"""When an edge may poll, whatever the network, suspension and the hub do."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mtd.core.errors import Bug
from mtd.link.holding import Holding
from mtd.link.kept import TenantKey
from mtd.model.assignment import AssignedDevice
from mtd.security.pseudonyms import pseudonym_by
from tests.unit.link.devices_made import OTHER_TENANT, TENANT, assignment, device, exclusive, leased

MARGIN_S = 0.5
LEASE_S = 6.0
TENANTS = {TENANT: TenantKey(TENANT, b"k" * 32)}
LEASED, ALONE = device(1).device_id, device(2).device_id
SOON = st.sampled_from((0.0, 0.3, 2.0, LEASE_S + 0.1))
WAITS = st.sampled_from((0.3, 2.0, LEASE_S - MARGIN_S / 2, LEASE_S + 0.1))


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)


def held(clock: Hand, *devices: AssignedDevice) -> Holding:
    holding = Holding(MARGIN_S, clock)
    holding.take_tenants(TENANTS)
    holding.joined(1, clock.now, LEASE_S)
    holding.take(assignment(1, *devices))
    return holding


class Leases(RuleBasedStateMachine):
    """An edge and a hub with one clock: messages take as long as they like, and the hub gives away when it may.

    The hub holds by the time at which it heard; the edge by when it asked. ``ours``: no other collector polls the
    device that needs a lease.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Hand()
        self.holding = Holding(MARGIN_S, self.clock)
        self.holding.take_tenants(TENANTS)
        self.epoch = 1  # of the lease, at the hub
        self.end = 0.0
        self.ours = False
        self.released = True
        self.on_the_way: list[float] = []  # renewals, by when they were asked for
        self.answers: list[tuple[float, float]] = []
        self.linked = False

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def the_link_breaks(self) -> None:
        self.on_the_way, self.answers, self.linked = [], [], False

    @rule(there=SOON, back=SOON, told=st.booleans())
    def a_link_is_opened(self, there: float, back: float, told: bool) -> None:
        """It may be told what it is to poll, or the link breaks before."""
        self.the_link_breaks()
        asked = self.clock.now
        self.clock.now += there
        if self.clock.now >= self.end:
            self.epoch += 1
        self.end = max(self.end, self.clock.now + LEASE_S)
        epoch = self.epoch
        self.clock.now += back
        self.holding.joined(epoch, asked, LEASE_S)
        self.nothing_is_polled_that_another_has()
        self.linked = True
        if told:
            self.told()

    def told(self) -> None:
        """The hub tells all: that both are this edge's, if nobody else has them."""
        if self.clock.now >= self.end:
            return  # it takes part no more, and is told nothing
        self.ours, self.released = True, False
        self.holding.take(assignment(self.epoch, leased(1, self.epoch), exclusive(2)))

    @precondition(lambda self: self.linked)
    @rule()
    def withdrawn(self) -> None:
        self.holding.take(assignment(self.epoch, exclusive(2)))

    @precondition(lambda self: self.linked)
    @rule()
    def let_go(self) -> None:
        """Polling has ended: the hub hears of it."""
        if self.holding.release([LEASED]):
            self.released = True

    @precondition(lambda self: self.linked)
    @rule()
    def asks(self) -> None:
        self.on_the_way.append(self.clock.now)

    @precondition(lambda self: self.on_the_way)
    @rule()
    def the_hub_hears(self) -> None:
        asked = self.on_the_way.pop(0)
        if self.clock.now < self.end:  # else the lease is lost, and the hub ends the link
            self.end = max(self.end, self.clock.now + LEASE_S)
            self.answers.append((asked, LEASE_S))
        else:
            self.the_link_breaks()

    @precondition(lambda self: self.answers)
    @rule()
    def the_answer_comes(self) -> None:
        self.holding.leased(*self.answers.pop(0))

    def another_has_it_if_it_may(self) -> None:
        """The coordinator waits for nothing else than it has to."""
        if self.released or self.clock.now >= self.end:
            self.ours = False

    @invariant()
    def nothing_is_polled_that_another_has(self) -> None:
        self.another_has_it_if_it_may()
        if self.holding.may_poll(LEASED):
            assert self.ours, "two collectors poll it"
            assert self.clock.now < self.end, "its lease is over"
        elif LEASED in self.holding.allowed.devices:
            raise AssertionError("it is assigned, and mustn't be polled")

    @invariant()
    def what_is_polled_isnt_told_to_be_let_go(self) -> None:
        assert not (self.holding.to_tell.keys() & self.holding.assignment.devices.keys())

    @invariant()
    def what_needs_no_lease_is_always_polled(self) -> None:
        known = ALONE in self.holding.assignment.devices
        assert self.holding.may_poll(ALONE) == known
        assert (ALONE in self.holding.allowed.devices) == known


Leases.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLeases = Leases.TestCase


def test_a_lease_counts_from_when_it_was_asked_for_less_the_margin() -> None:
    clock = Hand()
    holding = held(clock, leased(1), exclusive(2))
    clock.now += LEASE_S - MARGIN_S - 0.001
    assert holding.may_poll(LEASED)
    clock.now += 0.001
    assert not holding.may_poll(LEASED)
    assert holding.may_poll(ALONE)
    assert holding.allowed == assignment(1, exclusive(2))
    holding.leased(clock.now - 2.0, LEASE_S)
    assert holding.lease_left_s == pytest.approx(LEASE_S - MARGIN_S - 2.0)
    assert holding.may_poll(LEASED)


def test_an_old_answer_shortens_no_lease() -> None:
    clock = Hand()
    holding = held(clock, leased(1))
    left_s = holding.lease_left_s
    holding.leased(clock.now - 3, LEASE_S)
    holding.leased(clock.now, 0.0)  # it can't be told now
    assert holding.lease_left_s == left_s


def test_what_is_withdrawn_is_recorded_until_it_is_let_go() -> None:
    holding = held(Hand(), leased(1, 7))
    holding.take(assignment(2))
    assert holding.may_poll(LEASED)
    assert holding.epoch_of(LEASED) == 7
    assert holding.release([LEASED])
    assert not holding.may_poll(LEASED)
    assert holding.epoch_of(LEASED) == 0
    assert holding.to_tell == {LEASED: 7}
    holding.noted({LEASED: 6})
    assert holding.to_tell == {LEASED: 7}
    holding.noted({LEASED: 7})
    assert holding.to_tell == {}


def test_what_is_given_back_meanwhile_isnt_let_go() -> None:
    holding = held(Hand(), leased(1, 7))
    holding.take(assignment(2))
    holding.take(assignment(3, leased(1, 8)))
    assert not holding.release([LEASED])
    assert holding.may_poll(LEASED)
    assert holding.epoch_of(LEASED) == 8


def test_after_another_lease_nothing_of_before_is_polled() -> None:
    """Others may have had what needed it, and have it still."""
    clock = Hand()
    holding = held(clock, leased(1), exclusive(2))
    holding.joined(2, clock.now, LEASE_S)
    assert not holding.may_poll(LEASED)
    assert holding.may_poll(ALONE)
    clock.now += LEASE_S
    holding.take(assignment(2, leased(1, 2)))
    holding.joined(2, clock.now, LEASE_S)
    assert not holding.may_poll(LEASED), "its lease was over, by its own clock at least"


def test_what_it_held_until_its_lease_was_over_and_isnt_told_again_was_let_go() -> None:
    """The hub, by whose clock the lease went on, waits for it."""
    clock = Hand()
    holding = held(clock, leased(1, 7), exclusive(2), leased(3, 5), leased(4, 6))
    holding.take(assignment(2, leased(1, 7), exclusive(2), leased(4, 6)))
    clock.now += LEASE_S - MARGIN_S / 2
    holding.joined(1, clock.now, LEASE_S)
    assert holding.to_tell == {}, "it may be told again, under the same epoch"
    # The link broke before anything was told.
    holding.joined(1, clock.now, LEASE_S)
    holding.take(assignment(3, leased(1, 7), exclusive(2)))
    assert holding.may_poll(LEASED)
    assert holding.to_tell == {device(3).device_id: 5, device(4).device_id: 6}


def test_what_is_given_again_under_its_epoch_isnt_told_to_be_let_go() -> None:
    clock = Hand()
    holding = held(clock, leased(1, 7))
    holding.let_go()
    assert holding.release([LEASED])
    holding.joined(2, clock.now, LEASE_S)
    holding.take(assignment(2, leased(1, 7)))
    assert holding.to_tell == {}


def test_devices_of_tenants_that_it_doesnt_serve_are_not_taken() -> None:
    holding = held(Hand(), leased(1), leased(3, tenant_id=OTHER_TENANT))
    assert list(holding.assignment.devices) == [LEASED]
    holding.take_tenants({})
    assert not holding.may_poll(LEASED) or LEASED not in holding.assignment.devices


def test_names_are_replaced_by_the_keys_of_their_tenants() -> None:
    holding = held(Hand(), leased(1))
    pseudonym = holding.pseudonym_of(TENANT)
    assert pseudonym is not None
    assert pseudonym("ali") == pseudonym_by(b"k" * 32)("ali")
    with pytest.raises(Bug):
        holding.pseudonym_of(OTHER_TENANT)
    holding.take_tenants({TENANT: TenantKey(TENANT, b"")})
    assert holding.pseudonym_of(TENANT) is None
    holding.take_tenants({TENANT: TenantKey(TENANT, b"z" * 32)})
    renewed = holding.pseudonym_of(TENANT)
    assert renewed is not None
    assert renewed("ali") != pseudonym("ali")


def test_only_what_needs_no_lease_survives_a_restart() -> None:
    holding = held(Hand(), leased(1), exclusive(2, 5))
    kept = holding.kept("collector-1")
    assert list(kept.devices) == [ALONE]
    again = Holding(MARGIN_S, Hand())
    again.restore(kept)
    assert again.may_poll(ALONE)
    assert again.epoch_of(ALONE) == 5
    assert not again.may_poll(LEASED)
    assert again.pseudonym_of(TENANT) is not None
