"""Lines on their way into the table: as they were told, in statements of a bearable size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.events import Origin
from mtd.model.logs import LogEntry, log_event
from mtd.storage.stores import logs
from mtd.storage.stores.logs import LogLines

TENANT, DEVICE = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
PLACE = {name: place for place, (name, *_) in enumerate(logs._COLUMNS)}


def lines_of(*entries: LogEntry, seq: int = 7) -> LogLines:
    lines = LogLines()
    event = log_event(Origin(TENANT, "c", DEVICE), "192.0.2.1", entries, 5)
    lines.add(TENANT, DEVICE, seq, "192.0.2.1", list(event.log_batch.lines))
    return lines


def column(literals: list[str], name: str) -> str:
    return literals[PLACE[name]]


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
    (literals,) = lines_of(told, untold).statements()
    assert column(literals, "part") == "{0,1}"
    assert column(literals, "ts") == "{9,10}"
    assert column(literals, "severity") == "{4,null}"
    assert column(literals, "facility") == "{3,null}"
    assert column(literals, "topics") == r'{"{\"system\",\"error\"}","{}"}'
    assert column(literals, "found") == r'{"{\"user\":\"ada\"}",NULL}'
    assert column(literals, "text") == '{"login failure","a b"}'
    # The whole line is kept where the text isn't its end.
    assert column(literals, "head") == '{"<28>",""}'
    assert column(literals, "original") == '{NULL,"b a b c"}'
    assert column(literals, "form") == '{"bsd","plain"}'
    assert column(literals, "repeats") == "{2,0}"
    assert column(literals, "cut") == "{True,False}"


@given(st.lists(st.sampled_from([1, 100, 8000]), min_size=1, max_size=700))
def test_a_statement_holds_so_many_lines_and_characters(sizes: list[int]) -> None:
    lines = lines_of(*(LogEntry(number, "x" * size, "x" * size) for number, size in enumerate(sizes)))
    assert len(lines) == len(sizes)
    seen: list[str] = []
    for literals in lines.statements():
        some = column(literals, "ts")[1:-1].split(",")
        assert len(some) <= 250
        assert len(some) == 1 or len(column(literals, "text")) <= 500_000 + 3 * len(some)
        seen += some
    assert seen == [str(number) for number in range(len(sizes))]
