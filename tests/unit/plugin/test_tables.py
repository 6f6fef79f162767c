from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.documents import canonical_json
from mtd.model.metric import Tier
from mtd.model.observation import Observation, TableChange
from mtd.plugin import Collector, Level, Menu, TableKind, columns
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.table_events import MOST_TOLD
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import all_values, events_of, values_of
from mtd.testing.replies import replies_from
from tests.unit.plugin.conftest import PORTS_EGG, Scene, port

ONE = {".id": "*1", "name": "wan", "serial": "a"}
TWO = {".id": "*2", "name": "lan", "comment": "Office", "serial": "b"}


def table(observation: Observation) -> TableChange | None:
    assert len(observation.tables) <= 1
    return observation.tables[0] if observation.tables else None


def test_the_first_read_is_complete_and_then_only_changes_are_told(scene: Scene) -> None:
    first = table(scene.poll(Tier.T1, 0.0, port=[ONE, TWO]))
    assert first == TableChange("port", complete=True, upserted={"*1": ONE, "*2": TWO})
    assert table(scene.poll(Tier.T1, 10.0, port=[ONE, TWO])) is None
    assert table(scene.poll(Tier.T1, 20.0, port=[TWO, ONE])) is None
    changed = table(scene.poll(Tier.T1, 30.0, port=[ONE, TWO | {"comment": "Lab"}]))
    assert changed == TableChange("port", complete=False, upserted={"*2": TWO | {"comment": "Lab"}})
    removed = table(scene.poll(Tier.T1, 40.0, port=[ONE]))
    assert removed == TableChange("port", complete=False, upserted={}, removed=("*2",))


def test_an_empty_table_is_complete_too(scene: Scene) -> None:
    assert table(scene.poll(Tier.T1, 0.0, port=[])) == TableChange("port", complete=True, upserted={})
    assert table(scene.poll(Tier.T1, 10.0, port=[])) is None


def test_a_field_that_the_router_did_not_give_is_missing_and_not_empty(scene: Scene) -> None:
    change = table(scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "", "serial": "a"}]))
    assert change is not None
    assert change.upserted == {"*1": {".id": "*1", "name": "", "serial": "a"}}


def test_a_failed_read_removes_nothing(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[ONE])
    assert scene.refuse(Tier.T1, 10.0, "interrupted").tables == []
    assert table(scene.poll(Tier.T1, 20.0, port=[ONE])) is None


def test_rows_and_fields_raise_the_events_that_they_declare(scene: Scene) -> None:
    assert scene.poll(Tier.T1, 0.0, port=[ONE]).state_changes == []
    [added] = scene.poll(Tier.T1, 10.0, port=[ONE, TWO]).state_changes
    assert (added.event_type, added.entity_id, added.message) == ("port.added", "*2", "lan came")
    [renamed] = scene.poll(Tier.T1, 20.0, port=[ONE | {"name": "up"}, TWO]).state_changes
    assert (renamed.event_type, renamed.old, renamed.new, renamed.message) == (
        "port.renamed",
        "wan",
        "up",
        "wan > up",
    )
    [gone] = scene.poll(Tier.T1, 30.0, port=[TWO]).state_changes
    assert (gone.event_type, gone.message) == ("port.removed", "up went")


def test_a_rename_keeps_the_history(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[ONE])
    scene.ports(0.0, port(1, byte=0))
    scene.poll(Tier.T1, 0.5, port=[ONE | {"name": "uplink"}])
    frame = scene.ports(1.0, port(1, byte=100, up=False)).frame
    assert values_of(frame)["port.rx_bps[*1]"] == 800.0


def test_an_id_that_is_used_again_is_another_thing(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[ONE])
    scene.ports(0.0, port(1, byte=0))
    other = ONE | {"serial": "z"}
    observation = scene.poll(Tier.T1, 0.5, port=[other])
    assert table(observation) == TableChange(
        "port", complete=False, upserted={"*1@2": other}, removed=("*1",)
    )
    assert events_of(observation, "port.renamed") == []
    values = all_values(scene.ports(1.0, port(1, byte=100)).frame)
    assert values["port.rx_bps[*1@2]"] is None
    assert "port.rx_bps[*1]" not in values
    assert values_of(scene.ports(2.0, port(1, byte=200)).frame)["port.rx_bps[*1@2]"] == 800.0
    assert table(scene.poll(Tier.T1, 10.0, port=[ONE | {"serial": "q"}])).upserted.keys() == {"*1@3"}  # type: ignore[union-attr]


def test_after_a_restart_an_id_that_was_used_again_is_still_another_thing(
    make_scene: Callable[..., Scene],
) -> None:
    before = make_scene()
    before.poll(Tier.T1, 0.0, port=[ONE, TWO])
    before.poll(Tier.T1, 10.0, port=[ONE | {"serial": "z"}, TWO])
    kept: Mapping[str, Mapping[str, str]] = {"*1@2": ONE | {"serial": "z"}, "*2": TWO}

    after = make_scene()
    after.mapper.restore_table("port", kept)
    first = table(after.poll(Tier.T1, 20.0, port=[ONE | {"serial": "z"}, TWO | {"serial": "new"}]))
    assert first is not None
    assert first.complete
    assert set(first.upserted) == {"*1@2", "*2@2"}
    assert values_of(after.ports(21.0, port(1, byte=5)).frame)["port.rx_bytes_total[*1@2]"] == 5


def test_an_id_with_an_at_sign_is_not_taken_for_one_that_was_used_again(
    make_scene: Callable[..., Scene],
) -> None:
    mail: Mapping[str, str] = {".id": "user@isp", "name": "wan", "serial": "a"}
    numbered: Mapping[str, str] = {".id": "user@2", "name": "lan", "serial": "b"}
    scene = make_scene()
    scene.mapper.restore_table("port", {"user@isp": mail, "user@2": numbered})
    plain = {".id": "user", "name": "third", "serial": "c"}
    first = table(scene.poll(Tier.T1, 0.0, port=[mail, numbered, plain]))
    assert first is not None
    assert set(first.upserted) == {"user@isp", "user@2", "user"}
    others = [{**row, "serial": row["serial"] + "!"} for row in (mail, numbered, plain)]
    again = table(scene.poll(Tier.T1, 10.0, port=others))
    assert again is not None
    assert set(again.upserted) == {"user@isp@2", "user@2@2", "user@3"}

    after = make_scene()
    after.mapper.restore_table("port", again.upserted)
    kept = table(after.poll(Tier.T1, 20.0, port=others))
    assert kept is not None
    assert set(kept.upserted) == {"user@isp@2", "user@2@2", "user@3"}


def test_names_given_to_another_thing_follow_it(scene: Scene) -> None:
    scene.poll(Tier.T1, 0.0, port=[ONE, TWO])
    swapped = [ONE | {"name": "lan"}, TWO | {"name": "wan"}]
    frame = scene.poll(Tier.T1, 10.0, port=swapped, port_monitor=[{"name": "wan", "speed": 5}]).frame
    assert values_of(frame) == {"port.speed_bps[*2]": 5.0}
    frame = scene.poll(
        Tier.T1, 20.0, port=[ONE | {"name": "lan"}], port_monitor=[{"name": "wan", "speed": 5}]
    ).frame
    assert values_of(frame) == {}


def test_text_in_the_code_page_of_the_device(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(code_page="cp1251")
    change = table(
        scene.poll(Tier.T1, 0.0, port=[{".id": "*1", "name": "апартамент".encode("cp1251"), "serial": "a"}])
    )
    assert change is not None
    assert change.upserted["*1"]["name"] == "апартамент"


def test_a_snapshot_is_told_first_and_then_when_it_changed(scene: Scene) -> None:
    [document] = scene.poll(Tier.T3, 0.0, note=[{"text": "hé", "author": "b", "secret": "x"}]).documents
    assert document.content == '{"author":"b","text":"hé"}'.encode()
    assert document.sha256 == hashlib.sha256(document.content).digest()
    assert scene.poll(Tier.T3, 900.0, note=[{"author": "b", "text": "hé"}]).documents == []
    assert len(scene.poll(Tier.T3, 1800.0, note=[{"author": "c"}]).documents) == 1
    assert scene.poll(Tier.T3, 2700.0, note=[]).documents == []


def test_a_snapshot_is_told_again_after_a_restart(make_scene: Callable[..., Scene]) -> None:
    sent = [make_scene().poll(Tier.T3, 0.0, note=[{"text": "a"}]).documents for _ in range(2)]
    assert sent[0] == sent[1] != []


@given(document=st.dictionaries(st.text(), st.text()), other=st.dictionaries(st.text(), st.text()))
def test_canonical_json_is_equal_for_equal_documents_only(
    document: dict[str, str], other: dict[str, str]
) -> None:
    shuffled = dict(reversed(document.items()))
    assert canonical_json(document) == canonical_json(shuffled)
    assert json.loads(canonical_json(document)) == document
    assert (canonical_json(document) == canonical_json(other)) is (document == other)


names = st.sampled_from(["a", "b", "c"])
rows = st.lists(
    st.fixed_dictionaries({".id": st.sampled_from(["*1", "*2", "*3"]), "name": names}),
    unique_by=lambda r: r[".id"],
)


@given(reads=st.lists(rows, min_size=1, max_size=8))
def test_changes_add_up_to_the_table(reads: list[list[dict[str, Any]]]) -> None:
    """Whoever applies the changes has what the router has, after every read."""
    scene = Scene(DeviceMapper(make_device(), [PORTS_EGG], clock=FakeClock()), FakeClock())
    applied: dict[str, Mapping[str, str]] = {}
    for number, read in enumerate(reads):
        change = table(scene.poll(Tier.T1, number * 10.0, port=read))
        if change is not None:
            if change.complete:
                applied = {}
            applied.update(change.upserted)
            for key in change.removed:
                del applied[key]
        assert applied == {row[".id"]: row for row in read}


@pytest.mark.parametrize("row", [{"name": "x"}, {".id": "", "name": "x"}])
def test_rows_without_an_id_are_left_out(scene: Scene, row: dict[str, str]) -> None:
    change = table(scene.poll(Tier.T1, 0.0, port=[ONE, row]))
    assert change is not None
    assert set(change.upserted) == {"*1"}


def levels(*signals: str) -> list[str | None]:
    """Return what is told of a signal, read by read; None where nothing is."""
    menu = Menu(
        name="clients",
        path="/client",
        kind=TableKind.CURRENT_STATE,
        tier=Tier.T1,
        table="client",
        row_key=".id",
        fields=(*columns("band"), Level(field="signal", within=5)),
    )
    egg = Collector(name="clients", api=1, description="Clients.", menus=(menu,))
    mapper = DeviceMapper(make_device(), [egg], clock=FakeClock())
    told: list[str | None] = []
    for at, signal in enumerate(signals):
        rows = {"/client/print": [{".id": "*1", "band": "5ghz"} | ({"signal": signal} if signal else {})]}
        found = mapper.observe(Tier.T1, replies_from(mapper.commands(Tier.T1), rows, at=float(at)))
        changes = [change.upserted["*1"] for change in found.tables]
        told += [row.get("signal", "") for row in changes] or [None]
    return told


def test_a_level_is_told_again_when_it_is_off_by_more_than_it_may() -> None:
    assert levels("-64", "-66", "-64", "-69", "-70", "-66") == ["-64", None, None, None, "-70", None]
    assert levels("-64", "", "-64", "?", "-64.4") == ["-64", "", "-64", "", "-64"]


def test_of_very_many_changes_of_a_column_not_each_is_an_event(scene: Scene) -> None:
    ports = [{".id": f"*{number}", "name": f"port{number}", "serial": "x"} for number in range(1, 1_001)]
    scene.poll(Tier.T1, 0.0, port=ports)
    renamed = [row | {"name": f"{row['name']}-new"} for row in ports]
    found = scene.poll(Tier.T1, 10.0, port=renamed)
    assert len(events_of(found, "port.renamed")) == MOST_TOLD
    (rest,) = events_of(found, "table.rows.changed")
    assert (rest.new, rest.entity_type) == ("700", "port")
    assert rest.message.startswith("700 more rows of port changed their name")
