"""What lab exporters send is read by the decoders of mtd exactly as it was meant."""

from __future__ import annotations

import dataclasses

import pytest

from mtd.codec.flows import Exporter
from mtd.lab.flows import Dialect, FlowPlan
from mtd.lab.flows.layouts import V5_LAYOUT, layouts_of
from mtd.lab.flows.truth import DIMENSIONS
from mtd.lab.scenario import FlowForm
from mtd.model.flows import DIMENSIONS as MEANT
from tests.unit.lab.flows import kit

TEMPLATED = (FlowForm.NETFLOW9, FlowForm.IPFIX)
PLANS = [
    FlowPlan(FlowForm.NETFLOW5),
    FlowPlan(FlowForm.NETFLOW5, sampling=100),
    *(FlowPlan(form, dialect) for form in TEMPLATED for dialect in Dialect),
    *(FlowPlan(form, sampling=64) for form in TEMPLATED),
    *(FlowPlan(form, sampling=512, sampling_in_records=True) for form in TEMPLATED),
    FlowPlan(FlowForm.SFLOW5, sampling=1000),
    FlowPlan(FlowForm.SFLOW5, agent="127.64.0.9"),
]
COUNT = 700


def named(plan: FlowPlan) -> str:
    told = "records" if plan.sampling_in_records else "options"
    return f"{plan.form}-{plan.dialect}-{plan.sampling}{told if plan.sampling else ''}"


@pytest.mark.parametrize("plan", PLANS, ids=named)
def test_sums_are_those_of_the_truth_by_every_dimension(plan: FlowPlan) -> None:
    made, reader = kit.generator(plan), kit.reader(plan.form)
    flows = [
        one
        for step in range(3)
        for one in kit.feed(reader, made.take(COUNT, kit.NOW_US + step * 1_000_000).datagrams)
    ]
    truth = made.truth
    assert sum(one.count for one in flows) == truth.records == 3 * COUNT
    assert sum(int(one.columns["octets"].sum()) for one in flows) == truth.octets > 0
    assert sum(int(one.columns["packets"].sum()) for one in flows) == truth.packets >= truth.records
    assert kit.sums(flows, "total") == {"": dataclasses.astuple(truth.estimated)}
    for dimension in DIMENSIONS:
        told = {key: dataclasses.astuple(sums) for key, sums in truth.by(dimension).items()}
        assert kit.sums(flows, dimension) == told, dimension
    assert reader.counts.datagrams == truth.datagrams
    assert reader.lost() == 0
    assert not reader.counts.malformed


def test_the_truth_knows_all_that_people_ask_for() -> None:
    assert {name: MEANT[name].columns for name in DIMENSIONS} == {
        name: columns for name, (columns, _) in DIMENSIONS.items()
    }
    told = {name: False for name in DIMENSIONS}
    for plan in PLANS:
        made = kit.generator(plan)
        made.take(COUNT, kit.NOW_US)
        for name in DIMENSIONS:
            told[name] |= len(made.truth.by(name)) > 1
    assert all(told.values()), told


@pytest.mark.parametrize("plan", [plan for plan in PLANS if plan.form in TEMPLATED], ids=named)
def test_every_record_is_read_as_it_was_sent(plan: FlowPlan) -> None:
    made = kit.generator(plan)
    sent = made.take(COUNT, kit.NOW_US)
    layouts = layouts_of(plan.form, plan.dialect)
    by_version = {6 if kit.is_six(one) else 4: one for one in kit.feed(Exporter(), sent.datagrams)}
    assert by_version.keys() == {4, 6}
    for version, flows in by_version.items():
        columns = kit.joined(sent.records, version)
        told = layouts[version].told - kit.UNREAD
        has_times = plan.form is FlowForm.NETFLOW9 or "system_start_ms" in told or "start_ms" in told
        for name in told - {"start_up_ms", "end_up_ms"}:
            assert kit.as_read(flows.columns[name]) == kit.as_sent(columns[name]), name
        if has_times:
            for name in ("start_ms", "end_ms"):
                assert kit.as_read(flows.columns[name]) == kit.as_sent(columns[name]), name
        else:
            assert not {"start_ms", "end_ms"} & flows.columns.keys()
        lasted = columns["end_ms"] - columns["start_ms"]
        assert kit.as_read(flows.columns["duration_ms"]) == kit.as_sent(lasted)
        extra = {"start_ms", "end_ms", "duration_ms", "sampling_interval"}
        assert flows.columns.keys() - extra == told - extra - {"start_up_ms", "end_up_ms"}


def test_every_record_of_version_5_is_read_as_it_was_sent() -> None:
    sent = kit.generator(FlowPlan(FlowForm.NETFLOW5)).take(COUNT, kit.NOW_US + 7_000)
    (flows,) = kit.feed(Exporter(), sent.datagrams)
    columns = kit.joined(sent.records, 4)
    for name in (V5_LAYOUT.told - {"start_up_ms", "end_up_ms"}) | {"start_ms", "end_ms"}:
        assert kit.as_read(flows.columns[name]) == kit.as_sent(columns[name]), name
    assert max(map(len, sent.datagrams)) == 24 + 30 * 48


def test_flows_are_told_when_they_end_or_go_on_for_long() -> None:
    plan = FlowPlan(active_s=60, inactive_s=15)
    columns = kit.joined(kit.generator(plan).take(5000, kit.NOW_US).records, 4)
    now_ms = kit.NOW_US // 1000
    before = now_ms - columns["end_ms"]
    lasted = columns["end_ms"] - columns["start_ms"]
    going_on = before == 0
    assert 0 < going_on.sum() < 2500
    assert set(lasted[going_on].tolist()) == {60_000}
    assert before[~going_on].min() >= 15_000
    assert before[~going_on].max() <= 16_010
    assert lasted.min() >= 0
    assert lasted.max() <= 60_000


def test_the_same_key_sends_the_same_and_another_key_does_not() -> None:
    plan = FlowPlan(FlowForm.IPFIX)
    first, second, other = (kit.generator(plan, key).take(COUNT, kit.NOW_US).datagrams for key in (1, 1, 2))
    assert first == second
    assert first != other


def test_few_talk_much() -> None:
    made = kit.generator(FlowPlan())
    made.take(20_000, kit.NOW_US)
    sums = sorted((one.octets for one in made.truth.by("src_address").values()), reverse=True)
    assert sum(sums[: len(sums) // 10]) > 0.6 * made.truth.estimated.octets
    ports = made.truth.by("src_port")
    assert ports["443"].flows > 4000


def test_neighbours_of_ipv6_are_told_as_routeros_does() -> None:
    columns = kit.joined(kit.generator(FlowPlan()).take(5000, kit.NOW_US).records, 6)
    looking = [place for place, hop in enumerate(columns["next_hop"]) if hop[0] == 0xFF]
    assert looking
    for place in looking:
        assert bytes(columns["next_hop"][place]) == bytes(columns["dst_address"][place])
        assert (columns["out_interface"][place], columns["octets"][place]) == (0, 56)


# -- templates ------------------------------------------------------------------


@pytest.mark.parametrize("form", TEMPLATED)
def test_templates_come_first_and_again_after_so_many_datagrams(form: FlowForm) -> None:
    plan = FlowPlan(form, templates_every=5, v6_pct=0)
    head = 20 if form is FlowForm.NETFLOW9 else 16
    templates = b"\0\0" if form is FlowForm.NETFLOW9 else b"\0\2"
    datagrams = kit.generator(plan).take(COUNT, kit.NOW_US).datagrams
    places = [place for place, one in enumerate(datagrams) if one[head : head + 2] == templates]
    assert places == list(range(0, len(datagrams), 6))


@pytest.mark.parametrize("form", TEMPLATED)
def test_withheld_templates_leave_records_waiting(form: FlowForm) -> None:
    made, exporter = kit.generator(FlowPlan(form)), Exporter()
    made.withhold_templates(kit.NOW_US + 3_000_000)
    for step in range(3):
        assert kit.feed(exporter, made.take(100, kit.NOW_US + step * 1_000_000).datagrams) == []
    assert exporter.counts.held == made.truth.datagrams
    flows = kit.feed(exporter, made.take(100, kit.NOW_US + 3_000_000).datagrams)
    assert sum(one.count for one in flows) == made.truth.records == 400
    assert kit.sums(flows, "src_address") == {
        key: dataclasses.astuple(sums) for key, sums in made.truth.by("src_address").items()
    }


@pytest.mark.parametrize("form", TEMPLATED)
def test_a_restart_begins_numbers_and_uptime_anew(form: FlowForm) -> None:
    made, exporter = kit.generator(FlowPlan(form)), Exporter()
    before = kit.feed(exporter, made.take(COUNT, kit.NOW_US).datagrams)
    later = kit.NOW_US + 20_000_000
    made.restart(later, withheld_s=5)
    sent = made.take(COUNT, later + 2_000_000)
    assert kit.feed(exporter, sent.datagrams) == [], "templates of before may mean something else now"
    last = made.take(COUNT, later + 6_000_000)
    after = kit.feed(exporter, last.datagrams)
    assert sum(one.count for one in (*before, *after)) == made.truth.records
    assert (exporter.counts.restarts, exporter.lost()) == (1, 0)
    (four,) = [one for one in after if not kit.is_six(one)]
    wanted = kit.as_sent(kit.joined([*last.records, *sent.records], 4)["start_ms"])
    assert sorted(kit.as_read(four.columns["start_ms"])) == sorted(wanted)
    assert min(wanted) >= later // 1000


@pytest.mark.parametrize("withheld_s", [0.0, 5.0])
def test_a_router_that_comes_back_with_another_version_has_other_templates_of_the_same_numbers(
    withheld_s: float,
) -> None:
    made, exporter = kit.generator(FlowPlan(FlowForm.IPFIX, Dialect.ROUTEROS6)), Exporter()
    flows = kit.feed(exporter, made.take(COUNT, kit.NOW_US).datagrams)
    made.restart(kit.NOW_US + 20_000_000, withheld_s=withheld_s, dialect=Dialect.ROUTEROS7)
    for second in (21, 26):
        flows += kit.feed(exporter, made.take(COUNT, kit.NOW_US + second * 1_000_000).datagrams)
    assert sum(one.count for one in flows) == made.truth.records
    assert kit.sums(flows, "dst_address") == {
        key: dataclasses.astuple(sums) for key, sums in made.truth.by("dst_address").items()
    }
    assert exporter.counts.templates == 4
