"""Ways in messages of the protocol: settings there and back, secrets one way only."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.convert import SettingsRefused, connection_message, device_message, settings_of
from mtd.api.grpc.ways import secrets_of
from mtd.api.interfaces import ConnectionReport, TestStep
from mtd.client.values import connection_test_of, device_of
from mtd.core.errors import Refused
from mtd.model.device import Outcome, SnmpAuth, SnmpPriv, SnmpVersion, TlsMode, Way
from mtd.model.ways import Standing, WayState
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.queries.records import DeviceView
from mtd.storage.stores.device_secrets import refuse_misfit
from mtd.storage.stores.device_settings import DeviceSettings, Secret, to_device
from tests.unit.api.fakes import TENANT

FINGERPRINT = "cd" * 32
BASE = {"name": "r1", "host": "192.0.2.1", "username": "u"}


def settings(**values: Any) -> DeviceSettings:
    return DeviceSettings(**(BASE | values))


@st.composite
def way_settings(draw: st.DrawFn) -> DeviceSettings:
    version = draw(st.none() | st.sampled_from(SnmpVersion))
    ways = [way for way in Way if way is not Way.SNMP or version is not None]
    auth = draw(st.sampled_from(SnmpAuth))
    priv = SnmpPriv.NONE if auth is SnmpAuth.NONE else draw(st.sampled_from(SnmpPriv))
    return settings(
        ways=tuple(draw(st.lists(st.sampled_from(ways), unique=True))),
        rest_port=draw(st.integers(1, 65535)),
        rest_tls_mode=draw(st.none() | st.sampled_from(TlsMode)),
        rest_tls_fingerprint=FINGERPRINT,
        snmp_version=version,
        snmp_port=161 if version is None else draw(st.integers(1, 65535)),
        snmp_username="" if version is None else "watcher",
        snmp_auth=SnmpAuth.NONE if version is None else auth,
        snmp_priv=SnmpPriv.NONE if version is None else priv,
    ).checked()


@given(way_settings())
def test_settings_come_back_as_they_were_sent(given_settings: DeviceSettings) -> None:
    message = device_message(DeviceView("d1", TENANT, given_settings, 1, 0, 0))
    assert settings_of(message.settings) == given_settings


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"ways": [9]}, "ways: there are api, rest, snmp"),
        ({"ways": [1, 1]}, "names one twice"),
        ({"ways": [3]}, "snmp_version isn't set"),
        ({"ways": [2]}, "rest_port isn't set"),
        ({"rest_port": 70000}, "rest_port 70000"),
        ({"rest_tls_mode": 77}, "rest_tls_mode: there are off"),
        ({"rest_tls_mode": device_pb2.TLS_MODE_PINNED}, "rest_tls_fingerprint is empty"),
        ({"rest_tls_fingerprint": "ab"}, "rest_tls_fingerprint: a SHA-256"),
        ({"snmp_version": 9}, "snmp_version: there are 2c, 3"),
        ({"snmp_version": 2}, "snmp_username is empty"),
        ({"snmp_port": 70000}, "snmp_port 70000"),
        ({"snmp_priv": device_pb2.SNMP_PRIV_AES}, "snmp_priv encrypts only for a user with snmp_auth"),
    ],
)
def test_what_can_not_be_is_told(values: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsRefused, match=told):
        settings_of(pb.DeviceSettings(**BASE, tls_mode=device_pb2.TLS_MODE_OFF, **values))


def test_rest_is_as_safe_as_the_api_unless_told_otherwise() -> None:
    def rest_of(**values: Any) -> Any:
        from mtd.storage.stores.device_settings import DeviceRecord

        view = DeviceRecord(TENANT, "d1", settings(**values).checked(), 1, None, None)  # type: ignore[arg-type]
        return to_device(view, "pw", {}).rest

    pinned = rest_of(tls_mode=TlsMode.PINNED, tls_fingerprint=FINGERPRINT, rest_port=443)
    assert (pinned.tls_mode, pinned.tls_fingerprint) == (TlsMode.PINNED, FINGERPRINT)
    assert rest_of(rest_port=443, rest_tls_mode=TlsMode.VERIFY).tls_mode is TlsMode.VERIFY
    assert rest_of(tls_mode=TlsMode.VERIFY, rest_tls_mode=TlsMode.OFF).tls_mode is TlsMode.OFF


@pytest.mark.parametrize(
    ("values", "given_secrets", "told"),
    [
        ({"snmp_version": SnmpVersion.V2C}, {}, "snmp_community is missing"),
        ({"snmp_version": SnmpVersion.V2C}, {Secret.SNMP_COMMUNITY: ""}, "snmp_community is empty"),
        ({}, {Secret.SNMP_COMMUNITY: "x"}, "no use for it"),
        (
            {"snmp_version": SnmpVersion.V3, "snmp_username": "u", "snmp_auth": SnmpAuth.SHA1},
            {},
            "snmp_auth_password is missing",
        ),
        (
            {
                "snmp_version": SnmpVersion.V3,
                "snmp_username": "u",
                "snmp_auth": SnmpAuth.SHA1,
                "snmp_priv": SnmpPriv.AES,
            },
            {Secret.SNMP_AUTH_PASSWORD: "hidden-hidden"},
            "snmp_priv_password is missing",
        ),
    ],
)
def test_secrets_have_to_fit_the_settings(
    values: dict[str, Any], given_secrets: dict[Secret, str], told: str
) -> None:
    with pytest.raises(Refused, match=told) as refused:
        refuse_misfit(settings(**values).checked(), given_secrets)
    assert "hidden" not in str(refused.value)


def test_only_secrets_that_are_given_are_taken() -> None:
    assert secrets_of(pb.DeviceSecrets()) == {}
    given_secrets = secrets_of(pb.DeviceSecrets(snmp_community="c", snmp_priv_password=""))
    assert given_secrets == {Secret.SNMP_COMMUNITY: "c", Secret.SNMP_PRIV_PASSWORD: ""}


def test_how_the_ways_stand_arrives() -> None:
    view = DeviceView(
        "d1",
        TENANT,
        settings(),
        1,
        0,
        0,
        capabilities={"wifi": "2"},
        absent_capabilities={"rest": "no such right"},
        routeros_major=7,
        ways=[WayState(Way.API, Standing.CLOSED, "refused"), WayState(Way.SNMP, Standing.SERVES, "port 161")],
    )
    device = device_of(device_message(view))
    assert [(state.way, state.state, state.detail) for state in device.way_states] == [
        ("api", "closed", "refused"),
        ("snmp", "serves", "port 161"),
    ]
    assert (device.routeros_major, device.absent_capabilities) == (7, {"rest": "no such right"})
    assert (device.rest_tls_mode, device.snmp_version, device.ways) == ("", "", [])


def test_a_test_says_which_way_would_serve() -> None:
    steps = [TestStep("connect", False, 5, "refused"), TestStep("login", True, 7, "basic", Way.REST)]
    report = ConnectionReport(Outcome.OK, "API refused; REST serves", steps, serves=Way.REST)
    test = connection_test_of(connection_message(report))
    assert [step.way for step in test.steps] == ["api", "rest"]
    assert test.serves == "rest"
    assert connection_test_of(connection_message(ConnectionReport(Outcome.REFUSED, "", []))).serves == ""
