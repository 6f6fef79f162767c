"""What one router sends costs the process little, and the other routers nothing."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Sequence

import pytest

from mtd.codec.routeros import Answer, Decoder, PatternCache, ProtocolDamaged, Stamp
from mtd.codec.routeros.patterns import LONGEST_KEY, compile_pattern, effort
from mtd.codec.routeros.shapes import MOST_EFFORT, TAG, ShapeBook
from mtd.model.command import Command
from tests.unit.codec.oracle import sentence

COMMAND = Command("/interface/print", (".id", "name", "rx-byte", "tx-byte"))
DONE = sentence(b"!done", b".tag=1")


def rows(keys: Sequence[bytes], count: int = 1) -> bytes:
    words = [b"=" + key + b"=%d" % place for place, key in enumerate(keys)]
    return sentence(b"!re", b".tag=1", *words) * count


class Router:
    """One router's stream: each poll is asked for, fed and answered."""

    def __init__(self, patterns: PatternCache) -> None:
        self.decoder = Decoder(patterns=patterns)
        self.now = 0.0
        self.slowest_s = 0.0

    def poll(self, data: bytes) -> int:
        """Feed an answer, and return how many of its rows were read word by word."""
        self.decoder.expect(b"1", COMMAND)
        before = self.decoder.counts.slow_rows
        self.now += 1.0
        started = time.thread_time()
        events = self.decoder.feed(data + DONE, Stamp(self.now, 0))
        self.slowest_s = max(self.slowest_s, time.thread_time() - started)
        assert [type(event) for event in events] == [Answer]
        return self.decoder.counts.slow_rows - before


NORMAL = (b".id", b"name", b"rx-byte", b"tx-byte")
ORDERS = (
    (b"tx-byte", b"rx-byte", b"name", b".id"),
    (b"rx-byte", b".id", b"tx-byte", b"name"),
    (b"name", b"tx-byte", b".id", b"rx-byte"),
    (b"tx-byte", b"name", b"rx-byte", b".id"),
    (b"rx-byte", b"tx-byte", b".id", b"name"),
    (b"name", b".id", b"tx-byte", b"rx-byte"),
)


def test_nothing_of_long_keys_stays_once_they_are_answered() -> None:
    patterns = PatternCache()
    gc.collect()
    tracemalloc.start()
    try:
        router = Router(patterns)
        for number in range(20):
            # Ever new ones, and the same in each.
            router.poll(rows([b"k" * 400_000, b"%d-" % number + b"k" * 400_000]))
        gc.collect()
        retained, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert retained < 500_000
    assert len(patterns.book(COMMAND)) == 0


def test_keys_too_long_for_a_pattern_are_not_learned() -> None:
    patterns = PatternCache()
    assert Router(patterns).poll(rows([b"k" * LONGEST_KEY], 40)) == 8
    assert Router(patterns).poll(rows([b"l" * (LONGEST_KEY + 1)], 40)) == 40


def test_a_key_too_long_for_a_pattern_spoils_nobody_s() -> None:
    patterns = PatternCache()
    hostile, normal = Router(patterns), Router(patterns)
    normal.poll(rows(NORMAL, 40))
    hostile.poll(rows((*NORMAL, b"k" * (LONGEST_KEY + 1)), 10))
    for _ in range(3):
        normal.poll(rows(NORMAL, 40) + rows((*NORMAL, b"comment"), 40))
    assert normal.poll(rows(NORMAL, 40) + rows((*NORMAL, b"comment"), 40)) == 0


def test_a_router_of_contradicting_orders_does_not_slow_the_others() -> None:
    patterns = PatternCache()
    hostile, normal = Router(patterns), Router(patterns)
    for _ in range(3):
        hostile.poll(b"".join(rows(order, 10) for order in ORDERS))
    assert normal.poll(rows(NORMAL, 40)) == 8
    for _ in range(5):
        hostile.poll(b"".join(rows(order, 10) for order in ORDERS))
        assert normal.poll(rows(NORMAL, 40)) == 0
    # Nor those that come later: what serves many answers stays.
    for _ in range(20):
        for _ in range(20):
            normal.poll(rows(NORMAL, 4))
        hostile.poll(b"".join(rows(order, 10) for order in ORDERS))
    assert Router(patterns).poll(rows(NORMAL, 40)) == 0
    assert len(patterns.book(COMMAND)) <= 4


def test_a_router_that_sees_its_shape_pushed_out_keeps_it() -> None:
    patterns = PatternCache()
    normal = Router(patterns)
    normal.poll(rows(NORMAL, 40))
    for order in ORDERS * 2:
        router = Router(patterns)
        for _ in range(50):
            router.poll(rows(order, 9))
    assert Router(patterns).poll(rows(NORMAL, 40)) == 8, "it was pushed out, and is learned again"
    assert normal.poll(rows(NORMAL, 40)) == 0


def test_a_shape_that_was_used_long_ago_makes_room_in_time() -> None:
    book = ShapeBook(max_orders=1)
    old, new = (book.learn((TAG, key), (b"1",), None) for key in (b"a", b"b"))
    assert old is not None
    assert new is not None
    old.uses = 1000
    book.publish(old, 0.0)
    book.publish(new, 3600.0)
    assert book.best() is new
    assert old.uses == 500


def test_keys_of_one_router_neither_make_a_shape_dear_nor_keep_others_from_their_pattern(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    efforts: list[int] = []

    def watched(order: Sequence[bytes], tag: bytes, optional: set[bytes], kinds: dict[bytes, str]) -> object:
        efforts.append(effort(order, tag, optional))
        return compile_pattern(order, tag, optional, kinds)

    monkeypatch.setattr("mtd.codec.routeros.shapes.compile_pattern", watched)
    patterns = PatternCache()
    hostile, normal = Router(patterns), Router(patterns)
    rng = random.Random(1)
    more = [*NORMAL, *(b"made-up-%d" % number for number in range(40))]
    for _ in range(100):
        hostile.poll(
            rows(more) + b"".join(rows([key for key in more if rng.random() < 0.5]) for _ in range(20))
        )
    for _ in range(4):
        normal.poll(rows(NORMAL, 40) + rows((*NORMAL, b"comment"), 40))
    assert normal.poll(rows(NORMAL, 40) + rows((*NORMAL, b"comment"), 40)) == 0
    assert efforts
    assert max(efforts) <= MOST_EFFORT


@pytest.mark.parametrize("length", [8, 30, 100])
@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("kind", ["FLAG", "NUMBER", "TOKEN", "TEXT"])
def test_the_dearest_shape_that_is_allowed_compiles_in_milliseconds(
    length: int, optional: bool, kind: str
) -> None:
    keys: list[bytes] = []
    while effort((TAG, *keys, b"x" * length), TAG, keys if optional else ()) <= MOST_EFFORT:
        keys.append((b"%d" % len(keys)).ljust(length, b"x"))
    best = 1.0
    for attempt in range(5):  # the first that nothing else disturbed; each pattern is new to re's cache
        fresh = [key[:-1] + b"abcde"[attempt : attempt + 1] for key in keys]
        started = time.thread_time()
        assert compile_pattern((TAG, *fresh), TAG, fresh if optional else (), dict.fromkeys(fresh, kind))
        best = min(best, time.thread_time() - started)
    assert best < 0.05  # some 5 ms; far more if its effort were misjudged
    assert len(keys) >= 3


def test_a_feed_compiles_at_most_once_and_a_session_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[float] = []
    patterns = PatternCache()
    router = Router(patterns)

    def count(*shape: object) -> None:
        compiled.append(router.now)

    monkeypatch.setattr("mtd.codec.routeros.shapes.compile_pattern", count)
    data = b"".join(rows([b"key-%d" % number, b"other"], 9) for number in range(30))
    for turn in range(200):
        router.poll(b"".join(rows(order, 9) for order in ORDERS) + rows([b"new-%d" % turn], 20) + data)
    assert len(compiled) == len(set(compiled)), "twice in one feed"
    assert 1 <= len(compiled) <= 32 + 200 * 0.1 + 1


@pytest.mark.parametrize(
    "stray",
    [
        sentence(b"!re", b".tag=99", b"=a=1"),
        sentence(b"!re", b"=a=1"),
        sentence(b"!new", b".tag=1"),
        sentence(b"!done", b".tag=c1"),
        sentence(),
    ],
)
def test_sentences_that_answer_nothing_have_an_end(stray: bytes) -> None:
    decoder = Decoder()
    decoder.expect(b"1", COMMAND)
    decoder.ignore(b"c1")
    assert decoder.feed(stray * 1024, Stamp(1.0, 1)) == []
    with pytest.raises(ProtocolDamaged, match="over 1,024 sentences that answer nothing"):
        decoder.feed(stray, Stamp(1.0, 1))


def test_an_answer_starts_the_count_of_strays_anew() -> None:
    router = Router(PatternCache())
    for _ in range(5):
        router.poll(sentence(b"!re", b".tag=99") * 1000)
    assert router.decoder.counts.unknown_sentences == 5000


def test_answers_to_what_is_ignored_are_no_strangers_and_nothing_waits_for_them() -> None:
    decoder = Decoder()
    for number in range(1000):
        decoder.ignore(b"c%d" % number)
    assert decoder.in_flight == 0
    data = sentence(b"!trap", b".tag=c999", b"=message=x") + sentence(b"!done", b".tag=c999")
    assert decoder.feed(data, Stamp(1.0, 1)) == []
    assert decoder.counts.unknown_sentences == 0
    # It was answered; and the oldest were forgotten, for they may never be.
    decoder.feed(sentence(b"!done", b".tag=c999") + sentence(b"!done", b".tag=c0"), Stamp(1.0, 1))
    assert decoder.counts.unknown_sentences == 2


def test_rows_of_a_command_are_read_by_pattern_after_a_cancel_without_answer() -> None:
    patterns = PatternCache()
    Router(patterns).poll(rows(NORMAL, 40))
    router = Router(patterns)
    router.decoder.ignore(b"c7")
    assert router.poll(rows(NORMAL, 40)) == 0
    assert router.poll(rows(NORMAL, 40)) == 0
