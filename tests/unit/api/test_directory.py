from __future__ import annotations

from dataclasses import replace

from mtd.api.grpc.directory import Directory, KnownDevice
from mtd.model.device import InterfaceNaming
from mtd.model.labels import LabelSource
from tests.unit.api.fakes import INTERFACE, TENANT, device


def known() -> KnownDevice:
    one = KnownDevice(TENANT, "d1", "r1")
    one.name_things(INTERFACE, {"*1": ("ether1", "Uplink"), "*2": ("ether2", "")}, complete=True)
    return one


def test_labels_follow_the_naming_of_the_device() -> None:
    one = known()
    assert [one.label("iface", key) for key in ("*1", "*2", "*3", "")] == ["ether1", "ether2", "*3", ""]
    one.rename("r1", InterfaceNaming.BOTH)
    assert one.names([("iface", "*1"), ("iface", "*2")]) == ("r1", "ether1 (Uplink)", "ether2")
    assert one.label("disk", "*1") == "*1"


def test_version_grows_only_when_people_would_read_something_else() -> None:
    one = known()
    version = one.version
    one.name_things(INTERFACE, {"*1": ("ether1", "Uplink")})
    assert not one.rename("r1", InterfaceNaming.NAME)
    assert one.version == version
    one.name_things(INTERFACE, {"*1": ("wan", "Uplink")})
    assert one.version == version + 1


def test_removed_rows_and_complete_tables_forget_names() -> None:
    one = known()
    one.name_things(INTERFACE, {}, removed=["*1", "*9"])
    assert one.label("iface", "*1") == "*1"
    one.name_things(INTERFACE, {"*5": ("ether5", "")}, complete=True)
    assert one.things["iface"] == {"*5": ("ether5", "")}


def test_several_tables_of_a_scope_name_its_things_the_first_goes_before() -> None:
    one = KnownDevice(TENANT, "d1", "r1")
    old = LabelSource("ospf", "neighbor", name="router-id")
    new = LabelSource("ospf", "neighbor_v3", name="router-id", place=1)
    one.name_things(new, {"*1": ("v3", ""), "*2": ("both-v3", "")}, complete=True)
    one.name_things(old, {"*2": ("both", ""), "*3": ("", "")}, complete=True)
    assert [one.label("ospf", key) for key in ("*1", "*2", "*3")] == ["v3", "both", "*3"]
    one.name_things(old, {}, complete=True)
    assert [one.label("ospf", key) for key in ("*1", "*2")] == ["v3", "both-v3"]
    assert set(one.things_of(new)) == {"*1", "*2"}


def test_types_are_those_of_interfaces() -> None:
    one = known()
    one.type_things(INTERFACE, {"*1": "ether", "*2": "vlan"}, complete=True)
    assert (one.types, one.types_version) == ({"*1": "ether", "*2": "vlan"}, 1)
    one.type_things(INTERFACE, {"*1": "ether"}, removed=["*9"])
    one.type_things(replace(INTERFACE, scope="ethernet"), {"*1": "x"}, complete=True)
    assert one.types_version == 1
    one.type_things(INTERFACE, {"*3": "bridge"}, removed=["*2"])
    assert (one.types, one.types_version) == ({"*1": "ether", "*3": "bridge"}, 2)


def test_the_inventory_decides_which_devices_there_are() -> None:
    directory = Directory()
    early = directory.get(TENANT, "d1")
    assert early is not None
    assert early.name == "d1"
    renamed, gone = directory.apply([device("d1", "r1"), device("d2", "r2")])
    assert {one.name for one in renamed} == {"r1", "r2"}
    assert not gone
    assert directory.get(TENANT, "d1") is early
    assert directory.get(TENANT, "d3") is None
    renamed, gone = directory.apply([device("d2", "r2")])
    assert not renamed
    assert gone == [early]
    assert directory.get(TENANT, "d1") is None
