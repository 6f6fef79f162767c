"""What waits to be looked at: each as it came, in its order, within the bound, and in little memory."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from mtd.listeners.blocks import EACH_BYTES, SENDER_BYTES
from mtd.listeners.udp import Inbox, Received
from mtd.testing.metrics import metric

RECEIVED = st.builds(
    Received,
    st.integers(0, 2**63),
    st.binary(max_size=3000),
    st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    st.sampled_from([None, ("192.0.2.1", 514), ("2001:db8::1", 514, 0, 0)]),
)


def dropped() -> float:
    return metric("mtd_listeners_dropped_total", listener="syslog", reason="queue_full")


@given(st.lists(st.one_of(st.none(), RECEIVED, RECEIVED), max_size=80))
def test_what_is_taken_is_what_was_put_and_all_else_is_counted(steps: list[Received | None]) -> None:
    inbox, expected, full = Inbox("syslog", 24_000), deque[Received](), 0
    before = dropped()
    for step in steps:
        if step is not None:
            inbox.put(step)
            if len(inbox) > len(expected):
                expected.append(step)
            else:
                full += 1
                assert inbox.size > 24_000 - 3000 - EACH_BYTES - SENDER_BYTES
        elif expected:
            assert inbox.take() == expected.popleft()
        assert len(inbox) == len(expected)
        assert inbox.filled.is_set() == bool(expected)
        assert inbox.size <= 24_000
    while expected:
        assert inbox.take() == expected.popleft()
    assert (inbox.size, inbox.fill, bool(inbox)) == (0, 0, False)
    assert dropped() - before == full


def test_a_line_takes_little_more_than_its_bytes() -> None:
    inbox, line = Inbox("syslog", 2**20), b"x" * 147
    while inbox.fill < 0.99:
        for sender in range(50):
            inbox.put(Received(1, line, f"192.0.2.{sender}", (f"192.0.2.{sender}", 514)))
    # In a MiB of 128, and with smaller blocks, in which each sender's address stands more often.
    assert len(inbox) > 4000


def test_memory_is_free_when_a_block_is_taken() -> None:
    inbox = Inbox("syslog", 2**20)
    while inbox.fill < 0.9:
        inbox.put(Received(1, b"x" * 1000, "192.0.2.1"))
    full, half = inbox.size, len(inbox) // 2
    for _ in range(half):
        inbox.take()
    assert inbox.size < full * 0.6
