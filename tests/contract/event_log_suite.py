"""What every event log must do, whatever it is made of.

A backend's tests subclass :class:`EventLogSuite`, say how a log is made, and
may add what is theirs alone. A log made twice in one folder is the same log.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from mtd.core.errors import Refused
from mtd.eventlog.errors import LogUnavailable, PositionBeyondEnd, SourceStored
from mtd.eventlog.interfaces import IEventLog, LoggedBatch, Source
from mtd.pb.events.v1.envelope_pb2 import Envelope
from tests.contract.loop import run as run_async

TENANT = "00000000-0000-4000-8000-000000000001"
DEVICE = "10000000-0000-4000-8000-000000000001"


def make_event(number: int, padding: int = 0) -> Envelope:
    """Return an event that is recognised by its number."""
    event = Envelope(tenant_id=TENANT, collector_id="c1", device_id=DEVICE, collected_at_us=number)
    event.state_changed.event_type = "test.changed"
    event.state_changed.new_value = "x" * padding
    return event


def make_events(first: int, count: int, padding: int = 0) -> list[Envelope]:
    return [make_event(number, padding) for number in range(first, first + count)]


def numbers(batches: list[LoggedBatch]) -> list[int]:
    """Return the numbers of events, in the order they were read."""
    return [event.collected_at_us for batch in batches for event in batch.events]


async def collect(log: IEventLog, after: int, until: int) -> list[LoggedBatch]:
    """Return what a subscription yields up to a position."""
    batches: list[LoggedBatch] = []
    subscription = log.subscribe(after)
    async with asyncio.timeout(10), contextlib.aclosing(subscription):  # type: ignore[type-var]
        async for batch in subscription:
            batches.append(batch)
            if batch.last_seq >= until:
                break
    return batches


class EventLogSuite:
    """The tests. ``new_log`` is what a backend provides."""

    def new_log(self, folder: Path, **limits: int) -> IEventLog:
        """Return a log that isn't started; ``limits`` are ``max_bytes`` and ``tail_bytes``."""
        raise NotImplementedError

    def run(self, folder: Path, body: Callable[[IEventLog], Awaitable[None]], **limits: int) -> None:
        """Run a test's body with an open log."""

        async def main() -> None:
            log = self.new_log(folder, **limits)
            await log.start()
            try:
                async with asyncio.timeout(20):
                    await body(log)
            finally:
                await log.stop()

        run_async(main())

    # -- appending ---------------------------------------------------------------

    def test_provides_the_interface(self, tmp_path: Path) -> None:
        verifyObject(IEventLog, self.new_log(tmp_path))

    def test_positions_start_at_one_and_have_no_holes(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            results = [await log.append(make_events(n * 10, n)) for n in (1, 3, 2)]
            assert [(r.first_seq, r.last_seq, r.duplicate) for r in results] == [
                (1, 1, False),
                (2, 4, False),
                (5, 6, False),
            ]

        self.run(tmp_path, body)

    def test_batches_appended_at_once_do_not_interleave(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            sent = {n: make_events(n * 100, n) for n in range(1, 30)}
            results = await asyncio.gather(*(log.append(events) for events in sent.values()))
            for events, result in zip(sent.values(), results, strict=True):
                (found, *_) = await log.read(result.first_seq - 1, len(events))
                assert (found.first_seq, found.last_seq) == (result.first_seq, result.last_seq)
                assert list(found.events) == events

        self.run(tmp_path, body)

    def test_an_empty_batch_is_refused(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            with pytest.raises(Refused):
                await log.append([])
            assert log.stats().last_seq == 0

        self.run(tmp_path, body)

    def test_a_batch_above_the_cap_is_refused_and_others_are_not(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            too_large = log.append(make_events(1, 1, padding=20_000))
            results = await asyncio.gather(too_large, log.append(make_events(2, 1)), return_exceptions=True)
            assert isinstance(results[0], Refused)
            assert numbers(await log.read(0, 10)) == [2]

        self.run(tmp_path, body, max_bytes=10_000)

    def test_appending_to_a_closed_log_is_unavailable(self, tmp_path: Path) -> None:
        async def main() -> None:
            log = self.new_log(tmp_path)
            await log.start()
            await log.stop()
            with pytest.raises(LogUnavailable):
                await log.append(make_events(1, 1))
            with pytest.raises(LogUnavailable):
                await log.read(0, 1)
            assert (log.stats().available, log.stats().reason) == (False, "closed")

        run_async(main())

    # -- once --------------------------------------------------------------------

    def test_a_batch_id_is_stored_once(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            first = await log.append(make_events(1, 3), b"a")
            await log.append(make_events(4, 1), b"b")
            again = await log.append(make_events(1, 3), b"a")
            assert (again.first_seq, again.last_seq, again.duplicate) == (
                first.first_seq,
                first.last_seq,
                True,
            )
            assert numbers(await log.read(0, 100)) == [1, 2, 3, 4]

        self.run(tmp_path, body)

    def test_a_batch_id_sent_twice_at_once_is_stored_once(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            results = await asyncio.gather(*(log.append(make_events(1, 2), b"same") for _ in range(5)))
            assert {(r.first_seq, r.last_seq) for r in results} == {(1, 2)}
            assert sum(not r.duplicate for r in results) == 1
            assert numbers(await log.read(0, 100)) == [1, 2]

        self.run(tmp_path, body)

    def test_events_of_another_log_are_stored_once(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            assert await log.stored_from("edge") == []
            await log.append(make_events(1, 3), source=Source("edge", 1, 3))
            await log.append(make_events(7, 2), source=Source("edge", 7, 8))
            for first, last in ((1, 3), (3, 4), (8, 9), (2, 7)):
                with pytest.raises(SourceStored):
                    await log.append(make_events(first, last + 1 - first), source=Source("edge", first, last))
            assert await log.stored_from("edge") == [(1, 3), (7, 8)]
            await log.append(make_events(4, 3), source=Source("edge", 4, 6))
            await log.append(make_events(1, 1), source=Source("other", 1, 1))
            assert await log.stored_from("edge") == [(1, 8)]
            assert await log.stored_from("other") == [(1, 1)]
            assert numbers(await log.read(0, 100)) == [1, 2, 3, 7, 8, 4, 5, 6, 1]

        self.run(tmp_path, body)

    def test_of_the_same_events_at_once_one_batch_is_stored(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            results = await asyncio.gather(
                *(log.append(make_events(1, 2), source=Source("edge", 1, 2)) for _ in range(5)),
                return_exceptions=True,
            )
            assert sum(isinstance(result, SourceStored) for result in results) == 4
            assert numbers(await log.read(0, 100)) == [1, 2]

        self.run(tmp_path, body)

    def test_what_came_from_another_log_is_known_after_it_was_trimmed(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 3), source=Source("edge", 1, 3))
            await log.trim(4)
            assert log.stats().first_seq == 4
            with pytest.raises(SourceStored):
                await log.append(make_events(2, 1), source=Source("edge", 2, 2))

        self.run(tmp_path, body)

    def test_batches_without_id_are_never_taken_for_each_other(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 1))
            await log.append(make_events(1, 1))
            assert numbers(await log.read(0, 100)) == [1, 1]

        self.run(tmp_path, body)

    # -- reading -----------------------------------------------------------------

    def test_reading_gives_back_what_was_appended(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            events = make_events(7, 5, padding=100)
            await log.append(events)
            (batch,) = await log.read(0, 100)
            assert list(batch.events) == events
            assert [seq for seq, _ in batch.numbered()] == [1, 2, 3, 4, 5]
            assert batch.appended_us > 0

        self.run(tmp_path, body)

    def test_reading_from_the_middle_of_a_batch(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 5))
            await log.append(make_events(6, 5))
            batches = await log.read(3, 100)
            assert [(b.first_seq, b.last_seq) for b in batches] == [(4, 5), (6, 10)]
            assert numbers(batches) == [4, 5, 6, 7, 8, 9, 10]

        self.run(tmp_path, body)

    def test_a_read_is_limited_but_always_gets_on(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            for first in (1, 6, 11):
                await log.append(make_events(first, 5))
            assert numbers(await log.read(0, 1)) == [1, 2, 3, 4, 5]
            assert len(numbers(await log.read(0, 10))) == 10
            assert len(numbers(await log.read(0, 14))) == 10
            assert await log.read(15, 10) == []

        self.run(tmp_path, body)

    def test_a_position_beyond_the_end_is_refused(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 2))
            with pytest.raises(PositionBeyondEnd):
                await log.read(3, 10)
            with pytest.raises(PositionBeyondEnd):
                await anext(log.subscribe(3))

        self.run(tmp_path, body)

    # -- subscribing ---------------------------------------------------------------

    def test_a_subscriber_gets_old_and_new_in_order(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 3))
            reading = asyncio.create_task(collect(log, 1, 30))
            for first in range(4, 31, 3):
                await log.append(make_events(first, 3))
            assert numbers(await reading) == list(range(2, 31))

        self.run(tmp_path, body)

    def test_a_subscriber_waits_for_the_first_event(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            reading = asyncio.create_task(collect(log, 0, 1))
            await asyncio.sleep(0.02)
            assert not reading.done()
            await log.append(make_events(1, 1))
            assert numbers(await reading) == [1]

        self.run(tmp_path, body)

    def test_subscribers_do_not_take_from_each_other(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            readings = [asyncio.create_task(collect(log, 0, 20)) for _ in range(3)]
            for first in range(1, 21):
                await log.append(make_events(first, 1))
            for reading in readings:
                assert numbers(await reading) == list(range(1, 21))

        self.run(tmp_path, body)

    @pytest.mark.parametrize("tail_bytes", [0, 1500, 10_000_000])
    def test_a_slow_subscriber_misses_nothing(self, tmp_path: Path, tail_bytes: int) -> None:
        async def body(log: IEventLog) -> None:
            subscription = log.subscribe(0)
            await log.append(make_events(1, 1, padding=500))
            found = numbers([await anext(subscription)])
            for first in range(2, 22):
                await log.append(make_events(first, 1, padding=500))
            while len(found) < 21:
                found += numbers([await anext(subscription)])
            assert found == list(range(1, 22))

        self.run(tmp_path, body, tail_bytes=tail_bytes)

    def test_subscriptions_end_when_the_log_stops(self, tmp_path: Path) -> None:
        async def main() -> None:
            log = self.new_log(tmp_path)
            await log.start()

            async def read_all() -> list[LoggedBatch]:
                return [batch async for batch in log.subscribe(0)]

            reading = asyncio.create_task(read_all())
            await log.append(make_events(1, 2))
            await asyncio.sleep(0.02)
            await log.stop()
            async with asyncio.timeout(5):
                assert numbers(await reading) == [1, 2]

        run_async(main())

    # -- trimming ------------------------------------------------------------------

    def test_trimming_takes_whole_batches_in_front_of_a_position(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            for first in (1, 4, 7):
                await log.append(make_events(first, 3))
            assert await log.trim(6) == 4
            assert numbers(await log.read(0, 100)) == [4, 5, 6, 7, 8, 9]
            assert log.stats().first_seq == 4
            assert log.stats().events == 6
            assert await log.trim(7) == 7

        self.run(tmp_path, body)

    def test_positions_go_on_after_everything_was_trimmed(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 3))
            assert await log.trim(100) == 4
            assert log.stats().events == 0
            assert await log.read(0, 10) == []
            assert (await log.append(make_events(4, 1))).first_seq == 4
            assert numbers(await log.read(0, 10)) == [4]
            assert (await log.verify()).ok

        self.run(tmp_path, body, tail_bytes=0)

    def test_a_subscriber_goes_on_behind_what_was_trimmed(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            await log.append(make_events(1, 3))
            await log.trim(100)
            reading = asyncio.create_task(collect(log, 0, 5))
            await asyncio.sleep(0.02)
            await log.append(make_events(4, 2))
            assert numbers(await reading) == [4, 5]

        self.run(tmp_path, body)

    def test_trimming_stays_behind_the_slowest_consumer(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            for first in (1, 4, 7):
                await log.append(make_events(first, 3))
            log.pin("fast", 9)
            log.pin("slow", 3)
            assert await log.trim(100) == 4
            log.pin("slow", 8)
            assert await log.trim(100) == 7
            log.unpin("slow")
            assert await log.trim(100) == 10
            assert log.stats().consumers == {"fast": 9}

        self.run(tmp_path, body)

    def test_a_consumer_that_begins_anew_holds_what_is_left(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            for first in (1, 4):
                await log.append(make_events(first, 3))
            log.pin("latest", 6)
            log.pin("latest", 0)
            assert await log.trim(100) == 1

        self.run(tmp_path, body)

    # -- limits --------------------------------------------------------------------

    def test_over_quota_the_oldest_give_way_if_nobody_needs_them(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            for number in range(1, 31):
                await log.append(make_events(number, 1, padding=1000))
            stats = log.stats()
            assert stats.last_seq == 30
            assert stats.stored_bytes <= 10_000
            assert 20 < stats.first_seq < 30
            assert (await log.verify()).ok

        self.run(tmp_path, body, max_bytes=10_000)

    def test_over_quota_nothing_is_taken_while_a_consumer_needs_the_oldest(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            log.pin("projection", 0)
            sent = [
                log.append(make_events(number, 1, padding=1000), b"%d" % number) for number in range(1, 31)
            ]
            results = await asyncio.gather(*sent, return_exceptions=True)
            accepted = sum(not isinstance(result, Exception) for result in results)
            assert 0 < accepted < 10
            assert all(isinstance(result, LogUnavailable) for result in results[accepted:])
            with pytest.raises(LogUnavailable, match="quota"):
                await log.append(make_events(99, 1, padding=1000))
            assert log.stats().last_seq == accepted
            assert numbers(await log.read(0, 100)) == list(range(1, accepted + 1))
            # The consumer gets on, and so does the log.
            log.pin("projection", 2)
            result = await log.append(make_events(accepted + 1, 1, padding=1000), b"%d" % (accepted + 1))
            assert result.first_seq == accepted + 1
            assert log.stats().available
            assert (await log.verify()).ok

        self.run(tmp_path, body, max_bytes=10_000)

    # -- looking at it -------------------------------------------------------------

    def test_verifying_counts_what_is_there(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            for first in (1, 4, 7):
                await log.append(make_events(first, 3))
            seen: list[tuple[int, int]] = []
            report = await log.verify(lambda done, total: seen.append((done, total)))
            assert report.ok
            assert (report.first_seq, report.last_seq, report.batches, report.events) == (1, 9, 3, 9)
            assert report.log_id == log.log_id
            assert dict(report.events_by_kind) == {"state_changed": 9}
            await asyncio.sleep(0)
            assert seen[-1] == (9, 9)

        self.run(tmp_path, body)

    def test_stats_tell_the_state(self, tmp_path: Path) -> None:
        async def body(log: IEventLog) -> None:
            empty = log.stats()
            assert (empty.first_seq, empty.last_seq, empty.events, empty.oldest_us) == (1, 0, 0, 0)
            await log.append(make_events(1, 3))
            await log.append(make_events(4, 1))
            stats = log.stats()
            assert (stats.first_seq, stats.last_seq, stats.events, stats.batches) == (1, 4, 4, 2)
            assert 0 < stats.oldest_us <= stats.newest_us
            assert stats.stored_bytes > 100
            assert stats.available
            assert stats.waiting_batches == 0

        self.run(tmp_path, body)
