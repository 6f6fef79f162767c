"""Several menus of one device whose rows are chosen: they share what may be read, and don't wait for each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mtd.model.metric import Tier, Unit
from mtd.model.observation import Observation
from mtd.model.selection import TABLE, T0Settings, Why
from mtd.plugin import Chooses, Collector, Counter, Menu, Selectable, TableKind, columns
from mtd.plugin.config import T0Config
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from tests.unit.plugin.conftest import PORTS, Scene
from tests.unit.plugin.conftest import TABLE as NAMES

LANES = Menu(
    name="lanes",
    path="/lane",
    kind=TableKind.METRICS,
    tier=Tier.T0,
    row_key=".id",
    scope="lane",
    selectable=Selectable(traffic=("sent",), noun="queue"),
    fields=(
        Counter(field="sent", key="lane.sent_total", unit=Unit.BYTES, description="Sent.", since="1"),
        Counter(field="lost", key="lane.lost_total", unit=Unit.BYTES, description="Lost.", since="1"),
    ),
)
ROUTES = Menu(
    name="routes",
    path="/route",
    kind=TableKind.CURRENT_STATE,
    tier=Tier.T3,
    table="route",
    row_key=".id",
    fields=columns("interface"),
    chooses=(Chooses(why=Why.UPLINK, scope="port", field="interface"),),
)
EGG = Collector(
    name="ports",
    api=1,
    description="Ports.",
    menus=(replace(PORTS, selectable=Selectable(traffic=("byte",), noun="interface")), NAMES, LANES, ROUTES),
)

Poll = Callable[..., Observation]


@pytest.fixture
def start() -> Callable[..., Scene]:
    def make(*pins: str, **config: Any) -> Scene:
        device, clock = replace(make_device(), t0=T0Settings(pins=pins)), FakeClock()
        return Scene(DeviceMapper(device, [EGG], t0=T0Config(**config), clock=clock), clock)

    return make


def rows(count: int, **counted: int) -> list[dict[str, Any]]:
    return [
        {".id": f"*{number}", "name": f"row{number}", "up": True, "off": False}
        | {name: each * number for name, each in counted.items()}
        for number in range(1, count + 1)
    ]


def play(scene: Scene, ports: int, lanes: int, *tiers: Tier) -> list[dict[str, str]]:
    """Poll these tiers; return what was told to be chosen, table by table."""
    told = []
    for at, tier in enumerate(tiers):
        out = scene.poll(
            tier, float(at), port=rows(ports, byte=100, flaps=1), lane=rows(lanes, sent=100, lost=1), route=[]
        )
        told += [
            {f"{row['scope']} {row['instance']}": row["reason"] for row in change.upserted.values()}
            for change in out.tables
            if change.table == TABLE
        ]
    return told


def asked(scene: Scene, tier: Tier, path: str) -> Sequence[str] | None:
    for command in scene.mapper.commands(tier):
        if command.path == path and {"byte", "sent"} & set(command.proplist):
            return command.queries
    return None


def test_each_kind_has_the_cap_and_what_comes_first_has_more_of_the_values(
    start: Callable[..., Scene],
) -> None:
    scene = start(interfaces=3, metrics=3 * 3 + 1 * 2 + 1)
    play(scene, 5, 5, Tier.T0, Tier.T1, Tier.T0)
    assert asked(scene, Tier.T0, "/port/print") == (".id=*3", ".id=*4", ".id=*5", "#||")
    assert asked(scene, Tier.T0, "/lane/print") == (".id=*5",)  # there is room for one of two values
    assert asked(scene, Tier.T1, "/lane/print") == (".id=*5", "#!")


def test_a_kind_of_which_there_is_nothing_keeps_nobody_waiting(start: Callable[..., Scene]) -> None:
    scene = start(interfaces=1)
    (told,) = play(scene, 3, 0, Tier.T0, Tier.T1, Tier.T3, Tier.T0, Tier.T1)
    assert told == {"port *3": "traffic"}


def test_why_is_told_before_the_tables_that_choose_were_read(start: Callable[..., Scene]) -> None:
    scene = start(interfaces=2)
    assert play(scene, 3, 1, Tier.T0) == [{"port *2": "traffic", "port *3": "traffic"}]


def test_of_a_kind_that_is_gone_after_a_restart_nothing_is_told_any_more(start: Callable[..., Scene]) -> None:
    scene = start(interfaces=1)
    chosen = {"tier": "t0", "rest": "t1", "reason": "traffic"}
    scene.mapper.restore_table(TABLE, {"lane:*9": {**chosen, "scope": "lane", "instance": "*9"}})
    assert play(scene, 1, 0, Tier.T0, Tier.T1) == [{}]


def test_what_was_pinned_before_a_restart_goes_by_its_traffic_and_what_was_busy_stays(
    start: Callable[..., Scene],
) -> None:
    scene = start(interfaces=2)
    chosen = {"tier": "t0", "rest": "t1", "scope": "port"}
    before = {
        "port:*1": {**chosen, "instance": "*1", "reason": "pinned"},
        "port:*2": {**chosen, "instance": "*2", "reason": "traffic"},
    }
    scene.mapper.restore_table(TABLE, before)
    told = play(scene, 4, 0, Tier.T0, Tier.T1, Tier.T3, Tier.T1)
    assert told[-1] == {"port *2": "traffic", "port *4": "traffic"}


def test_a_pin_is_an_interface_though_a_queue_has_the_same_id(start: Callable[..., Scene]) -> None:
    scene = start("*1", interfaces=1)
    told = play(scene, 3, 3, Tier.T0, Tier.T1)
    assert told[-1] == {"port *1": "pinned", "lane *3": "traffic"}
