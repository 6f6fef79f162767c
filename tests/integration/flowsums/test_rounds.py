"""Minutes and hours that are due become sums, exact at each level."""

from __future__ import annotations

import threading

import psycopg
import pytest

from mtd.flowsums import rounds as rounds_module
from mtd.flowsums.messages import RoundDone
from mtd.flowsums.rounds import Rounds
from mtd.flowsums.tally import Volume
from mtd.storage.cold.connection import ColdConnection, timestamp
from tests.integration.flowsums.kit import (
    DAY,
    DEVICE,
    HOUR,
    MARK,
    MINUTE,
    NOW,
    OTHER,
    TENANT,
    THEN,
    Account,
    Clock,
    S,
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
    stored,
    sum_up,
)
from tests.unit.flowsums.plain import block_of, told

OTHER_TENANT = "20000000-0000-4000-8000-000000000002"


def test_a_minute_and_its_hour(postgres_dsn: str) -> None:
    first, second, third = records_of(300), records_of(80, 1000), records_of(5, 7)
    put(postgres_dsn, THEN + 3 * MINUTE, first)
    put(postgres_dsn, THEN + 3 * MINUTE + 59 * S, second)
    put(postgres_dsn, THEN + 59 * MINUTE, third)
    put(postgres_dsn, THEN + 3 * MINUTE, third, OTHER)
    account = sum_up(postgres_dsn)
    assert account.summed == (3, 2)
    assert account.rounds[0].records == 390
    assert (account.rounds[0].mismatches, account.rounds[0].lag_s, account.failed) == (0, 0.0, [])
    assert plain(postgres_dsn, THEN + 3 * MINUTE) == expected(first + second)
    assert plain(postgres_dsn, THEN + 59 * MINUTE) == expected(third)
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(first + second + third)
    assert plain(postgres_dsn, THEN, "flow_sum_1h", OTHER) == expected(third)
    assert due(postgres_dsn) == []
    assert len(set(octets(postgres_dsn))) == 1
    # What tells nothing new changes nothing.
    assert sum_up(postgres_dsn).summed == (0, 0)


def test_a_block_that_comes_late_makes_its_minute_and_hour_anew(postgres_dsn: str) -> None:
    first, late = records_of(100), records_of(50, 2000)
    put(postgres_dsn, THEN + MINUTE, first)
    put(postgres_dsn, THEN + 2 * MINUTE, first)
    sum_up(postgres_dsn)
    put(postgres_dsn, THEN + MINUTE + 5, late)
    assert due(postgres_dsn) == [(60, THEN + MINUTE, DEVICE)]
    assert sum_up(postgres_dsn).summed == (1, 1)
    assert plain(postgres_dsn, THEN + MINUTE) == expected(first + late)
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(first + first + late)
    assert len(set(octets(postgres_dsn))) == 1


def test_minutes_wait_until_they_are_over_and_hours_for_their_minutes(postgres_dsn: str) -> None:
    minute = NOW - NOW % HOUR
    put(postgres_dsn, minute, records_of(3))
    end = minute + MINUTE
    assert sum_up(postgres_dsn, end + 14 * S).summed == (0, 0)
    assert sum_up(postgres_dsn, end + 15 * S).summed == (1, 0)
    assert due(postgres_dsn) == [(3600, minute, DEVICE)]
    # A minute that nobody has summed up yet holds up its hour; that of another device doesn't.
    put(postgres_dsn, minute + 59 * MINUTE, records_of(4))
    put(postgres_dsn, minute + 59 * MINUTE, records_of(5), OTHER)
    after = minute + HOUR + MINUTE + 30 * S
    assert sum_up(postgres_dsn, after - 1, config=settings(close_after_s=3000)).summed == (0, 0)
    assert sum_up(postgres_dsn, minute + HOUR + 15 * S).summed == (2, 0)
    assert sum_up(postgres_dsn, after - 1).summed == (0, 0)
    assert sum_up(postgres_dsn, after).summed == (0, 2)
    assert due(postgres_dsn) == []


def test_a_minute_of_which_more_comes_waits(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    account = sum_up(postgres_dsn, config=settings(late_wait_s=3600))
    assert account.summed == (0, 0)
    assert account.rounds[0].lag_s == (NOW - THEN - MINUTE) / S - 15
    ask(postgres_dsn, "UPDATE flow_due SET changed_at = now() - interval '2 hours'")
    assert sum_up(postgres_dsn, config=settings(late_wait_s=3600)).summed == (1, 1)


def test_the_largest_and_the_rest(postgres_dsn: str) -> None:
    many = [{"octets": n % 5000 + 1, "src_port": n % 65_536} for n in range(70_000)]
    put(postgres_dsn, THEN, many[:40_000])
    put(postgres_dsn, THEN + MINUTE, many[40_000:])
    sum_up(postgres_dsn)
    assert plain(postgres_dsn, THEN) == expected(many[:40_000])
    assert plain(postgres_dsn, THEN + MINUTE) == expected(many[40_000:])
    minute, hour = (stored(postgres_dsn, THEN, table) for table in ("flow_sum_1m", "flow_sum_1h"))
    assert len(minute["src_port"].amounts) == len(hour["src_port"].amounts) == 1000
    assert hour["src_port"].volume == hour["total"].volume == told(many)


def test_blocks_that_can_not_be_read_are_in_the_total_only(postgres_dsn: str) -> None:
    good = records_of(10)
    put(postgres_dsn, THEN, good)
    with connect(postgres_dsn) as connection:
        for block in (b"nonsense", block_of(good)[:-3]):
            store(connection, THEN, Volume(1000, 10, 5), block)
    account = sum_up(postgres_dsn)
    assert account.summed == (1, 1)
    (left_out,) = account.failed
    assert (left_out.reason, left_out.count, left_out.again) == ("block", 2, False)
    found = stored(postgres_dsn, THEN)
    assert found["total"].volume == told(good) + Volume(2000, 20, 10)
    assert found["protocol"].volume == told(good)
    assert len(set(octets(postgres_dsn))) == 1
    assert due(postgres_dsn) == []


def test_blocks_of_other_records_than_was_told_are_counted(postgres_dsn: str) -> None:
    make_partitions(postgres_dsn, THEN)
    with connect(postgres_dsn) as connection:
        store(connection, THEN, Volume(1, 2, 3), block_of(records_of(10)))
    assert sum_up(postgres_dsn).rounds[0].mismatches == 1
    assert stored(postgres_dsn, THEN)["total"].volume == Volume(1, 2, 3)
    assert stored(postgres_dsn, THEN)["protocol"].volume == told(records_of(10))


def test_sums_that_are_too_large_are_not_kept(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, [{"octets": 2**62, "src_port": 1}])
    put(postgres_dsn, THEN + MINUTE, [{"octets": 2**62 - 1, "src_port": 1}])
    assert sum_up(postgres_dsn).summed == (2, 1)
    assert stored(postgres_dsn, THEN, "flow_sum_1h")["total"].volume == Volume(2**63 - 1, 0, 2)
    # One more octet in an hour is too much, and another half in a minute.
    put(postgres_dsn, THEN + 2 * MINUTE, [{"octets": 1, "src_port": 1}])
    account = sum_up(postgres_dsn)
    assert account.summed == (1, 1)
    assert [(one.seconds, one.reason, one.again) for one in account.failed] == [(3600, "too_much", False)]
    assert stored(postgres_dsn, THEN, "flow_sum_1h") == {}
    put(postgres_dsn, THEN, [{"octets": 2**62, "src_port": 1}])
    account = sum_up(postgres_dsn)
    assert [(one.seconds, one.reason) for one in account.failed] == [(60, "too_much")]
    assert stored(postgres_dsn, THEN) == {}
    assert stored(postgres_dsn, THEN, "flow_sum_1h")["total"].volume == Volume(2**62, 0, 2)
    assert due(postgres_dsn) == []


def test_a_minute_without_its_blocks_has_no_sums(postgres_dsn: str) -> None:
    """As after a rebuild that doesn't find it in the log any more."""
    put(postgres_dsn, THEN, records_of(3))
    put(postgres_dsn, THEN + MINUTE, records_of(4))
    sum_up(postgres_dsn)
    ask(postgres_dsn, "DELETE FROM flow_block WHERE ts = %s", timestamp(THEN))
    ask(postgres_dsn, MARK, TENANT, DEVICE, timestamp(THEN))
    assert sum_up(postgres_dsn).summed == (1, 1)
    assert stored(postgres_dsn, THEN) == {}
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(4))


@pytest.mark.parametrize(
    "retention", [{"flows_days": 1}, {"flows_days": 3, "flow_sums_1m_days": 1}, None], ids=str
)
def test_what_is_too_late_changes_nothing(postgres_dsn: str, retention: dict[str, int] | None) -> None:
    """Not even sums whose blocks are dropped by now."""
    then = THEN - DAY
    put(postgres_dsn, then, records_of(3))
    put(postgres_dsn, then + MINUTE, records_of(4))
    sum_up(postgres_dsn)
    before = plain(postgres_dsn, then), plain(postgres_dsn, then, "flow_sum_1h")
    if retention is None:
        # Whatever the retention says, somebody dropped it.
        ((name,),) = ask(
            postgres_dsn,
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'flow_block'::regclass",
        )
        ask(postgres_dsn, f"DROP TABLE {name}")
    else:
        put(postgres_dsn, then, records_of(5))
    ask(postgres_dsn, MARK, TENANT, DEVICE, timestamp(then))
    account = sum_up(postgres_dsn, config=settings(retention))
    assert [(one.seconds, one.reason, one.again) for one in account.failed] == [(60, "too_late", False)]
    assert (plain(postgres_dsn, then), plain(postgres_dsn, then, "flow_sum_1h")) == before
    assert due(postgres_dsn) == []


def test_an_hour_whose_minutes_are_gone_stays(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    sum_up(postgres_dsn)
    ((name,),) = ask(
        postgres_dsn,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'flow_sum_1m'::regclass",
    )
    ask(postgres_dsn, f"DROP TABLE {name}")
    ask(
        postgres_dsn,
        MARK.replace("60, date_bin('1 minute'", "3600, date_bin('1 hour'"),
        TENANT,
        DEVICE,
        timestamp(THEN),
    )
    assert [one.reason for one in sum_up(postgres_dsn).failed] == ["too_late"]
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(3))
    assert due(postgres_dsn) == []


def test_what_fails_is_set_aside_and_holds_up_nobody(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(postgres_dsn, THEN, records_of(3))
    put(postgres_dsn, THEN + MINUTE, records_of(4))
    put(postgres_dsn, THEN, records_of(5), OTHER)
    monkeypatch.setattr(rounds_module, "AT_ONCE", 1)
    account, clock = Account(), Clock()
    with Rounds(postgres_dsn, settings(), account.messages.append, threading.Event(), clock=clock) as rounds:
        sum_up_bucket, broken = rounds._summer.sum_up, [True]

        def fail(bucket: object) -> object:
            if broken[0] and bucket.device_id == DEVICE and bucket.start_us == THEN:  # type: ignore[attr-defined]
                raise RuntimeError("broken")
            return sum_up_bucket(bucket)  # type: ignore[arg-type]

        monkeypatch.setattr(rounds._summer, "sum_up", fail)
        for _ in range(5):
            rounds.run()
        assert account.summed == (2, 1)
        assert [(one.reason, one.again, one.text) for one in account.failed] == [("bug", True, "broken")]
        assert account.rounds[-1].failing == 1
        assert due(postgres_dsn) == [(60, THEN, DEVICE), (3600, THEN, DEVICE)]
        # Tried again after a while.
        broken[0] = False
        clock.now += 700 * S
        assert (rounds.run().minutes, rounds.run().failing) == (1, 0)
    assert [record.exc_info is not None for record in caplog.records] == [True]
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(3) + records_of(4))


def test_rounds_are_bounded(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        put(postgres_dsn, THEN + n * MINUTE, records_of(1))
    monkeypatch.setattr(rounds_module, "AT_ONCE", 2)
    account = sum_up(postgres_dsn, times=3)
    assert [(one.minutes, one.more) for one in account.rounds] == [(2, True), (2, True), (1, False)]


def test_damaged_sums_of_a_minute_keep_their_hour_as_it_is(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    sum_up(postgres_dsn)
    put(postgres_dsn, THEN + MINUTE, records_of(4))
    ask(postgres_dsn, "UPDATE flow_sum_1m SET keys = '\\x00' WHERE dimension = 'src_as'")
    account = sum_up(postgres_dsn)
    assert [(one.seconds, one.reason, one.again) for one in account.failed] == [(3600, "damaged", True)]
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(3))
    assert due(postgres_dsn) == [(3600, THEN, DEVICE)]


def test_tenants_are_apart(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    put(postgres_dsn, THEN, records_of(4), OTHER, OTHER_TENANT)
    sum_up(postgres_dsn)
    assert plain(postgres_dsn, THEN, "flow_sum_1h", OTHER) == expected(records_of(4))
    tenants = "SELECT DISTINCT tenant_id::text, device_id::text FROM {} ORDER BY 1"
    for table in ("flow_sum_1m", "flow_sum_1h"):
        assert ask(postgres_dsn, tenants.format(table)) == [(TENANT, DEVICE), (OTHER_TENANT, OTHER)]


def test_a_device_of_two_tenants_can_t_be_and_is_told(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    sum_up(postgres_dsn)
    put(postgres_dsn, THEN, records_of(4), tenant=OTHER_TENANT)
    account = sum_up(postgres_dsn)
    assert [(one.tenant_id, one.reason, one.again) for one in account.failed] == [
        (OTHER_TENANT, "damaged", True)
    ]
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(3))


def test_a_partition_that_somebody_dropped_is_made_again(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    account = Account()
    with Rounds(
        postgres_dsn, settings(), account.messages.append, threading.Event(), clock=Clock()
    ) as rounds:
        rounds.run()
        for table in ("flow_sum_1m", "flow_sum_1h"):
            ((name,),) = ask(
                postgres_dsn,
                f"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '{table}'::regclass",
            )
            ask(postgres_dsn, f"DROP TABLE {name}")
        put(postgres_dsn, THEN, records_of(4))
        done: RoundDone = rounds.run()
    assert (done.minutes, done.hours, account.failed) == (1, 1, [])
    assert plain(postgres_dsn, THEN, "flow_sum_1h") == expected(records_of(3) + records_of(4))


def test_a_database_that_goes_away_ends_the_round(postgres_dsn: str) -> None:
    put(postgres_dsn, THEN, records_of(3))
    with Rounds(postgres_dsn, settings(), print, threading.Event(), clock=Clock()) as rounds:
        pid = rounds._connection.fetch("SELECT pg_backend_pid()")[0][0]
        with psycopg.connect(postgres_dsn) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(Exception, match="terminat|closed|connection"):
            rounds.run()
    assert due(postgres_dsn) == [(60, THEN, DEVICE)]
    assert isinstance(rounds._connection, ColdConnection)
