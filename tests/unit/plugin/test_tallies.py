"""What the host counts of a table: as a naive counter would, whatever the order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.command import Reply, Rows
from mtd.model.metric import Tier, Unit
from mtd.model.observation import Observation
from mtd.plugin import Collector, Counted, DerivedRate, Menu, TableKind, Tally, columns
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.metrics import metric
from mtd.testing.observations import all_values, events_of, values_of
from mtd.testing.replies import reply, rows_of

RATE = DerivedRate(
    key="lease.came_per_s", unit=Unit.EVENTS_PER_SECOND, description="Leases that come.", since="1"
)
BOUND = (("status", "bound"),)
BY_SERVER = {"by": "server", "scope": "lease", "where": BOUND, "max_values": 2}


def tally(key: str, counts: Counted = Counted.ROWS, **changes: Any) -> Tally:
    return Tally(key=key, description="Leases.", since="1", counts=counts, **changes)


LEASES = Menu(
    name="leases",
    path="/lease",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T1,
    table="lease",
    row_key=".id",
    scope="lease",
    fields=columns("status", "server"),
    tallies=(
        tally("lease.all"),
        tally("lease.bound", where=BOUND),
        tally("lease.came_total", Counted.APPEARED, where=BOUND, rate=RATE),
        tally("lease.went_total", Counted.VANISHED, where=BOUND),
        tally("lease.of_server", **BY_SERVER),
        tally("lease.of_server_came_total", Counted.APPEARED, **BY_SERVER),
        tally("lease.of_server_went_total", Counted.VANISHED, **BY_SERVER),
    ),
)


class Reader:
    """A device whose leases are read."""

    def __init__(self, menu: Menu = LEASES) -> None:
        egg = Collector(name="dhcp", api=1, description="Leases.", menus=(menu,))
        self.clock = FakeClock()
        self.mapper = DeviceMapper(make_device(), [egg], clock=self.clock)

    def read(self, *rows: Mapping[str, Any], at: float = 0.0) -> Observation:
        (command,) = self.mapper.commands(Tier.T1)
        return self.mapper.observe(
            Tier.T1, [Reply(command, rows_of(rows) if rows else Rows(), at, round(at * 1e6), 0.001)]
        )

    def values(self, *rows: Mapping[str, Any], at: float = 0.0) -> dict[str, float]:
        return values_of(self.read(*rows, at=at).frame)


def lease(number: int, status: str = "bound", server: str | None = "lan") -> dict[str, Any]:
    row = {".id": f"*{number}", "status": status}
    return row if server is None else row | {"server": server}


def test_what_is_there_is_a_gauge_and_what_came_and_went_are_counters_from_the_first_read_on() -> None:
    reader = Reader()
    assert reader.values(lease(1), lease(2, "waiting"), at=0.0) == {
        "lease.all": 2,
        "lease.bound": 1,
        "lease.came_total": 0,
        "lease.went_total": 0,
        "lease.of_server[lan]": 1,
        "lease.of_server_came_total[lan]": 0,
        "lease.of_server_went_total[lan]": 0,
    }
    values = reader.values(lease(1), lease(2), lease(3), at=10.0)
    assert (values["lease.all"], values["lease.bound"]) == (3, 3)
    assert (values["lease.came_total"], values["lease.came_per_s"]) == (2, pytest.approx(0.2))
    values = reader.values(lease(3, server="wan"), at=20.0)
    assert (values["lease.all"], values["lease.went_total"], values["lease.came_total"]) == (1, 2, 2)
    assert values["lease.of_server_went_total[lan]"] == 3  # one of them to another server
    # A value that comes into being begins with those that came.
    assert values["lease.of_server_came_total[wan]"] == 1
    assert values["lease.of_server[lan]"] == 0


def test_series_keep_their_place_while_a_read_fails() -> None:
    reader = Reader()
    before = reader.read(lease(1), at=0.0).frame
    (command,) = reader.mapper.commands(Tier.T1)
    assert reader.mapper.observe(Tier.T1, [reply(command, at=10.0, trap="interrupted")]).frame is None
    after = reader.read(lease(1), lease(2), at=20.0).frame
    assert before is not None
    assert after is not None
    assert after.layout == before.layout
    values = values_of(after)
    assert values["lease.came_total"] == 1
    assert values["lease.came_per_s"] == pytest.approx(0.05)


def test_beside_another_menu_they_are_absent_while_the_table_is() -> None:
    other = replace(
        LEASES, name="others", path="/other", table="other", scope="other", tallies=(tally("other.all"),)
    )
    egg = Collector(name="dhcp", api=1, description="Leases.", menus=(LEASES, other))
    mapper = DeviceMapper(make_device(), [egg], clock=FakeClock())
    one, two = mapper.commands(Tier.T1)
    mapper.observe(Tier.T1, [reply(one, [lease(1)], at=0.0), reply(two, [lease(1)], at=0.0)])
    frame = mapper.observe(Tier.T1, [reply(one, at=10.0, trap="interrupted"), reply(two, [], at=10.0)]).frame
    values = all_values(frame)
    assert values["other.all"] == 0
    assert values["lease.all"] is None
    assert values["lease.came_total"] is None
    assert values["lease.of_server[lan]"] is None


def test_before_the_first_read_there_are_no_series() -> None:
    reader = Reader()
    (command,) = reader.mapper.commands(Tier.T1)
    assert reader.mapper.observe(Tier.T1, [reply(command, at=0.0, trap="interrupted")]).frame is None


def untold() -> float:
    return metric("mtd_plugin_tally_rows_untold_total", collector="dhcp")


def test_values_beyond_the_bound_are_told_of_and_not_mixed_up() -> None:
    reader = Reader()
    before = untold()
    rows = [
        lease(1, server="a"),
        lease(2, server="b"),
        lease(3, server="b"),
        lease(4, server="c"),
        lease(5, server="c"),
    ]
    observation = reader.read(*rows, at=0.0)
    values = values_of(observation.frame)
    found = {name: value for name, value in values.items() if name.startswith("lease.of_server[")}
    assert found == {"lease.of_server[b]": 2, "lease.of_server[c]": 2}, "those with most rows"
    (event,) = events_of(observation, "collector.tally.capped")
    assert "3 values of server" in event.message
    assert untold() - before == 1
    assert reader.read(*rows, at=10.0).state_changes == []
    # The last row of a value makes room.
    observation = reader.read(lease(1, server="a"), lease(4, server="c"), at=20.0)
    assert [event.event_type for event in observation.state_changes] == ["collector.tally.uncapped"]
    values = values_of(observation.frame)
    assert values["lease.of_server[a]"] == 1
    assert values["lease.of_server_came_total[a]"] == 0
    assert "lease.of_server[b]" not in values


@pytest.mark.parametrize("server", [None, "", "none"])
def test_rows_without_the_field_are_counted_as_none(server: str | None) -> None:
    assert Reader().values(lease(1, server=server))["lease.of_server[none]"] == 1


def test_a_menu_that_is_gone_takes_its_series_along_and_counts_nothing_when_it_is_back() -> None:
    reader = Reader()
    reader.read(lease(1), lease(2), at=0.0)
    reader.read(lease(1), lease(2), lease(3), at=10.0)
    (command,) = reader.mapper.commands(Tier.T1)
    gone = reader.mapper.observe(Tier.T1, [reply(command, at=20.0, trap="no such command prefix")])
    assert gone.tables[0].upserted == {}
    reader.mapper.set_capabilities(None)
    values = reader.values(lease(7), at=900.0)
    assert (values["lease.all"], values["lease.came_total"], values["lease.went_total"]) == (1, 1, 0)


# -- as a naive counter --------------------------------------------------------------

statuses = st.sampled_from(["bound", "waiting"])
servers = st.sampled_from(["a", "b", "", None])
read = st.dictionaries(st.integers(1, 6), st.tuples(statuses, servers), max_size=6)
UNBOUNDED = replace(
    LEASES, tallies=tuple(replace(one, max_values=100) if one.by else one for one in LEASES.tallies)
)


@given(reads=st.lists(st.tuples(read, st.randoms(use_true_random=False)), min_size=1, max_size=6))
def test_counts_are_those_of_a_naive_counter(reads: list[tuple[Any, random.Random]]) -> None:
    reader = Reader(UNBOUNDED)
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    before: dict[int, str] | None = None
    for number, (content, shuffler) in enumerate(reads):
        rows = [lease(key, status, server) for key, (status, server) in content.items()]
        shuffler.shuffle(rows)
        values = reader.values(*rows, at=number * 10.0)
        now = {key: server or "none" for key, (status, server) in content.items() if status == "bound"}
        if before is not None:
            came.update(server for key, server in now.items() if before.get(key) != server)
            went.update(server for key, server in before.items() if now.get(key) != server)
            came["*"] += len(now.keys() - before.keys())
            went["*"] += len(before.keys() - now.keys())
        assert (values["lease.all"], values["lease.bound"]) == (len(content), len(now))
        assert (values["lease.came_total"], values["lease.went_total"]) == (came["*"], went["*"])
        for server in {*came, *went, *now.values()} - {"*"}:
            assert values[f"lease.of_server[{server}]"] == sum(its == server for its in now.values())
            assert values[f"lease.of_server_came_total[{server}]"] == came[server]
            assert values[f"lease.of_server_went_total[{server}]"] == went[server]
        before = now


def test_the_order_of_the_first_read_does_not_matter() -> None:
    rows: Sequence[dict[str, Any]] = [lease(number, server=name) for number, name in enumerate("abcabdd")]
    one, other = Reader().read(*rows).frame, Reader().read(*rows[::-1]).frame
    assert one is not None
    assert other is not None
    assert one.layout == other.layout
    assert values_of(one) == values_of(other)


def test_over_the_cap_nothing_is_counted_and_what_there_is_room_for_again_did_not_come() -> None:
    reader = Reader(replace(LEASES, max_instances=3))
    rows = [lease(number) for number in range(1, 6)]
    assert reader.values(*rows[:3], at=0.0)["lease.all"] == 3
    assert reader.values(*rows, at=10.0) == {}  # five, of which three are kept
    assert reader.values(*rows[1:], at=20.0) == {}
    back = reader.values(*rows[2:], at=30.0)
    assert (back["lease.all"], back["lease.went_total"], back["lease.came_total"]) == (3, 2, 0)
    assert reader.values(*rows[2:4], at=40.0)["lease.went_total"] == 3
    assert reader.values(*rows[2:], at=50.0)["lease.came_total"] == 1
