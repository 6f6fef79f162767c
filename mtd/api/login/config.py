"""Settings of logins."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from mtd.model.principal import Role

HOUR_S = 3600.0


class LoginMode(enum.StrEnum):
    """Who says that people are who they say."""

    LOCAL = "local"
    OIDC = "oidc"


def _base_url(url: str) -> str:
    where = urlsplit(url)
    if url and (where.scheme not in ("http", "https") or not where.hostname or where.query or where.fragment):
        raise ValueError("must be a web address such as https://mtd.example.net")
    if where.path.strip("/"):
        raise ValueError("must be without a path: the console is at /console/ of its host")
    return url.rstrip("/")


def _issuer(url: str) -> str:
    where = urlsplit(url)
    if url and (where.scheme not in ("http", "https") or not where.hostname or where.query or where.fragment):
        raise ValueError("must be a web address such as https://login.example.net/realms/isp")
    if where.scheme == "http" and where.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("must be an https address: who is in between could log in as anybody")
    return url  # with or without a slash at its end, as the provider says it


def _role(word: str) -> str:
    Role.of_word(word)
    return word


class LoginConfig(BaseModel):
    """How people log in to the console."""

    model_config = ConfigDict(extra="forbid")

    mode: LoginMode = Field(
        LoginMode.LOCAL,
        description="`local`: by the passwords of `mtd user`; `oidc`: at the identity provider of section oidc. Also"
        " AUTH_MODE.",
    )
    public_base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        "",
        description="Address by which browsers reach the HTTP door where that is through a proxy, such as"
        " https://mtd.example.net. Also PUBLIC_BASE_URL.",
    )
    idle_s: float = Field(
        HOUR_S, ge=10, le=30 * 24 * HOUR_S, description="A session without an open page ends after this."
    )
    most_s: float = Field(
        12 * HOUR_S, ge=10, le=30 * 24 * HOUR_S, description="A session ends after this in any case."
    )
    check_s: float = Field(
        5.0,
        gt=0,
        description="Open consoles whose session ended are closed after this at the latest; as a rule at once.",
    )
    free_failures: int = Field(
        5, ge=1, description="Wrong passwords of one user, or from one address, before it has to wait."
    )
    first_wait_s: float = Field(
        2.0, gt=0, description="First wait after that; each further wrong password doubles it."
    )
    longest_wait_s: float = Field(900.0, gt=0, description="Longest such wait.")


class ClaimRule(BaseModel):
    """Who a person of the identity provider is here. All that is given has to fit."""

    model_config = ConfigDict(extra="forbid")

    claim: str = Field(
        "groups",
        min_length=1,
        description="Claim that is looked at; parts of nested claims with dots: realm_access.roles.",
    )
    value: str = Field(
        min_length=1, description="What it has to be, or to have among its values. `*`: anything."
    )
    role: Annotated[str, AfterValidator(_role)] = Field(
        description="Role: viewer, operator, admin or super-admin."
    )
    tenant: str = Field("", description="Tenant, by name or id; none for super-admins.")

    @model_validator(mode="after")
    def _has_a_tenant(self) -> ClaimRule:
        if bool(self.tenant) == (self.role == Role.SUPER_ADMIN.word):
            raise ValueError("a rule has a tenant, unless its role is super-admin, who works for all of them")
        return self


class OidcConfig(BaseModel):
    """The identity provider: OpenID Connect, authorization code with PKCE."""

    model_config = ConfigDict(extra="forbid")

    issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        "", description="Issuer, exactly as the provider tells it. Also OIDC_ISSUER."
    )
    client_id: str = Field("", description="What mtd is called there. Also OIDC_CLIENT_ID.")
    client_secret: SecretStr = Field(
        SecretStr(""), description="The client's secret; better in a file. Also OIDC_CLIENT_SECRET."
    )
    client_secret_file: Path | None = Field(
        None,
        description="File with the client's secret; neither for a public client. Also OIDC_CLIENT_SECRET_FILE.",
    )
    scopes: list[str] = Field(
        default=["openid", "profile", "email"],
        description="What is asked for; add what brings the claims of the rules. Also OIDC_SCOPES, separated by spaces.",
    )
    name: str = Field(
        "", max_length=60, description="What the button on the login page says, such as Keycloak."
    )
    name_claims: list[str] = Field(
        default=["preferred_username", "email", "name", "sub"],
        description="Claims of which the first that is there becomes the user's name.",
    )
    rules: list[ClaimRule] = Field(
        default=[],
        description="Which tenant and role people get: the first rule that fits. Who fits none is refused.",
    )
    ca_file: Path | None = Field(
        None, description="Certificates of the CA of the provider, PEM, where the system doesn't know it."
    )
    clock_skew_s: float = Field(60.0, ge=0, le=600, description="How far clocks may be apart.")
    timeout_s: float = Field(10.0, gt=0, description="Longest wait for the provider.")

    @field_validator("scopes", mode="before")
    @classmethod
    def _of_words(cls, given: Any) -> Any:
        return given.split() if isinstance(given, str) else given

    @model_validator(mode="after")
    def _is_whole(self) -> OidcConfig:
        if bool(self.issuer) != bool(self.client_id):
            raise ValueError("issuer and client_id belong together: give both, or none")
        if self.issuer and "openid" not in self.scopes:
            raise ValueError('scopes must have "openid"')
        return self


ENVIRONMENT = {
    "AUTH_MODE": "login.mode",
    "PUBLIC_BASE_URL": "login.public_base_url",
    "OIDC_ISSUER": "oidc.issuer",
    "OIDC_CLIENT_ID": "oidc.client_id",
    "OIDC_CLIENT_SECRET": "oidc.client_secret",
    "OIDC_CLIENT_SECRET_FILE": "oidc.client_secret_file",
    "OIDC_SCOPES": "oidc.scopes",
}
"""Names of the environment beside those that all settings have."""
