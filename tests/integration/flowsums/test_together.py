"""Who stores blocks and who sums them up, several at once: nothing is missed, nothing is there twice, and nobody waits long."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg.errors
import pytest

from mtd.flowsums import buckets
from mtd.flowsums.rounds import Rounds
from tests.integration.flowsums.kit import (
    DEVICE,
    MINUTE,
    OTHER,
    THEN,
    Account,
    Clock,
    ask,
    connect,
    due,
    expected,
    make_partitions,
    octets,
    plain,
    put,
    records_of,
    settings,
    store,
    sum_up,
)
from tests.unit.flowsums.plain import Record, block_of, told


@contextmanager
def at_step(monkeypatch: pytest.MonkeyPatch, step: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Hold up who sums up, once, before a step; gives what tells that it is there, and what lets it go on."""
    there, go_on = threading.Event(), threading.Event()
    whole = getattr(buckets, step)

    def held(*args: object) -> object:
        if not there.is_set():
            there.set()
            assert go_on.wait(20)
        return whole(*args)

    monkeypatch.setattr(buckets, step, held)
    yield there, go_on


@contextmanager
def summing(dsn: str) -> Iterator[Account]:
    """Do a round in a thread; it is over at the end."""
    accounts: list[Account] = []
    thread = threading.Thread(target=lambda: accounts.append(sum_up(dsn)))
    thread.start()
    account = Account()
    try:
        yield account
    finally:
        thread.join(30)
        account.messages += accounts[0].messages


def test_a_block_that_is_being_stored_is_not_waited_for(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    more = records_of(4)
    with connect(postgres_dsn) as connection:
        store(connection, THEN, told(more), block_of(more))
        assert sum_up(postgres_dsn).summed == (0, 0)
    assert sum_up(postgres_dsn).summed == (1, 1)
    assert plain(postgres_dsn, THEN) == expected([*records_of(3), *more])


def test_who_stores_does_not_wait_for_what_is_computed(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(postgres_dsn, THEN, records_of(3))
    more = records_of(4)
    with at_step(monkeypatch, "settle") as (there, go_on), summing(postgres_dsn) as account:
        assert there.wait(20)
        with connect(postgres_dsn) as connection:
            connection.execute("SET lock_timeout = 2000")
            store(connection, THEN, told(more), block_of(more))
        go_on.set()
    # What was computed without it is given up, and done again at once.
    assert account.summed == (1, 1)
    assert account.failed == []
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected([*records_of(3), *more])


def test_a_block_that_comes_while_sums_are_written_makes_them_due_again(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(postgres_dsn, THEN, records_of(3))
    more = records_of(4)
    with at_step(monkeypatch, "mark_hour") as (there, go_on), summing(postgres_dsn):
        assert there.wait(20)
        with connect(postgres_dsn) as connection:
            connection.execute("SET lock_timeout = 100")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                store(connection, THEN, told(more), block_of(more))
            connection.rollback()
            connection.execute("SET lock_timeout = 0")
            threading.Timer(0.2, go_on.set).start()
            store(connection, THEN, told(more), block_of(more))
    assert (60, THEN, DEVICE) in due(postgres_dsn)
    sum_up(postgres_dsn)
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected([*records_of(3), *more])
    assert due(postgres_dsn) == []


def test_two_are_not_at_the_same_minute(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(postgres_dsn, THEN, records_of(3))
    put(postgres_dsn, THEN + MINUTE, records_of(4))
    with at_step(monkeypatch, "settle") as (there, go_on), summing(postgres_dsn) as account:
        assert there.wait(20)
        assert sum_up(postgres_dsn).summed == (1, 0)
        go_on.set()
    assert account.summed == (1, 1)
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(3) + records_of(4))


def test_two_workers_and_late_blocks(postgres_dsn: str) -> None:
    """Blocks of few minutes from several writers at once, while two sum up all the time."""
    times = [THEN + minute * MINUTE for minute in range(4)]
    make_partitions(postgres_dsn, *times)
    written: dict[tuple[str, int], list[Record]] = {
        (device, us): [] for device in (DEVICE, OTHER) for us in times
    }
    lock, done, accounts = threading.Lock(), threading.Event(), [Account(), Account()]

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with connect(postgres_dsn) as connection:
            for n in range(12):
                # Like a projection's transaction: in the order of minutes, all or nothing.
                chosen = sorted(chance.sample(sorted(written), 3), key=lambda one: (one[1], one[0]))
                records = records_of(20, 1000 * seed + 20 * n)
                for device, us in chosen:
                    store(connection, us, told(records), block_of(records), device)
                if chance.random() < 0.2:
                    connection.rollback()
                    continue
                connection.commit()
                with lock:
                    for key in chosen:
                        written[key] += records

    def work(account: Account) -> None:
        with Rounds(
            postgres_dsn, settings(), account.messages.append, threading.Event(), clock=Clock()
        ) as rounds:
            while not done.is_set():
                rounds.run()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    workers = [threading.Thread(target=work, args=(account,)) for account in accounts]
    for thread in (*writers, *workers):
        thread.start()
    for thread in writers:
        thread.join(60)
    done.set()
    for thread in workers:
        thread.join(60)
    while due(postgres_dsn):
        sum_up(postgres_dsn)
    assert [account.failed for account in accounts] == [[], []]
    for (device, us), records in written.items():
        assert plain(postgres_dsn, us, device=device) == expected(records), (device, us)
    for device in (DEVICE, OTHER):
        whole = [record for us in times for record in written[device, us]]
        assert plain(postgres_dsn, THEN, "flow_sum_1h", device) == expected(whole)
    assert len(set(octets(postgres_dsn))) == 1
    assert ask(postgres_dsn, "SELECT count(*) FROM flow_due") == [(0,)]
