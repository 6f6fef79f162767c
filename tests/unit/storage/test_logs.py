"""Lines on their way into the table: as they were told, in statements of a bearable size."""

from __future__ import annotations

import json

from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from mtd.model.events import Origin
from mtd.model.logs import LogEntry, log_event
from mtd.storage.stores import logs
from mtd.storage.stores.logs import LogLines

TENANT, DEVICE = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
NUMBERS = [name for name, _ in logs._NUMBERS_OF_LINES]
TEXTS = [name for name, _ in logs._TEXTS_OF_LINES]
EVENT = ["seq", *(column.name for column in logs._OF_EVENTS)]
KIND = ["kind", *(column.name for column in logs._OF_KINDS)]


def lines_of(*entries: LogEntry, seq: int = 7) -> LogLines:
    lines = LogLines()
    event = log_event(Origin(TENANT, "c", DEVICE), "192.0.2.1", entries, 5)
    told = list(event.log_batch.lines)
    lines.add(seq, (TENANT, DEVICE, "192.0.2.1"), told, [line.received_at_us for line in told])
    return lines


class Given:
    """What a statement is given, by the columns of lines, of events and of kinds."""

    def __init__(self, given: list[object]) -> None:
        rest = iter(given)
        self.numbers = {name: json.loads("[" + str(next(rest))[1:-1] + "]") for name in NUMBERS}
        self.texts = {name: str(next(rest)).split(str(next(rest))) for name in TEXTS}
        self.event = {name: next(rest) for name in EVENT}
        self.kind = {name: next(rest) for name in KIND}
        assert list(rest) == []


def test_what_is_told_stands_in_its_column_and_the_rest_is_absent() -> None:
    told = LogEntry(
        9,
        "login failure",
        "<28>login failure",
        form="bsd",
        severity=4,
        facility=3,
        topics=("system", "error"),
        event_type="user.login.failed",
        values={"user": "ada"},
        repeats=2,
        cut=True,
    )
    untold = LogEntry(10, "a b", "b a b c", form="plain")
    (given,) = map(Given, lines_of(told, untold).statements())
    assert given.numbers == {"seq": [7, 7], "kind": [0, 1], "part": [0, 1], "ts": [9, 10]}
    assert given.event == {
        "seq": "{7}",
        "tenant_id": f"{{{TENANT}}}",
        "device_id": f'{{"{DEVICE}"}}',
        "sender": '{"192.0.2.1"}',
    }
    assert given.kind["kind"] == "{0,1}"
    assert given.kind["severity"] == "{4,null}"
    assert given.kind["facility"] == "{3,null}"
    assert given.kind["topics"] == r'{"{\"system\",\"error\"}","{}"}'
    assert given.kind["event_type"] == '{"user.login.failed",""}'
    assert given.kind["form"] == '{"bsd","plain"}'
    assert given.kind["repeats"] == "{2,0}"
    assert given.kind["cut"] == "{True,False}"
    assert given.texts["found"] == ['{"user":"ada"}', ""]
    assert given.texts["text"] == ["login failure", "a b"]
    # The whole line is kept where the text isn't its end.
    assert given.texts["head"] == ["<28>", ""]
    assert given.texts["original"] == ["", "b a b c"]


def test_what_lines_have_in_common_is_told_once() -> None:
    first = LogEntry(1, "a", "a", topics=("info",), severity=0, event_type="a.b")
    others = [
        LogEntry(2, "b", "b", topics=("info",), severity=0, event_type="a.b"),
        LogEntry(3, "a", "a", topics=("info",), event_type="a.b"),  # says no severity
        LogEntry(4, "a", "a", topics=("in", "for"), severity=0, event_type="a.b"),
        LogEntry(5, "a", "a", topics=("info",), severity=1, event_type="a.b"),
        LogEntry(6, "a", "a", topics=("info",), severity=0, facility=0, event_type="a.b"),
    ]
    (given,) = map(Given, lines_of(first, *others).statements())
    assert given.numbers["kind"] == [0, 0, 1, 2, 3, 4]
    assert given.kind["severity"] == "{0,null,0,1,0}"
    assert given.kind["facility"] == "{null,null,null,null,0}"


@settings(max_examples=30)
@examples(st.lists(st.sampled_from([1, 100, 8000]), min_size=1, max_size=300))
def test_a_statement_holds_so_many_lines_and_characters(sizes: list[int]) -> None:
    sizes = sizes * 5
    lines = lines_of(*(LogEntry(number, "x" * size, "x" * size) for number, size in enumerate(sizes)))
    assert len(lines) == len(sizes)
    seen: list[int] = []
    for given in map(Given, lines.statements()):
        some = given.numbers["ts"]
        assert len(some) <= 500
        assert len(some) == 1 or sum(map(len, given.texts["text"])) <= 500_000
        seen += some
    assert seen == list(range(len(sizes)))
