"""The contract that every collector egg passes.

A test module of an egg needs these lines and a folder of samples::

    class TestContract(EggContract):
        collector = COLLECTOR
        samples = Path(__file__).parent.parent / "samples"
        readme = Path(__file__).parent.parent / "README.md"

A sample is a JSON file: a device, and polls with what the router answered and
what is expected of it. ``docs/plugins.md`` describes its fields.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.model.command import Command, Reply, Rows
from mtd.model.device import DEFAULT_TENANT_ID, Device, InterfaceNaming
from mtd.model.metric import Tier, full_key
from mtd.model.observation import Observation
from mtd.plugin.checks import problems_of
from mtd.plugin.declaration import Collector, Menu, TableKind
from mtd.plugin.manager import PluginManager
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.reboot import UPTIME_COMMAND, UPTIME_FIELD
from mtd.testing.egg_readme import readme_problems
from mtd.testing.observations import all_values, series_name, values_of
from mtd.testing.replies import replies_from, reply
from mtd.testing.strategies import rows

# What a poll may cost a router, per menu. Over that, count or lower the tier.
MAX_PROPERTIES = 40
MAX_ROWS = {Tier.T0: 5_000, Tier.T1: 50_000, Tier.T2: 50_000, Tier.T3: 50_000}
MAX_ANSWERS = 15
_UP_S = 1_000_000
_FAR_APART_S = 1e6  # so that no poll of one test is near to another's


@dataclass
class FakeClock:
    """A clock that stands still unless it is moved."""

    at: float = 0.0
    wall_us: int = 1_700_000_000_000_000

    def now_us(self) -> int:
        """Return wall time in microseconds since the epoch."""
        return self.wall_us

    def monotonic(self) -> float:
        """Return monotonic time in seconds."""
        return self.at


def make_device(**changes: Any) -> Device:
    """Return a device for tests."""
    given_fields: dict[str, Any] = {
        "device_id": "6f1c1a52-6f0e-4a55-9d0c-0d8f4b9a2f01",
        "tenant_id": DEFAULT_TENANT_ID,
        "name": "edge-1",
        "host": "192.0.2.1",
        "port": 8728,
        "username": "monitor",
        "password": "",
    }
    return Device(**(given_fields | changes))


def every_capability(*collectors: Collector) -> set[str]:
    """Return all capabilities that menus require: a device that has them all, until it says otherwise."""
    menus = [menu for collector in collectors for menu in collector.menus]
    return {menu.requires for menu in menus} | {
        companion.requires for menu in menus for companion in menu.companions
    }


class Replay:
    """A sample being played: a device with one collector.

    With ``widen`` each answer has a column for all that was asked for, filled or not.
    """

    def __init__(self, collector: Collector, sample: Mapping[str, Any], *, widen: bool = False) -> None:
        self._widen = widen
        device = dict(sample.get("device", {}))
        if "naming" in device:
            device["naming"] = InterfaceNaming(device["naming"])
        self.clock = FakeClock()
        self.wall_us: int | None = None
        self.mapper = DeviceMapper(
            make_device(**device),
            [collector],
            every_capability(collector) - set(sample.get("lacks", ())),
            clock=self.clock,
        )

    def poll(self, poll: Mapping[str, Any]) -> Observation:
        """Play one poll; return what it brought."""
        tier = Tier(poll["tier"])
        self.clock.at = float(poll.get("at", 0.0))
        self.wall_us = _wall_us(poll["wall"]) if "wall" in poll else None
        commands = self.mapper.commands(tier)
        return self.mapper.observe(tier, self.answers(commands, poll["menus"]))

    def answers(self, commands: Sequence[Command], menus: Mapping[str, Any]) -> list[Reply]:
        """Answer commands as the sample says: rows, ``{"trap": text}``, ``{"count": n}``, or no such menu.

        What is answered to some query words only has them behind its path:
        ``/ip/route/print ?active=true``. A sample needn't tell the uptime, which
        every router has: it runs with the polls' time.
        """
        running = {UPTIME_COMMAND.path: [{UPTIME_FIELD: f"{_UP_S + self.clock.at:.0f}s"}]}
        answers = []
        for command in commands:
            asked = " ?".join((command.path, *command.queries))
            content = menus.get(asked, menus.get(command.path, running.get(command.path)))
            if isinstance(content, dict):
                answers.append(
                    reply(
                        command,
                        at=self.clock.at,
                        wall_us=self.wall_us,
                        trap=content.get("trap"),
                        ret=content.get("count"),
                    )
                )
            else:
                rows_by_path = {} if content is None else {command.path: content}
                answers += replies_from([command], rows_by_path, at=self.clock.at, wall_us=self.wall_us)
        if self._widen:
            for answer in answers:
                empty = dict.fromkeys(answer.command.proplist, (None,) * answer.rows.count)
                answer.rows = Rows(answer.rows.count, {**empty, **answer.rows.columns})
        return answers


class EggContract:
    """Subclass it as ``Test...`` in the egg's tests, and name the collector, its samples, and its README if it has one."""

    collector: ClassVar[Collector]
    samples: ClassVar[Path]
    readme: ClassVar[Path | None] = None

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """Run the tests of samples once for each."""
        if "sample" in metafunc.fixturenames:
            paths = sorted(cls.samples.glob("*.json"))
            loaded = [json.loads(path.read_text()) for path in paths]
            metafunc.parametrize("sample", loaded, ids=[path.stem for path in paths])

    def test_it_has_samples(self) -> None:
        """Every menu is answered in some sample."""
        answered = {
            (poll["tier"], path.partition(" ?")[0])
            for path_of_sample in self.samples.glob("*.json")
            for poll in json.loads(path_of_sample.read_text())["polls"]
            for path, content in poll["menus"].items()
            if not isinstance(content, dict) or "count" in content
        }
        unanswered = [m.name for m in self.collector.menus if (m.tier, m.command_path) not in answered]
        assert unanswered == []

    def test_declaration_is_valid(self) -> None:
        """Nothing that the host would refuse."""
        assert problems_of(self.collector) == []

    def test_readme_describes_what_is_read(self) -> None:
        """Menus, tiers, tables, rights and events are in the README."""
        if self.readme is None:
            pytest.skip("no README is named")
        assert readme_problems(self.collector, self.readme.read_text(encoding="utf-8")) == []

    def test_every_command_names_its_properties(self) -> None:
        """A router is never asked for all it knows."""
        for menu in self.collector.menus:
            assert menu.to_command(("*1",)).proplist, menu.name

    def test_cost_is_limited(self) -> None:
        """Properties and rows are few enough for the tier."""
        for menu in self.collector.menus:
            assert len(menu.proplist) <= MAX_PROPERTIES, menu.name
            assert 0 < menu.max_rows <= MAX_ROWS[menu.tier], menu.name
            assert 0 < menu.max_bytes <= 16 * 1024 * 1024, menu.name
            for companion in menu.companions:
                assert 0 < len(companion.reads) <= MAX_PROPERTIES, (menu.name, companion.name)
                assert 0 < companion.max_rows <= MAX_ROWS[menu.tier], (menu.name, companion.name)
                assert 0 < companion.max_bytes <= 16 * 1024 * 1024, (menu.name, companion.name)

    def test_keys_and_units_are_in_the_catalogue(self) -> None:
        """The catalogue that is made of it knows each key, and people can read it."""
        catalogue = PluginManager.of(self.collector).catalogue
        for metric in self.collector.metrics():
            assert catalogue.metric(metric.key) == metric
            assert catalogue.collector_of(metric.key) == self.collector.name
            assert full_key(metric.key, metric.scope, "x").endswith(metric.key.removeprefix(metric.scope))

    def test_sample_gives_what_is_expected(self, sample: dict[str, Any]) -> None:
        """Values, events, tables and documents are as the sample says."""
        replay = Replay(self.collector, sample)
        for number, poll in enumerate(sample["polls"]):
            observation = replay.poll(poll)
            assert_expected(observation, poll.get("expect", {}), f"poll {number}")

    def test_columns_that_other_routers_fill_change_nothing(self, sample: dict[str, Any]) -> None:
        """One pattern reads routers of several versions, and has the columns of all: some are empty then."""
        replay = Replay(self.collector, sample, widen=True)
        for number, poll in enumerate(sample["polls"]):
            assert_expected(replay.poll(poll), poll.get("expect", {}), f"poll {number}")

    def test_absent_fields_stay_absent(self, sample: dict[str, Any]) -> None:
        """Without a field its series have no value, and all others have theirs."""
        for poll in sample["polls"]:
            for menu, field, key in _plain_fields(self.collector, poll):
                whole = values_of(Replay(self.collector, _alone(sample, poll)).poll(poll).frame)
                cut = values_of(
                    Replay(self.collector, _alone(sample, poll)).poll(_without(poll, menu, field)).frame
                )
                made = _keys_made_of(self.collector, menu)
                whole, cut = (
                    {name: value for name, value in values.items() if name.partition("[")[0] not in made}
                    for values in (whole, cut)
                )
                named = {name for name in whole if name == key or name.startswith(key + "[")}
                assert named.isdisjoint(cut), f"{key} has values without its field {field}"
                assert {name: whole[name] for name in cut if name in whole} == cut
                assert set(whole) - named == set(cut)

    def test_missing_menus_are_no_error(self) -> None:
        """A router without any of the menus is left alone after the first answer; so are menus in place of others."""
        replay = Replay(self.collector, {})
        for tier in Tier:
            for _ in range(2):
                commands = replay.mapper.commands(tier)
                missing = {command.path: {"trap": "no such command prefix"} for command in commands}
                observation = replay.poll({"tier": tier, "menus": missing})
                assert observation.frame is None
                assert _quarantines(observation) == []
            remaining = {command.path for command in replay.mapper.commands(tier)}
            assert remaining <= {UPTIME_COMMAND.path}

    def test_garbage_never_raises(self) -> None:
        """Whatever a router sends, nothing raises; what can't be read has no value."""
        # Each example asks all menus: of a large egg there are as many answers in fewer of them.
        examples = max(15, min(60, 600 // len(self.collector.menus)))

        # Not decorated itself: it is run once for each egg, and pytest-twisted wraps a test for good.
        @settings(max_examples=examples, deadline=None)
        @given(data=st.data())
        def check(data: st.DataObject) -> None:
            replay = Replay(self.collector, {})
            for moment, tier in enumerate([*Tier, *Tier]):
                replay.clock.at = moment * _FAR_APART_S
                answers = []
                asked = replay.mapper.commands(tier)
                # Of very many menus a few answer, others in the next example: Hypothesis makes no more at once.
                first = data.draw(st.integers(0, max(0, len(asked) - MAX_ANSWERS)))
                for command in asked[first : first + MAX_ANSWERS]:
                    answer = reply(command, at=replay.clock.at, ret=data.draw(st.binary(max_size=8)))
                    answer.rows = data.draw(rows(*command.proplist))
                    answers.append(answer)
                observation = replay.mapper.observe(tier, answers)
                assert _quarantines(observation) == []
                for value in values_of(observation.frame).values():
                    assert abs(value) < float("inf")

        check()


def assert_expected(observation: Observation, expect: Mapping[str, Any], where: str) -> None:
    """Compare an observation with the part ``expect`` of a sample's poll."""
    values = all_values(observation.frame)
    for name, wanted in expect.get("values", {}).items():
        assert name in values, f"{where}: {name} isn't there"
        assert values[name] == pytest.approx(wanted, rel=1e-9), f"{where}: {name}"
    for name in expect.get("absent", ()):
        assert values.get(name) is None, f"{where}: {name} should be absent"
    if "events" in expect:
        found = [
            {name: getattr(change, name) for name in wanted}
            for change, wanted in zip(observation.state_changes, expect["events"], strict=False)
        ]
        assert len(observation.state_changes) == len(expect["events"]), (
            f"{where}: {observation.state_changes}"
        )
        assert found == expect["events"], where
    tables = {change.table: change for change in observation.tables}
    for name, wanted in expect.get("tables", {}).items():
        assert name in tables, f"{where}: table {name} has no change"
        change = tables[name]
        assert change.complete is wanted.get("complete", False), f"{where}: {name}"
        assert {key: dict(row) for key, row in change.upserted.items()} == wanted.get("upserted", {}), where
        assert list(change.removed) == wanted.get("removed", []), f"{where}: {name}"
    if "tables" in expect:
        assert set(tables) == set(expect["tables"]), where
    if "documents" in expect:
        documents = {document.kind: json.loads(document.content) for document in observation.documents}
        assert documents == expect["documents"], where


def _quarantines(observation: Observation) -> list[str]:
    return [
        change.message for change in observation.state_changes if change.event_type == "collector.quarantined"
    ]


def _plain_fields(collector: Collector, poll: Mapping[str, Any]) -> Iterator[tuple[Menu, str, str]]:
    """Yield (menu, field, key) of the metric fields that a poll's menus are mapped from without code."""
    for menu in collector.menus:
        content = poll["menus"].get(menu.command_path)
        if menu.tier != poll["tier"] or not isinstance(content, list):
            continue
        if menu.transform is not None or menu.join is not None:
            continue
        if menu.kind is not TableKind.METRICS or menu.keyed_by_name:
            continue
        for metric, field in zip(_metrics_of_fields(menu), menu.fields, strict=True):
            yield menu, field.field, metric


def _keys_made_of(collector: Collector, read: Menu) -> set[str]:
    """Return the keys of metrics that code makes of what a menu reads, too."""
    return {
        metric.key
        for menu in collector.menus
        if menu.command_path == read.command_path and (menu.transform is not None or menu.join is not None)
        for metric in menu.metrics()
    }


def _metrics_of_fields(menu: Menu) -> list[str]:
    return [str(getattr(field, "key", "")) for field in menu.fields]


def _wall_us(text: str) -> int:
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1e6)


def _alone(sample: Mapping[str, Any], poll: Mapping[str, Any]) -> dict[str, Any]:
    return {"device": sample.get("device", {}), "polls": [poll]}


def _without(poll: Mapping[str, Any], menu: Menu, field: str) -> dict[str, Any]:
    menus = dict(poll["menus"])
    menus[menu.command_path] = [
        {name: value for name, value in row.items() if name != field} for row in menus[menu.command_path]
    ]
    return {**poll, "menus": menus}


__all__ = ["EggContract", "FakeClock", "Replay", "assert_expected", "make_device", "series_name"]
