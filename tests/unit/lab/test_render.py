"""The fast way to print interfaces gives what the general way would."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.clock import LabClock
from mtd.lab.console import Console
from mtd.lab.menus.interface import interface_rows
from mtd.lab.personality import personality
from mtd.lab.reply import ReplyFormat
from mtd.lab.scenario import Fault, RouterSpec
from mtd.lab.state import RouterState
from mtd.lab.truth import RouterTruth
from mtd.lab.wire import SentenceReader, parse_request

KEYS = [
    b".id",
    b"name",
    b"comment",
    b"running",
    b"disabled",
    b"dynamic",
    b"rx-byte",
    b"tx-packet",
    b"rx-error",
    b"link-downs",
    b"fp-rx-byte",
    b"no-such-thing",
]
FAULTS = [
    Fault(kind="link-flap", at_s=5, for_s=5, interfaces=["*1"]),
    Fault(kind="counter-reset", at_s=20),
    Fault(kind="pppoe-drop", at_s=30, for_s=10, sessions=1),
]


def console(version: str) -> Console:
    truth = RouterTruth(RouterSpec(name="r", version=version, interfaces=12, pppoe=3, fault=FAULTS), 3)
    return Console(RouterState(truth, personality(version), LabClock(0), lambda _fault: None))


CONSOLES = {version: console(version) for version in ("6.49.10", "7.16.2", "7.18.2")}


def ask(version: str, tick: int, words: Iterable[bytes], tag: bytes | None = None) -> list[list[bytes]]:
    reply = ReplyFormat(tag, tag_first=version >= "7")
    shape = (b"/interface/print", *words)
    known = CONSOLES[version].known_plan(shape)
    answer = known(tick, reply) if known else CONSOLES[version].answer(parse_request(tag, shape), tick, reply)
    return SentenceReader(10**6).feed(answer.data)


@given(
    st.sampled_from(sorted(CONSOLES)),
    st.lists(st.integers(0, 60_000), min_size=1, max_size=4),
    st.lists(st.sampled_from(KEYS), unique=True, max_size=6),
    st.booleans(),
)
def test_templates_give_the_rows_of_the_tick(
    version: str, ticks: list[int], keys: list[bytes], lasting: bool
) -> None:
    words = [b"=.proplist=" + b",".join(keys)] if keys else []
    words += [b"?dynamic=true", b"?#!"] if lasting else []
    for tick in ticks:
        rows = [
            row
            for row in interface_rows(CONSOLES[version].state, tick)
            if not (lasting and b"dynamic" in row)
        ]
        wanted = []
        for row in rows:
            order = (
                [key for key in row if key in keys] if version < "7" else [key for key in keys if key in row]
            )
            names = order if keys else list(row)
            wanted.append([b"!re", *(b"=%b=%b" % (key, row[key]) for key in names)])
        assert ask(version, tick, words) == [*wanted, [b"!done"]]


@pytest.mark.parametrize("version", sorted(CONSOLES))
def test_the_tag_stands_where_the_version_puts_it(version: str) -> None:
    found = ask(version, 0, [b"=.proplist=.id,rx-byte"], b"9")
    places = {sentence.index(b".tag=9") for sentence in found[:-1]}
    assert places == ({1} if version >= "7" else {3})
    assert found[-1] == [b"!done", b".tag=9"]


def test_nothing_found_is_said_so_since_7_18() -> None:
    assert ask("7.18.2", 0, [b"?name=none"], b"4") == [[b"!empty", b".tag=4"], [b"!done", b".tag=4"]]
    assert ask("7.16.2", 0, [b"?name=none"], b"4") == [[b"!done", b".tag=4"]]


@pytest.mark.parametrize("version", sorted(CONSOLES))
def test_a_query_by_counter_is_answered_of_the_tick(version: str) -> None:
    tick = 21_000
    state = CONSOLES[version].state
    middle = sorted(row["rx-byte"] for row in state.truth.counters(tick).values())[7]
    found = ask(version, tick, [b"=.proplist=.id,rx-byte", b"?>rx-byte=%d" % middle])
    assert len(found) - 1 == sum(row["rx-byte"] > middle for row in state.truth.counters(tick).values())


def test_count_only_and_from() -> None:
    assert ask("7.16.2", 0, [b"=count-only="]) == [[b"!done", b"=ret=15"]]
    found = ask("7.16.2", 0, [b"=.proplist=.id", b"=from=*1,*3,*9999"])
    assert found == [[b"!re", b"=.id=*1"], [b"!re", b"=.id=*3"], [b"!done"]]
