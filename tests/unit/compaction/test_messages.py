from __future__ import annotations

import pytest

from mtd.compaction.messages import (
    HourDropped,
    Message,
    Progress,
    RoundDone,
    Trouble,
    UnitDone,
    UnitFailed,
    from_line,
    to_line,
)
from mtd.core.errors import Bug


@pytest.mark.parametrize(
    "message",
    [
        UnitDone("d", "t0", 1, "new", 3, 0, 3, 2, 6, 20, 0.5, 0.75),
        UnitFailed("d", "t0", 1, "data", 'it\n"is" so'),
        HourDropped("telemetry_frame_2026030211"),
        Trouble("database", "away"),
        Progress(1, 2, 3, 4, 5, 6.5),
        RoundDone(1, 2, 3, 4.5, 5, 6, 7, ["-8"]),
    ],
)
def test_there_and_back(message: Message) -> None:
    line = to_line(message)
    assert "\n" not in line
    assert from_line(line) == message
    assert from_line(line.encode()) == message


@pytest.mark.parametrize(
    "line", ["", "hello", "[]", "1", "{}", '{"event": "unit"}', '{"event": "nothing"}', b"\xff"]
)
def test_what_is_no_message(line: str | bytes) -> None:
    with pytest.raises(Bug):
        from_line(line)
