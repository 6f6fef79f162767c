from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mtd.listeners.syslog.repeats import Repeats
from mtd.model.logs import LogEntry


def line(text: str) -> LogEntry:
    return LogEntry(1, text, text)


def test_without_a_window_each_line_is_one() -> None:
    repeats = Repeats(0)
    for _ in range(3):
        assert not repeats.is_repeat("a", "s", line("x"), 1)
    assert list(repeats.due(math.inf)) == []


def test_twins_of_one_device_are_told_together_when_the_window_is_over() -> None:
    repeats = Repeats(5)
    assert not repeats.is_repeat("a", "s", line("x"), 0)
    assert repeats.is_repeat("a", "s", line("x"), 1)
    assert repeats.is_repeat("a", "t", line("x"), 2)
    assert not repeats.is_repeat("b", "s", line("x"), 1)
    assert not repeats.is_repeat("a", "s", line("y"), 1)
    assert list(repeats.due(4.9)) == []
    (again,) = repeats.due(5)
    assert (again.device_id, again.sender, again.last.repeats) == ("a", "t", 1)
    assert not repeats.is_repeat("a", "s", line("x"), 6)


def test_what_is_known_is_bounded() -> None:
    repeats = Repeats(3600)
    told = 0
    for number in range(30_000):
        told += len(list(repeats.due(number / 1000)))
        assert not repeats.is_repeat("a", "s", line(str(number)), number / 1000)
        if number == 5:
            assert repeats.is_repeat("a", "s", line("5"), number / 1000)
    assert len(repeats) <= 10_001
    assert told == 1  # what came again is told though its window ended early


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(0, 3)), max_size=60))
def test_every_line_is_counted_once(lines: list[tuple[str, str, float]]) -> None:
    repeats = Repeats(2)
    now = 0.0
    counted = 0
    for device, text, step in lines:
        now += step
        counted += sum(1 + again.last.repeats for again in repeats.due(now))
        counted += not repeats.is_repeat(device, "s", line(text), now)
    counted += sum(1 + again.last.repeats for again in repeats.due(math.inf))
    assert counted == len(lines)
