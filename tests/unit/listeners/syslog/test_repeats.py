from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.listeners.syslog.repeats import Repeats
from mtd.model.logs import LogEntry


def line(text: str, at_us: int) -> LogEntry:
    return LogEntry(at_us, text, text)


def test_without_a_window_each_line_is_one() -> None:
    repeats = Repeats(0)
    for _ in range(3):
        assert not repeats.is_repeat("a", line("x", 1))
        repeats.stored("a", line("x", 1))
    assert list(repeats.due(10**9)) == []


def test_twins_of_one_device_are_told_together_when_the_window_is_over() -> None:
    repeats = Repeats(5)
    repeats.stored("a", line("x", 0))
    assert repeats.is_repeat("a", line("x", 1_000_000))
    assert repeats.is_repeat("a", line("x", 2_000_000))
    assert not repeats.is_repeat("b", line("x", 1_000_000))
    assert not repeats.is_repeat("a", line("y", 1_000_000))
    assert list(repeats.due(4_999_999)) == []
    ((device, last),) = repeats.due(5_000_000)
    assert (device, last.received_us, last.repeats) == ("a", 2_000_000, 1)


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 3_000_000)), max_size=60)
)
def test_every_line_is_counted_once(lines: list[tuple[str, str, int]]) -> None:
    repeats = Repeats(2)
    now = counted = 0
    for device, text, step in lines:
        now += step
        entry = line(text, now)
        counted += sum(1 + told.repeats for _, told in repeats.due(now))
        if repeats.is_repeat(device, entry):
            continue
        before = repeats.due_of(device, entry)
        counted += 0 if before is None else 1 + before.repeats
        repeats.stored(device, entry)
        counted += 1
    counted += sum(1 + told.repeats for _, told in repeats.due(now, all_of_them=True))
    assert counted == len(lines)
