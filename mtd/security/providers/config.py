"""Settings of secrets that are kept elsewhere. Nothing is served that isn't allowed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TENANT = (
    " `{tenant}` stands for the tenant's id: without it, the admins of all tenants may use what is there."
)


class VaultConfig(BaseModel):
    """HashiCorp Vault, its key-value engine of version 2."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        "", description="Where it is: `https://vault.example.net:8200`. Without it there is none."
    )
    mount: str = Field("secret", description="Where the key-value engine is mounted.")
    namespace: str = Field("", description="Namespace of Vault Enterprise.")
    ca_file: Path | None = Field(
        None, description="Authorities to trust (PEM); those of the system if unset."
    )
    token_file: Path | None = Field(None, description="File with a token, read again when it is refused.")
    role_id: str = Field("", description="Role to log in as by AppRole, instead of a token.")
    secret_id_file: Path | None = Field(None, description="File with the secret id of the role.")
    approle_mount: str = Field("approle", description="Where AppRole is mounted.")
    paths: list[str] = Field(
        default_factory=list,
        description="What paths may begin with, such as `routers/{tenant}/`. None: nothing is served."
        + _TENANT,
    )

    @model_validator(mode="after")
    def _can_log_in(self) -> VaultConfig:
        if not self.url:
            return self
        where = urlsplit(self.url)
        if where.scheme != "https" and (where.scheme != "http" or where.hostname not in _LOOPBACK):
            raise ValueError("url must begin with https://: secrets cross the network in clear otherwise")
        if (self.token_file is None) == (not self.role_id):
            raise ValueError("give token_file, or role_id with secret_id_file")
        if self.role_id and self.secret_id_file is None:
            raise ValueError("role_id needs secret_id_file")
        return self


class ProvidersConfig(BaseModel):
    """Where secrets may be kept beside the database, and how long they are used."""

    model_config = ConfigDict(extra="forbid")

    file_directories: list[str] = Field(
        default_factory=list,
        description="Folders whose files `file:/path` may name, such as `/etc/mtd/secrets/{tenant}`. None: no"
        " files are served." + _TENANT,
    )
    env_prefixes: list[str] = Field(
        default_factory=list,
        description="What variables begin with that `env:NAME` may name, such as `MTD_ROUTER_`. None: no variables"
        " are served. In them, `{tenant}` stands for the tenant's id with `_` for `-`.",
    )
    vault: VaultConfig = Field(
        default_factory=VaultConfig, description="HashiCorp Vault, for `vault:path#field`."
    )
    plugins: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="What is set for the providers that plugins bring, by their schemes.",
    )
    timeout_s: PositiveFloat = Field(5.0, description="Seconds to wait for a secret.")
    refresh_s: PositiveFloat = Field(300.0, description="Seconds after which a secret is fetched again.")
    retry_s: PositiveFloat = Field(15.0, description="Seconds after which one that failed is tried again.")
    stale_s: PositiveFloat = Field(
        86_400.0, description="Seconds that the last value goes on being used while it can't be fetched."
    )
    look_s: PositiveFloat = Field(1.0, description="Seconds between looks at what is due.")
    at_once: PositiveInt = Field(8, description="Secrets that are fetched at a time.")
    most_references: PositiveInt = Field(
        20_000, description="References that are kept fresh at most; half of them of one tenant."
    )
