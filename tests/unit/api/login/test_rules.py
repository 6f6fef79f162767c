"""Which tenant and role people of an identity provider get."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtd.api.login.config import ClaimRule, LoginConfig, OidcConfig
from mtd.api.login.oidc.rules import Place, name_of, place_of
from mtd.app.config import Settings
from mtd.core.config import ConfigInvalid, load_config
from mtd.model.principal import Role
from mtd.model.tenant import name_problem

RULES = [
    ClaimRule(value="mtd-root", role="super-admin"),
    ClaimRule(value="noc", role="operator", tenant="isp"),
    ClaimRule(claim="realm_access.roles", value="viewer", role="viewer", tenant="isp"),
    ClaimRule(claim="https://isp.example/tenant", value="beta", role="admin", tenant="beta"),
    ClaimRule(claim="email_verified", value="true", role="viewer", tenant="guests"),
]


@pytest.mark.parametrize(
    ("claims", "place"),
    [
        ({"groups": ["other", "noc"]}, Place(Role.OPERATOR, "isp")),
        ({"groups": "noc"}, Place(Role.OPERATOR, "isp")),
        ({"groups": ["noc", "mtd-root"]}, Place(Role.SUPER_ADMIN, "")),  # the first rule counts
        ({"realm_access": {"roles": ["viewer"]}}, Place(Role.VIEWER, "isp")),
        ({"https://isp.example/tenant": "beta"}, Place(Role.ADMIN, "beta")),
        ({"email_verified": True}, Place(Role.VIEWER, "guests")),
        ({}, None),
        ({"groups": []}, None),
        ({"groups": ["NOC"]}, None),
        ({"groups": ["noc "]}, None),
        ({"groups": "x noc"}, None),
        ({"groups": [["noc"]]}, None),
        ({"groups": {"noc": True}}, None),
        ({"groups": None}, None),
        ({"realm_access": ["viewer"]}, None),
        ({"email_verified": False}, None),
    ],
)
def test_the_first_rule_that_fits_counts(claims: dict[str, Any], place: Place | None) -> None:
    assert place_of(claims, RULES) == place


def test_anything_is_something() -> None:
    rules = [ClaimRule(claim="hd", value="*", role="viewer", tenant="isp")]
    assert place_of({"hd": "example.net"}, rules) is not None
    assert place_of({"hd": ""}, rules) is None
    assert place_of({}, rules) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)  # fmt: skip
def test_no_claim_breaks_it(value: Any) -> None:
    assert place_of({"groups": value, "realm_access": value}, RULES) in (
        None,
        Place(Role.OPERATOR, "isp"),
        Place(Role.SUPER_ADMIN, ""),
        Place(Role.VIEWER, "isp"),
    )


@given(st.text(), st.text())
def test_names_can_be_names(name: str, subject: str) -> None:
    found = name_of({"preferred_username": name, "sub": subject}, ["preferred_username"])
    problem = name_problem(found)
    assert problem in ("", "a name may not look like an id")


def test_an_address_that_nobody_verified_is_no_name() -> None:
    wanted = ["email", "name"]
    assert name_of({"email": "a@x", "email_verified": False, "name": "Ann"}, wanted) == "Ann"
    assert name_of({"email": "a@x", "name": "Ann"}, wanted) == "a@x"
    assert name_of({"sub": "s"}, wanted) == "s"


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": "x", "role": "viewer"},
        {"value": "x", "role": "super-admin", "tenant": "isp"},
        {"value": "x", "role": "boss", "tenant": "isp"},
        {"value": "", "role": "viewer", "tenant": "isp"},
    ],
)
def test_rules_that_make_no_sense(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ClaimRule(**wrong)


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (OidcConfig, {"issuer": "http://login.example.net", "client_id": "x"}),
        (OidcConfig, {"issuer": "https://login.example.net"}),
        (OidcConfig, {"issuer": "https://x/?a", "client_id": "x"}),
        (OidcConfig, {"issuer": "https://x", "client_id": "x", "scopes": ["email"]}),
        (LoginConfig, {"public_base_url": "mtd.example.net"}),
        (LoginConfig, {"public_base_url": "https://x/mtd"}),
        (LoginConfig, {"mode": "ldap"}),
    ],
)
def test_settings_that_make_no_sense(section: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        section(**wrong)


def test_names_of_the_environment() -> None:
    environment = {
        "AUTH_MODE": "oidc",
        "OIDC_ISSUER": "https://login.example.net",
        "OIDC_CLIENT_ID": "mtd",
        "OIDC_CLIENT_SECRET": "s3cret",
        "OIDC_SCOPES": "openid groups",
        "PUBLIC_BASE_URL": "https://mtd.example.net/",
    }
    settings = load_config(Settings, None, environment)
    assert (settings.login.mode, settings.login.public_base_url) == ("oidc", "https://mtd.example.net")
    assert (settings.oidc.issuer, settings.oidc.scopes) == ("https://login.example.net", ["openid", "groups"])
    assert settings.oidc.client_secret.get_secret_value() == "s3cret"
    # Ours says more than a name that anybody may have set.
    ours = load_config(Settings, None, environment | {"MTD__OIDC__CLIENT_ID": "ours", "OIDC_SCOPES": ""})
    assert (ours.oidc.client_id, ours.oidc.scopes) == ("ours", ["openid", "profile", "email"])
    with pytest.raises(ConfigInvalid, match="AUTH_MODE"):
        load_config(Settings, None, {"AUTH_MODE": "saml"})
    with pytest.raises(ConfigInvalid, match="oidc.issuer"):
        load_config(Settings, None, {"AUTH_MODE": "oidc"})
