from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.convert import (
    SettingsRefused,
    catalogue_message,
    changes_of,
    device_message,
    settings_of,
)
from mtd.api.grpc.ranges import range_bytes, range_message
from mtd.model.device import InterfaceNaming, TlsMode
from mtd.model.metric import Lane, Tier
from mtd.model.selection import T0Settings
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.pb.telemetry.v1.telemetry_service_pb2 import QueryRangeResponse
from mtd.queries.records import DeviceView, RangeAnswer, SeriesPoints
from mtd.storage.stores.device_settings import SETTING_NAMES, DeviceSettings
from tests.unit.api.fakes import CATALOGUE, TENANT

FINGERPRINT = "ab" * 32
LIMITS = st.one_of(st.none(), st.just("all"), st.integers(0, 500))

SETTINGS = st.builds(
    DeviceSettings,
    name=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20),
    host=st.just("192.0.2.1"),
    username=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    port=st.integers(1, 65535),
    tls_mode=st.sampled_from(TlsMode),
    tls_fingerprint=st.just(FINGERPRINT),
    code_page=st.sampled_from(["latin-1", "cp1251"]),
    naming=st.sampled_from(InterfaceNaming),
    enabled=st.booleans(),
    connect_timeout_s=st.floats(0, 3600),
    command_timeout_s=st.floats(0, 3600),
    intervals_s=st.dictionaries(st.sampled_from(Tier), st.floats(0.1, 86400)),
    labels=st.dictionaries(
        st.sampled_from(["role", "site"]), st.text(st.characters(categories=["L"]), max_size=8)
    ),
    notes=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    t0=st.builds(
        T0Settings,
        interfaces=LIMITS,
        metrics=LIMITS,
        pins=st.lists(st.sampled_from(["ether1", "sfp-1", "*A", "vlan 7"]), unique=True).map(tuple),
    ),
)


@given(SETTINGS)
def test_settings_come_back_as_they_were_sent(settings: DeviceSettings) -> None:
    view = DeviceView("d1", TENANT, settings, 4, 1_500_000, 2_500_000, last_seen_us=3_500_000)
    message = device_message(view)
    assert settings_of(message.settings) == settings
    assert (message.create_time.seconds, message.create_time.nanos) == (1, 500_000_000)
    assert message.HasField("last_seen_time")


def good(**values: object) -> pb.DeviceSettings:
    return pb.DeviceSettings(
        **{"name": "r1", "host": "h", "username": "u", "tls_mode": device_pb2.TLS_MODE_OFF, "enabled": True}
        | values
    )


def test_a_device_that_was_never_seen_says_so() -> None:
    assert not device_message(DeviceView("d1", TENANT, settings_of(good()), 1, 0, 0)).HasField(
        "last_seen_time"
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"tls_mode": device_pb2.TLS_MODE_UNSPECIFIED},
            "tls_mode: say how the session is secured: off, verify",
        ),
        ({"tls_mode": 99}, "tls_mode"),
        ({"tls_fingerprint": "abc"}, "64 hexadecimal digits"),
        ({"tls_mode": device_pb2.TLS_MODE_PINNED}, "tls_fingerprint is empty"),
        ({"connect_timeout_s": float("nan")}, "connect_timeout_s"),
        ({"command_timeout_s": -1}, "command_timeout_s"),
        ({"intervals_s": {"t9": 1}}, "tiers t0, t1, t2, t3, not t9"),
        ({"intervals_s": {"t0": 0.0}}, "intervals_s"),
        ({"port": 70000}, "port"),
        ({"host": " "}, "host"),
        ({"code_page": "klingon"}, "klingon"),
        ({"t0": pb.T0Settings(interfaces="many")}, "t0: interfaces: 'many' is neither a number nor 'all'"),
        ({"t0": pb.T0Settings(metrics="-1")}, "t0: metrics"),
        ({"t0": pb.T0Settings(pins=["ether1", " "])}, "empty name"),
        ({"t0": pb.T0Settings(pins=map(str, range(201)))}, "201 interfaces, 200 are allowed"),
    ],
)
def test_settings_that_can_not_be_used_are_told(values: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsRefused, match=told):
        settings_of(good(**values))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings_of(pb.DeviceSettings(intervals_s={"t9": 1}, tls_fingerprint="xyz"))
    for field in ("tls_mode", "tls_fingerprint", "intervals_s", "name", "host"):
        assert field in str(refused.value)


def test_fingerprints_are_taken_as_people_paste_them() -> None:
    assert settings_of(good(tls_fingerprint=":".join(["AB"] * 32))).tls_fingerprint == FINGERPRINT


def test_a_mask_takes_only_what_it_names() -> None:
    settings, mask = changes_of(
        pb.DeviceSettings(host="h2", interface_naming=2), ["host", "interface_naming"]
    )
    assert mask == ["host", "naming"]
    assert (settings.host, settings.naming) == ("h2", InterfaceNaming.COMMENT)
    assert set(mask) <= SETTING_NAMES
    with pytest.raises(SettingsRefused, match="the mask names colour"):
        changes_of(pb.DeviceSettings(), ["host", "colour"])
    with pytest.raises(SettingsRefused, match="tls_mode"):
        changes_of(pb.DeviceSettings(), ["tls_mode"])


def test_every_setting_of_the_protocol_has_its_like_in_the_inventory() -> None:
    names = [field.name for field in pb.DeviceSettings.DESCRIPTOR.fields]
    values = pb.DeviceSettings(tls_mode=device_pb2.TLS_MODE_OFF)
    assert set(changes_of(values, names)[1]) == SETTING_NAMES


def test_the_catalogue_tells_states_by_their_numbers_and_the_egg() -> None:
    message = catalogue_message(CATALOGUE)
    by_key = {metric.key: metric for metric in message.metrics}
    assert message.catalogue_version == CATALOGUE.version
    assert dict(by_key["iface.oper_state"].states) == {0: "down", 1: "up"}
    assert by_key["system.cpu.load_pct"].expected_max == 100
    assert not by_key["iface.rx_bps"].HasField("expected_max")
    assert by_key["iface.rx_bps"].collector == "fake"


def test_ranges_keep_counters_exact() -> None:
    points = (
        SeriesPoints(
            "iface.rx_bytes_total",
            "*1",
            Lane.COUNTER,
            "ether1",
            "iface.ether1.rx_bytes_total",
            "bytes",
            [1, 2],
            counters=[2**53 + 1, 2**63 - 1],
        ),
        SeriesPoints(
            "system.cpu.load_pct", "", Lane.GAUGE, "", "system.cpu.load_pct", "percent", [1], values=[5.5]
        ),
    )
    message = range_message(RangeAnswer(points, 60))
    assert message.bucket_us == 60
    first, second = message.series
    assert (first.info.key, first.info.unit) == ("iface.ether1.rx_bytes_total", "bytes")
    assert list(first.counters) == [2**53 + 1, 2**63 - 1]
    assert not first.values
    assert (second.info.key, list(second.values)) == ("system.cpu.load_pct", [5.5])


def test_an_answer_as_bytes_is_the_answer() -> None:
    points = [
        SeriesPoints("a", "", Lane.GAUGE, "", "a", "%", [1, 2], [0.5, 1.5], ()),
        SeriesPoints("iface.b", "*1", Lane.COUNTER, "e1", "iface.e1.b", "bytes", [1, 2**50], (), [0, 2**62]),
        SeriesPoints("c", "", Lane.RATE, "", "c", "", [], [], ()),
    ]
    for answer in (RangeAnswer(points, 7), RangeAnswer(points[:1], 0), RangeAnswer([], 0)):
        assert QueryRangeResponse.FromString(range_bytes(answer)) == range_message(answer)
