"""Menus whose rows make sense only beside those of another menu."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from mtd.model.command import Rows
from mtd.model.metric import Tier
from mtd.plugin import Collector, Companion, Menu, Probe, State, TableKind
from mtd.plugin.checks import problems_of
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import values_of
from mtd.testing.replies import replies_from, reply

PEERS = "/peer/print"
SESSIONS = "/session/print"
UP = {".id": "*1", "name": "a"}, {".id": "*2", "name": "b"}


def with_states(rows: Rows, others: Mapping[str, Rows]) -> Rows:
    """Say of each peer whether it has a session; nothing if the sessions aren't known."""
    sessions = others.get("sessions")
    up = set() if sessions is None else set(sessions.column("peer"))
    states = [None if sessions is None else b"up" if name in up else b"down" for name in rows.column("name")]
    return Rows(rows.count, {".id": rows.column(".id"), "state": states})


MENU = Menu(
    name="peers",
    path="/peer",
    kind=TableKind.METRICS,
    tier=Tier.T1,
    row_key=".id",
    scope="peer",
    reads=("name",),
    companions=(Companion(name="sessions", path="/session", reads=("peer",), requires="sessions"),),
    join=with_states,
    fields=(
        State(field="state", key="peer.state", description="State.", since="1", states={"down": 0, "up": 1}),
    ),
)
PROBE = Probe(capability="sessions", path="/session")
COLLECTOR = Collector(name="peers", api=1, description="Peers.", menus=(MENU,), probes=(PROBE,))


@pytest.fixture
def mapper() -> DeviceMapper:
    return DeviceMapper(make_device(), [COLLECTOR], clock=FakeClock())


def observed(mapper: DeviceMapper, answers: Mapping[str, object]) -> dict[str, float]:
    replies = []
    for command in mapper.commands(Tier.T1):
        content = answers.get(command.path)
        if isinstance(content, str):
            replies.append(reply(command, trap=content))
        elif content is not None:
            replies += replies_from([command], {command.path: content})  # type: ignore[dict-item]
    return values_of(mapper.observe(Tier.T1, replies).frame)


def test_the_declaration_is_sound() -> None:
    assert problems_of(COLLECTOR) == []


def test_rows_of_the_other_menu_are_there(mapper: DeviceMapper) -> None:
    assert [command.path for command in mapper.commands(Tier.T1)] == [PEERS, SESSIONS]
    values = observed(mapper, {PEERS: UP, SESSIONS: [{"peer": "a"}]})
    assert values == {"peer.state[*1]": 1, "peer.state[*2]": 0}


def test_no_rows_is_not_the_same_as_no_answer(mapper: DeviceMapper) -> None:
    assert observed(mapper, {PEERS: UP, SESSIONS: []}) == {"peer.state[*1]": 0, "peer.state[*2]": 0}
    assert observed(mapper, {PEERS: UP}) == {}
    assert observed(mapper, {PEERS: UP, SESSIONS: "failure: busy"}) == {}


def test_a_companion_that_is_not_there_is_not_asked_again(mapper: DeviceMapper) -> None:
    assert observed(mapper, {PEERS: UP, SESSIONS: "no such command prefix"}) == {}
    assert [command.path for command in mapper.commands(Tier.T1)] == [PEERS]
    mapper.set_capabilities({"sessions"})
    assert [command.path for command in mapper.commands(Tier.T1)] == [PEERS, SESSIONS]


def test_a_companion_needs_its_capability(mapper: DeviceMapper) -> None:
    mapper.set_capabilities(set())
    assert [command.path for command in mapper.commands(Tier.T1)] == [PEERS]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"join": None}, "companions and join go together"),
        ({"companions": ()}, "companions and join go together"),
        ({"reads": ()}, "with a transform or a join"),
        ({"companions": MENU.companions * 2}, "two companions are called 'sessions'"),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, object], problem: str) -> None:
    wrong = dataclasses.replace(COLLECTOR, menus=(dataclasses.replace(MENU, **changes),))  # type: ignore[arg-type]
    assert any(problem in each for each in problems_of(wrong))
