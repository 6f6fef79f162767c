from __future__ import annotations

import pytest

from mtd.core.errors import Bug
from mtd.flowsums.messages import BucketFailed, Message, RoundDone, Trouble, from_line, to_line


@pytest.mark.parametrize(
    "message",
    [
        BucketFailed("t", "d", 60, 1, "block", "why", again=False, count=3),
        Trouble("why"),
        RoundDone(1, 2, 3, 4, 5, 6.5, 0.25, more=True),
    ],
)
def test_a_message_comes_back(message: Message) -> None:
    line = to_line(message)
    assert "\n" not in line
    assert from_line(line) == message
    assert from_line(line.encode()) == message


@pytest.mark.parametrize("line", ["", "{}", "hello", "[]", '{"event": "round"}', '{"event": "other"}'])
def test_what_no_worker_says_is_a_bug(line: str) -> None:
    with pytest.raises(Bug):
        from_line(line)
