"""Sessions and leases: who is there at a tick, and the quick way to print it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.lab.clock import LabClock
from mtd.lab.console import Console
from mtd.lab.personality import personality
from mtd.lab.reply import ReplyFormat
from mtd.lab.scenario import RouterSpec, load
from mtd.lab.state import RouterState
from mtd.lab.subscribers import LEASE_S, Churn, Subscribers
from mtd.lab.truth import RouterTruth
from mtd.lab.wire import SentenceReader, parse_request

KEYS = [
    b".id",
    b"name",
    b"address",
    b"status",
    b"active-address",
    b"host-name",
    b"uptime",
    b"last-seen",
    b"expires-after",
    b"age",
    b"session-id",
    b"no-such-thing",
]


def console(version: str, **changes: int) -> Console:
    spec = RouterSpec(
        name="r",
        version=version,
        interfaces=4,
        sessions=30,
        leases=45,
        churn_pct=10,
        churn_every_s=2,
        **changes,
    )
    state = RouterState(RouterTruth(spec, 3), personality(version), LabClock(0), lambda _fault: None)
    return Console(state)


CONSOLES = {version: console(version) for version in ("6.49.10", "7.16.2", "7.18.2")}


def ask(router: Console, path: str, tick: int, words: Iterable[bytes]) -> list[list[bytes]]:
    reply = ReplyFormat(None, tag_first=False)
    shape = (path.encode() + b"/print", *words)
    known = router.known_plan(shape)
    answer = known(tick, reply) if known else router.answer(parse_request(None, shape), tick, reply)
    sentences = SentenceReader(10**6).feed(answer.data)
    rows = [words for words in sentences if words[0] == b"!re"]
    assert answer.rows == len(rows)
    assert answer.values == sum(len(words) - 1 for words in rows)
    return rows


@given(
    st.sampled_from(sorted(CONSOLES)),
    st.sampled_from(["/ppp/active", "/ip/dhcp-server/lease"]),
    st.lists(st.integers(0, 90_000), min_size=1, max_size=4),
    st.lists(st.sampled_from(KEYS), unique=True, max_size=6),
    st.sampled_from([(), (b"?status=bound",), (b"?dynamic=false",), (b"?uptime=1s", b"?#!")]),
)
def test_ready_answers_are_the_rows_of_the_tick(
    version: str, path: str, ticks: list[int], keys: list[bytes], queries: tuple[bytes, ...]
) -> None:
    router = CONSOLES[version]
    for tick in ticks:
        rows = router.menus[path].rows(router.state, tick)
        rows = [row for row in rows if _matches(row, queries)]
        asked = keys if version >= "7" else None
        wanted = [[key for key in (asked or row) if key in row and (not keys or key in keys)] for row in rows]
        expected = [
            [b"!re"] + [b"=%b=%b" % (key, row[key]) for key in order]
            for row, order in zip(rows, wanted, strict=True)
        ]
        words = [b"=.proplist=" + b",".join(keys)] if keys else []
        found = ask(router, path, tick, [*words, *queries])
        assert found == expected


def _matches(row: dict[bytes, bytes], queries: tuple[bytes, ...]) -> bool:
    if not queries:
        return True
    key, _, value = queries[0][1:].partition(b"=")
    return (row.get(key) == value) is not (len(queries) > 1)


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 5_000))
def test_the_same_number_changes_hands_in_each_step(places: int, per_step: int, step: int) -> None:
    churn = Churn(places, min(per_step, places), 10)
    before, now = set(churn.holders(step * 10)), set(churn.holders(step * 10 + 10))
    assert len(before) == len(now) == places
    assert {place for place, _ in now} == set(range(places))
    assert len(now - before) == churn.per_step
    assert before == set(churn.holders(step * 10 + 9))
    for place, generation in now - before:
        assert churn.since_step(place, generation) == step + 1


def test_who_is_there_and_since_when() -> None:
    people = Subscribers(100, 100, 6.0, 10.0, key=1)
    before, after = people.sessions(9_999), people.sessions(10_000)
    gone, came = set(before) - set(after), set(after) - set(before)
    assert (len(before), len(after), len(gone), len(came)) == (100, 100, 6, 6)
    assert {one.since_s for one in came} == {10}
    assert all(one.since_s < 0 for one in before)
    back = {one.name for one in gone} & {one.name for one in came}
    assert len(back) == 3, "whose line failed comes back"
    assert not {one.id for one in gone} & {one.id for one in came}
    for tick in (0, 10_000, 210_000, 999_000):
        assert len({one.address for one in people.sessions(tick)}) == 100
        assert len({one.name for one in people.sessions(tick)}) == 100
    second_round = {one.name for one in people.sessions(500_000)}
    assert not second_round & {one.name for one in before}


def test_leases_renew_and_those_that_wait_stay() -> None:
    people = Subscribers(0, 100, 5.0, 10.0, key=1)
    waiting = [one for one in people.leases(0) if not one.bound]
    assert len(waiting) == 5
    assert waiting == [one for one in people.leases(990_000) if not one.bound]
    (row, *_) = [
        row
        for row in CONSOLES["7.16.2"].menus["/ip/dhcp-server/lease"].rows(CONSOLES["7.16.2"].state, 61_000)
        if row[b"status"] == b"bound"
    ]
    assert row.keys() >= {b"expires-after", b"last-seen", b"age", b"active-address"}
    assert LEASE_S == 600


def test_interfaces_with_sessions_are_listed_with_the_others() -> None:
    router = console("7.16.2", pppoe=2)
    rows = ask(router, "/ppp/active", 5_000, [b"=.proplist=name"])
    assert len(rows) == 32
    assert [b"!re", b"=name=subscriber1"] in rows


@pytest.mark.parametrize("version", ["6", "7"])
def test_the_shipped_scenario_has_twenty_thousand_of_each(version: str) -> None:
    (spec,) = [one for one in load("subscribers").routers() if one.version.startswith(version)]
    assert (spec.sessions, spec.leases, spec.churn_pct, spec.churn_every_s) == (20_000, 20_000, 1.0, 10.0)
