"""KEY=VALUE becomes settings, or an error that names what is known."""

from types import SimpleNamespace
from typing import Any

import click
import pytest

from mtd.cli.device_settings import changes_from


def current() -> Any:
    return SimpleNamespace(
        labels={"role": "core", "site": "north"},
        intervals_s={"t1": 20.0},
        t0={"interfaces": "", "metrics": "150", "pins": ["ether1"]},
    )


@pytest.mark.parametrize(
    ("texts", "changes"),
    [
        (["host=192.0.2.9", "port=8729"], {"host": "192.0.2.9", "port": 8729}),
        (["notes=a=b"], {"notes": "a=b"}),
        (["enabled=yes"], {"enabled": True}),
        (["enabled=OFF"], {"enabled": False}),
        (["label:rack=7"], {"labels": {"role": "core", "site": "north", "rack": "7"}}),
        (["label:role=edge", "label:site="], {"labels": {"role": "edge"}}),
        (["interval:t0=5"], {"intervals_s": {"t0": 5.0, "t1": 20.0}}),
        (["interval:t1="], {"intervals_s": {}}),
        (["password="], {"password": ""}),
        (["t0:interfaces=ALL"], {"t0": {"interfaces": "all", "metrics": "150", "pins": ["ether1"]}}),
        (["t0:interfaces=5", "t0:metrics="], {"t0": {"interfaces": "5", "metrics": "", "pins": ["ether1"]}}),
        (["ways=rest, snmp", "rest_port=443"], {"ways": ["rest", "snmp"], "rest_port": 443}),
        (["ways="], {"ways": []}),
        (["snmp_version=2c", "snmp_community=c"], {"snmp_version": "2c", "snmp_community": "c"}),
        (["rest_tls_mode="], {"rest_tls_mode": ""}),
    ],
)
def test_settings(texts: list[str], changes: dict[str, Any]) -> None:
    assert changes_from(texts, current) == changes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("enabled=maybe", "neither true nor false"),
        ("port=many", "not a number"),
        ("naming=both", "known: code_page"),
        ("label:=x", "is not a setting"),
        ("interval:t9=1", "is not a setting"),
        ("interval:t0=often", "not a number"),
        ("snmp_port=x", "not a number"),
        ("t0:interfaces=many", "neither a number nor 'all'"),
        ("t0:pins=ether1", "is not a setting"),
        ("snmp_colour=x", "known: code_page"),
        ("host", "not KEY=VALUE"),
    ],
)
def test_what_is_no_setting(text: str, says: str) -> None:
    with pytest.raises(click.ClickException, match=says):
        changes_from([text], current)


def test_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTD_PASSWORD", "secret")
    assert changes_from(["password=env"], current) == {"password": "secret"}
    monkeypatch.delenv("MTD_PASSWORD")
    with pytest.raises(click.ClickException, match="MTD_PASSWORD"):
        changes_from(["password=env"], current)


def test_a_secret_of_snmp_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTD_SNMP_COMMUNITY", "hidden")
    assert changes_from(["snmp_community=env"], current) == {"snmp_community": "hidden"}
    with pytest.raises(click.ClickException, match="MTD_SNMP_AUTH_PASSWORD"):
        changes_from(["snmp_auth_password=env"], current)
