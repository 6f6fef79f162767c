"""Field masks of readers."""

from __future__ import annotations

import contextlib

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.convert import SETTING_NAMES, SettingsRefused, changes_of
from mtd.api.grpc.masks import MaskRefused, masked, read_mask_of
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb

DEVICE = pb.Device(
    id="d1",
    settings=pb.DeviceSettings(
        name="r1", labels={"a": "1"}, t0=pb.T0Settings(pins=["ether1"], metrics="all")
    ),
    status=1,
    capabilities={"rest": ""},
)


def test_no_mask_and_a_star_show_everything() -> None:
    for paths in ((), ("*",), ("id", "*")):
        assert masked(DEVICE, read_mask_of(pb.Device, paths)) is DEVICE


def test_a_mask_shows_what_it_names() -> None:
    shown = masked(DEVICE, read_mask_of(pb.Device, ["id", "settings.t0.pins", "settings.labels"]))
    assert shown == pb.Device(
        id="d1", settings=pb.DeviceSettings(labels={"a": "1"}, t0=pb.T0Settings(pins=["ether1"]))
    )


@pytest.mark.parametrize(
    "path", ["", "x", "id.x", "settings.x", "capabilities.rest", "settings.labels.a", "ways.way", "a" * 5000]
)
def test_what_is_not_a_field_is_refused_shortly(path: str) -> None:
    with pytest.raises(MaskRefused, match="read_mask: Device has no") as refused:
        read_mask_of(pb.Device, [path])
    assert len(str(refused.value)) < 200


def test_a_mask_has_an_end() -> None:
    with pytest.raises(MaskRefused, match="too many"):
        read_mask_of(pb.Device, [f"f{number}" for number in range(201)])


_FIELDS = st.sampled_from(
    [
        *(field.name for field in pb.Device.DESCRIPTOR.fields),
        *(f"settings.{field.name}" for field in pb.DeviceSettings.DESCRIPTOR.fields),
    ]
)

_SETTINGS = st.sampled_from(sorted(SETTING_NAMES))


@given(st.lists(_FIELDS, max_size=10))
def test_a_mask_shows_as_much_as_protobuf_says(paths: list[str]) -> None:
    mask = read_mask_of(pb.Device, paths)
    shown = masked(DEVICE, mask)
    if not paths:
        assert shown == DEVICE
        return
    expected = pb.Device()
    FieldMask(paths=paths).MergeMessage(DEVICE, expected)
    assert shown == expected


@given(st.lists(st.text(alphabet=st.sampled_from("ab.*_settingsid"), max_size=12), max_size=5))
def test_any_mask_is_taken_or_refused(paths: list[str]) -> None:
    with contextlib.suppress(MaskRefused):
        masked(DEVICE, read_mask_of(pb.Device, paths))


@given(st.lists(_SETTINGS | st.text(max_size=12), max_size=6))
def test_an_update_changes_what_its_mask_names_or_nothing(paths: list[str]) -> None:
    given_settings = pb.DeviceSettings(name="r2", host="h2", tls_mode=1, site="graz", groups=["b", "a", "b"])
    unknown = set(paths) - set(SETTING_NAMES)
    if unknown:
        with pytest.raises(SettingsRefused, match="the mask names"):
            changes_of(given_settings, paths)
        return
    settings, mask = changes_of(given_settings, paths)
    assert sorted(mask) == sorted({SETTING_NAMES[path] for path in paths})
    assert (settings.site, settings.groups) == ("graz", ("b", "a"))
