"""Menus made of several counts, of numbered rows, and of one menu in place of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from mtd.model.command import CANCELLED_TOO_LARGE, Reply, Rows, Trap
from mtd.model.metric import Tier, Unit
from mtd.plugin import Collector, Companion, Gauge, Labels, Menu, Probe, TableKind, columns
from mtd.plugin.checks import problems_of
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import all_values, values_of
from mtd.testing.replies import replies_from, reply


def total(_rows: Rows, others: Mapping[str, Rows]) -> Rows:
    counts = [rows.column("ret")[0] for rows in others.values()]
    if not counts:
        return Rows()
    return Rows(1, {"total": (b"%d" % sum(int(count or b"0") for count in counts),)})


def gauge(field: str, key: str) -> Gauge:
    return Gauge(field=field, key=key, unit=Unit.COUNT, description="How many.", since="1")


def count_of(name: str) -> Companion:
    return Companion(
        name=name,
        path=f"/{name}",
        reads=(".id",),
        arguments=(("count-only", ""),),
        requires=name,
        needed=True,
    )


CLIENTS = Menu(
    name="clients",
    path="/router",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    reads=("uptime",),
    companions=(count_of("old"), count_of("new")),
    join=total,
    fields=(gauge("total", "radio.clients"),),
)
MODEMS = Menu(
    name="modems",
    path="/modem",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T2,
    table="modem",
    row_key=".id",
    scope="modem",
    labels=Labels(),
    fields=columns("name"),
)
SIGNAL = Menu(
    name="signal",
    path="/modem",
    command="monitor",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope="modem",
    numbers_of="modems",
    arguments=(("once", ""),),
    fields=(gauge("bars", "modem.bars"),),
)
SIGNAL_BEFORE = dataclasses.replace(SIGNAL, name="signal-before", command="info", instead_of="signal")
PROBES = tuple(Probe(capability=name, path=f"/{name}") for name in ("old", "new"))
RADIO = Collector(name="radio", api=1, description="Radio.", menus=(CLIENTS,), probes=PROBES)
MODEM = Collector(name="modem", api=1, description="Modems.", menus=(MODEMS, SIGNAL, SIGNAL_BEFORE))
ROUTER = {"/router/print": [{"uptime": "1h"}]}


def mapper_of(collector: Collector) -> DeviceMapper:
    assert problems_of(collector) == []
    return DeviceMapper(make_device(), [collector], clock=FakeClock())


def poll(mapper: DeviceMapper, tier: Tier, menus: Mapping[str, list[dict[str, str]]]) -> dict[str, float]:
    return values_of(mapper.observe(tier, replies_from(mapper.commands(tier), menus)).frame)


def test_counts_of_several_menus_are_one_sum() -> None:
    mapper = mapper_of(RADIO)
    assert poll(mapper, Tier.T0, {**ROUTER, "/old/print": [{}] * 3, "/new/print": [{}] * 4}) == {
        "radio.clients": 7
    }


def test_a_menu_that_is_not_there_is_no_part_of_the_sum() -> None:
    mapper = mapper_of(RADIO)
    for _ in range(2):
        assert poll(mapper, Tier.T0, {**ROUTER, "/new/print": [{}] * 4}) == {"radio.clients": 4}
    assert [command.path for command in mapper.commands(Tier.T0)] == ["/router/print", "/new/print"]


@pytest.mark.parametrize("answer", [None, "failure: busy", "not enough permissions (9)"])
def test_without_one_part_there_is_no_sum(answer: str | None) -> None:
    mapper = mapper_of(RADIO)
    assert poll(mapper, Tier.T0, {**ROUTER, "/old/print": [{}], "/new/print": [{}]}) == {"radio.clients": 2}
    replies = []
    for command in mapper.commands(Tier.T0):
        if command.path != "/old/print":
            replies += replies_from([command], {**ROUTER, "/new/print": [{}]})
        elif answer is not None:
            replies.append(reply(command, trap=answer))
    assert all_values(mapper.observe(Tier.T0, replies).frame or None) == {}
    assert poll(mapper, Tier.T0, {**ROUTER, "/old/print": [{}], "/new/print": []}) == {"radio.clients": 1}


def learnt() -> DeviceMapper:
    mapper = mapper_of(MODEM)
    poll(mapper, Tier.T2, {"/modem/print": [{".id": "*7", "name": "lte1"}, {".id": "*9", "name": "lte2"}]})
    return mapper


def test_rows_of_a_monitor_are_those_asked_for_in_their_order() -> None:
    mapper = learnt()
    [command] = mapper.commands(Tier.T0)
    assert dict(command.arguments) == {"numbers": "*7,*9", "once": ""}
    assert poll(mapper, Tier.T0, {"/modem/monitor": [{"bars": "3"}, {"bars": "4"}]}) == {
        "modem.bars[*7]": 3,
        "modem.bars[*9]": 4,
    }


def test_a_row_too_few_is_nobodys() -> None:
    mapper = learnt()
    assert poll(mapper, Tier.T0, {"/modem/monitor": [{"bars": "3"}]}) == {}


def test_what_is_told_of_a_row_too_few_stays_as_it_was() -> None:
    told = dataclasses.replace(
        SIGNAL, name="told", kind=TableKind.CURRENT_STATE, table="told", fields=columns("bars")
    )
    mapper = mapper_of(dataclasses.replace(MODEM, menus=(MODEMS, told)))
    poll(mapper, Tier.T2, {"/modem/print": [{".id": "*7", "name": "lte1"}, {".id": "*9", "name": "lte2"}]})

    def changes(*bars: str) -> list[tuple[set[str], tuple[str, ...]]]:
        rows = {"/modem/monitor": [{"bars": each} for each in bars]}
        found = mapper.observe(Tier.T0, replies_from(mapper.commands(Tier.T0), rows))
        return [(set(change.upserted), change.removed) for change in found.tables]

    assert changes("3", "4") == [({"*7", "*9"}, ())]
    assert changes("3") == []
    assert changes() == []
    assert changes("3", "5") == [({"*9"}, ())]


def test_a_menu_in_place_of_another_is_read_where_that_is_missing() -> None:
    mapper = learnt()
    old = {"/modem/info": [{"bars": "1"}, {"bars": "2"}]}
    assert poll(mapper, Tier.T0, old) == {}
    assert [command.path for command in mapper.commands(Tier.T0)] == ["/modem/info"]
    assert poll(mapper, Tier.T0, old) == {"modem.bars[*7]": 1, "modem.bars[*9]": 2}
    mapper.set_capabilities(None)
    assert [command.path for command in mapper.commands(Tier.T0)] == ["/modem/monitor"]


def test_without_any_of_its_parts_a_menu_is_not_read() -> None:
    mapper = mapper_of(RADIO)
    assert poll(mapper, Tier.T0, {**ROUTER, "/old/print": [{}]}) == {"radio.clients": 1}
    mapper.set_capabilities(set())
    assert mapper.commands(Tier.T0) == []


def test_rows_of_what_a_device_has_no_more_are_gone() -> None:
    missing = dataclasses.replace(MODEMS, requires="lte")
    mapper = mapper_of(dataclasses.replace(MODEM, menus=(missing, SIGNAL, SIGNAL_BEFORE)))
    modems = {"/modem/print": [{".id": "*7", "name": "lte1"}]}
    [table] = mapper.observe(Tier.T2, replies_from(mapper.commands(Tier.T2), modems)).tables
    assert set(table.upserted) == {"*7"}
    mapper.set_capabilities(set())
    assert mapper.commands(Tier.T0) == []
    [table] = mapper.observe(Tier.T0, []).tables
    assert (table.complete, dict(table.upserted)) == (True, {})


def test_what_is_told_of_things_that_are_all_gone_is_gone_with_them() -> None:
    told = dataclasses.replace(
        SIGNAL,
        name="told",
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T2,
        table="told",
        fields=columns("bars"),
    )
    mapper = mapper_of(dataclasses.replace(MODEM, menus=(MODEMS, told)))
    modems = {"/modem/print": [{".id": "*7", "name": "lte1"}], "/modem/monitor": [{"bars": "3"}]}
    for _ in range(2):
        found = mapper.observe(Tier.T2, replies_from(mapper.commands(Tier.T2), modems))
    assert {table.table: set(table.upserted) for table in found.tables} == {"told": {"*7"}}
    found = mapper.observe(Tier.T2, replies_from(mapper.commands(Tier.T2), {"/modem/print": []}))
    assert [(table.table, table.complete, dict(table.upserted)) for table in found.tables] == [
        ("modem", False, {}),
        ("told", True, {}),
    ]


@pytest.mark.parametrize(("count", "present"), [(0, False), (1, True), (200, True), (201, False)], ids=str)
def test_a_capability_can_be_that_there_are_some_and_few(count: int, present: bool) -> None:
    probe = Probe(capability="few", path="/queue", queries=("dynamic=true", "#!"), at_least=1, at_most=200)
    mapper = mapper_of(dataclasses.replace(RADIO, probes=(probe, *PROBES)))
    [command] = [command for command in mapper.probe_commands() if command.path == "/queue/print"]
    assert command.queries == ("dynamic=true", "#!")
    facts = mapper.probe_facts([reply(command, ret=count)])
    assert {fact.name: (fact.present, fact.detail) for fact in facts.capabilities if fact.name == "few"} == {
        "few": (present, str(count))
    }


def test_without_a_number_nobody_knows_whether_there_are_few() -> None:
    mapper = mapper_of(
        dataclasses.replace(RADIO, probes=(Probe(capability="few", path="/q", at_most=1), *PROBES))
    )
    [command] = [command for command in mapper.probe_commands() if command.path == "/q/print"]
    assert "few" not in {fact.name for fact in mapper.probe_facts([reply(command)]).capabilities}


def test_what_had_rows_once_is_read_on_when_there_are_none_for_a_while() -> None:
    probe = Probe(capability="old", path="/old", at_least=1)
    mapper = mapper_of(dataclasses.replace(RADIO, probes=(probe, *PROBES)))

    def probed(**answer: object) -> bool:
        commands = [command for command in mapper.probe_commands() if command.path == "/old/print"]
        mapper.set_capabilities(mapper.probe_facts([reply(command, **answer) for command in commands]))  # type: ignore[arg-type]
        return "/old/print" in [command.path for command in mapper.commands(Tier.T0)]

    assert not probed(ret=0)
    assert probed(ret=2)
    assert probed(ret=0)
    assert not probed(trap="no such command prefix")
    assert not probed(ret=0)


def test_what_depends_on_a_number_of_rows_waits_for_the_probe() -> None:
    probe = Probe(capability="old", path="/old", at_least=1)
    mapper = mapper_of(dataclasses.replace(RADIO, probes=(probe, *PROBES)))
    assert "/old/print" not in [command.path for command in mapper.commands(Tier.T0)]
    mapper.set_capabilities({"old", "new"})
    assert "/old/print" in [command.path for command in mapper.commands(Tier.T0)]


def too_large(mapper: DeviceMapper) -> list[Reply]:
    replies = []
    for command in mapper.commands(Tier.T0):
        answer = reply(command)
        answer.trap = Trap("too many rows", CANCELLED_TOO_LARGE)
        replies.append(answer)
    return replies


def test_an_answer_that_is_too_large_lets_the_device_be_probed_once() -> None:
    mapper = learnt()
    mapper.observe(Tier.T0, too_large(mapper))
    assert mapper.probe_wanted
    mapper.set_capabilities(None)
    mapper.observe(Tier.T0, too_large(mapper))
    assert not mapper.probe_wanted
    poll(mapper, Tier.T0, {"/modem/monitor": [{"bars": "3"}, {"bars": "4"}]})
    mapper.observe(Tier.T0, too_large(mapper))
    assert mapper.probe_wanted
