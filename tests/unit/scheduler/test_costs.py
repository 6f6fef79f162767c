"""What a router costs: shared out among those who asked, told per hour, and nothing twice."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.command import NOT_SERVED, Command, Reply, Rows, Trap
from mtd.scheduler.account import Account
from mtd.scheduler.costs import OWN, Cost, CostBook, summed
from mtd.scheduler.metrics import cost_counters

INTERFACES, RESOURCE, PROBE = (
    Command(path) for path in ("/interface/print", "/system/resource/print", "/x/print")
)
OWNERS = {INTERFACES: ("interfaces",), RESOURCE: ("system", "tools")}
Traffic = tuple[int, int, int]


def reply(command: Command, *, rows: int = 1, size: int = 100, sent: int = 40, took: float = 0.5) -> Reply:
    return Reply(command, Rows(rows), 0.0, 0, took, size, sent_bytes=sent)


def poll(book: CostBook, at: float, took: float, traffic: Traffic, *replies: Reply) -> None:
    """Send commands, and have their answers after some seconds."""
    sent = book.sent(at)
    book.answered(replies, OWNERS, book.ended(at + took, traffic, sent))


def rounded(cost: Cost) -> tuple[float, ...]:
    return tuple(
        round(value, 6)
        for value in (cost.commands, cost.received_bytes, cost.sent_bytes, cost.rows, cost.busy_s)
    )


def test_a_shared_command_is_shared_out_and_nothing_is_counted_twice() -> None:
    book = CostBook()
    interfaces = reply(INTERFACES, rows=30, size=900, took=0.2)
    poll(book, 0.0, 0.2, (2, 80, 1000), interfaces, reply(RESOURCE, took=0.1))
    found = book.by_category()
    assert rounded(found["interfaces"]) == (1, 900, 40, 30, 0.1)
    assert rounded(found["system"]) == rounded(found["tools"]) == (0.5, 50, 20, 0.5, 0.05)
    assert rounded(book.total()) == (2, 1000, 80, 31, 0.2)
    assert rounded(found[OWN]) == (0, 0, 0, 0, 0)


def test_what_no_collector_asked_for_is_our_own() -> None:
    """Logins, probes, and commands that were not answered."""
    book = CostBook()
    poll(book, 0.0, 1.0, (5, 500, 1100), reply(PROBE, rows=3))
    poll(book, 2.0, 5.0, (6, 540, 1100))
    assert rounded(book.by_category()[OWN]) == (6, 1100, 540, 3, 6)


def test_what_was_not_sent_costs_nothing() -> None:
    book = CostBook()
    unasked = reply(INTERFACES)
    unasked.trap = Trap("no words for it", NOT_SERVED)
    poll(book, 0.0, 1.0, (0, 0, 0), unasked)
    assert "interfaces" not in book.by_category()


def test_time_with_commands_of_two_tiers_counts_once_and_each_has_its_part() -> None:
    book = CostBook()
    slow = book.sent(10.0)
    fast = book.sent(11.0)
    book.answered([reply(RESOURCE)], OWNERS, book.ended(12.0, (1, 1, 1), fast))
    book.answered([reply(INTERFACES)], OWNERS, book.ended(14.0, (2, 2, 2), slow))
    assert book.total().busy_s == 4
    assert rounded(book.by_category()["interfaces"])[-1] == 3.5
    assert rounded(book.by_category()["system"])[-1] == 0.25
    poll(book, 20.0, 0.5, (3, 3, 3), reply(INTERFACES))
    assert book.total().busy_s == 4.5
    assert rounded(book.by_category()["interfaces"])[-1] == 4


def test_of_commands_sent_together_each_counts_while_it_is_the_one_waited_for() -> None:
    book = CostBook()
    poll(
        book,
        0.0,
        0.8,
        (3, 3, 3),
        *(reply(c, took=t) for c, t in ((INTERFACES, 0.7), (RESOURCE, 0.4), (INTERFACES, 0.2))),
    )
    # The last 0.1 s were not the router's: it is shared out like the rest.
    assert rounded(book.by_category()["interfaces"])[-1] == pytest.approx(0.5 * 0.8 / 0.7)
    assert rounded(summed(book.by_category().values()))[-1] == 0.8


def test_the_hour_is_the_last_one_or_as_much_as_there_was() -> None:
    book = CostBook()
    assert book.hourly(5.0).counted_s == 0.0
    sent = 0

    def minute(at: float) -> None:
        nonlocal sent
        sent += 1
        poll(book, at, 0.5, (sent, sent * 40, sent * 100), reply(INTERFACES))

    for number in range(10):
        minute(number * 60.0)
    found = book.hourly(600.0)
    assert found.counted_s == 600.0
    assert found.total.commands == pytest.approx(60)
    assert found.total.busy_s == pytest.approx(30)
    assert found.categories["interfaces"].received_bytes == pytest.approx(6000)
    for number in range(10, 600):
        minute(number * 60.0)
    minute(36_000.0)
    late = book.hourly(36_000.0)
    assert 3590 <= late.counted_s <= 4500
    assert late.total.commands == pytest.approx(60, rel=0.03)
    # It is polled no more: the last hour says so.
    quiet = book.hourly(36_000.0 + 3600.0)
    assert quiet.total.commands < 60


def test_a_category_that_comes_later_is_counted_from_then() -> None:
    book = CostBook()
    poll(book, 0.0, 0.0, (0, 0, 0))
    poll(book, 301.0, 0.5, (1, 40, 100), reply(INTERFACES))
    assert book.hourly(3600.0).categories["interfaces"].commands == pytest.approx(1)


def test_sessions_add_up_in_an_account() -> None:
    account = Account()
    account.ended(1.0, (3, 30, 300), account.sent(0.0))
    account.session_ended((4, 40, 400))
    account.ended(3.0, (1, 10, 100), account.sent(2.0))
    assert rounded(account.costs.total()) == (5, 500, 50, 0, 2)


def test_all_routers_together_are_a_metric_by_category() -> None:
    before = [counter.value for counter in cost_counters("interfaces")]
    book = CostBook()
    poll(book, 0.0, 0.25, (1, 40, 900), reply(INTERFACES, rows=30, size=900, took=0.25))
    after = [counter.value for counter in cost_counters("interfaces")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 900, 40, 30, 0.25]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([INTERFACES, RESOURCE, PROBE]),
            st.integers(0, 500),
            st.integers(0, 10**6),
            st.floats(0, 5),
            st.floats(0, 3),
        ),
        max_size=30,
    )
)
def test_categories_add_up_to_the_router(polls: list[tuple[Command, int, int, float, float]]) -> None:
    """Polls of any length, each begun some time after the one before, and ended in any order."""
    book = CostBook()
    begun, at = [], 0.0
    for command, rows, size, took, pause in polls:
        at += pause
        begun.append((at, at + took, reply(command, rows=rows, size=size, took=took)))
    steps = sorted(
        [(one[0], 0, one) for one in begun] + [(one[1], 1, one) for one in begun], key=lambda s: s[:2]
    )
    marks: dict[int, float] = {}
    commands = received = 0
    for now, ends, one in steps:
        if not ends:
            marks[id(one)] = book.sent(now)
            continue
        commands, received = commands + 1, received + one[2].size_bytes
        busy_s = book.ended(now, (commands, commands * 40, received), marks[id(one)])
        book.answered([one[2]], OWNERS, busy_s)
    total, parts = book.total(), summed(book.by_category().values())
    for name in ("commands", "received_bytes", "sent_bytes", "rows", "busy_s"):
        assert math.isclose(getattr(total, name), getattr(parts, name), rel_tol=1e-9, abs_tol=1e-6)
    assert total.busy_s <= at + 5
