"""Settings of the listener for SNMP traps."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mtd.codec.snmp import Auth, Priv, Version

_MOST_NAME_BYTES = 32


class TrapUserConfig(BaseModel):
    """A user of SNMP version 3, as routers send by it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="Its name.")
    auth: Auth = Field(
        default=Auth.NONE,
        description="How it proves who it is; without it, anybody who knows the name may send.",
    )
    auth_password_file: Path | None = Field(
        default=None, description="File with the password for that, of eight characters or more."
    )
    priv: Priv = Field(default=Priv.NONE, description="How its messages are encrypted.")
    priv_password_file: Path | None = Field(default=None, description="File with the password for that.")

    @field_validator("name")
    @classmethod
    def _fits(cls, name: str) -> str:
        if len(name.encode()) > _MOST_NAME_BYTES:
            raise ValueError(f"a name has {_MOST_NAME_BYTES} bytes at most")
        return name

    @model_validator(mode="after")
    def _halves_are_whole(self) -> TrapUserConfig:
        if (self.auth is Auth.NONE) != (self.auth_password_file is None):
            raise ValueError("auth and auth_password_file go together")
        if (self.priv is Priv.NONE) != (self.priv_password_file is None):
            raise ValueError("priv and priv_password_file go together")
        if self.priv is not Priv.NONE and self.auth is Auth.NONE:
            raise ValueError("priv encrypts only for a user with auth")
        return self


class TrapsConfig(BaseModel):
    """SNMP traps and informs: on a router, ``/snmp`` with this machine as `trap-target`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="Whether to listen.")
    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - routers send from elsewhere
        description="Address to listen on; `::` for IPv6 and IPv4.",
    )
    port: int = Field(
        default=162,
        ge=0,
        le=65535,
        description="UDP port; routers send to 162. Ports below 1024 want the capability CAP_NET_BIND_SERVICE.",
    )
    versions: list[Version] = Field(
        default_factory=lambda: list(Version),
        min_length=1,
        description="Versions of SNMP that are taken: 1, 2c and 3. Only version 3, with auth, proves who sends.",
    )
    communities_file: Path | None = Field(
        default=None,
        description="File with the communities that are accepted in versions 1 and 2c, one in a line, beside that by which a"
        " device is polled; any if not set: the sender's address decides then.",
    )
    users: list[TrapUserConfig] = Field(
        default_factory=list,
        description="Users of version 3, each a table `[[traps.users]]`, beside those by which devices are polled.",
    )
    traps_per_s: float = Field(
        default=20.0,
        gt=0,
        description="Traps of a device that are taken in per second, ten seconds' worth at once; more are dropped before they"
        " are read, counted, and told on its timeline.",
    )
    receive_buffer_bytes: int = Field(
        default=4 * 2**20,
        ge=4096,
        le=2**30,
        description="What the kernel holds while mtd is busy. More than net.core.rmem_max is had with CAP_NET_ADMIN only.",
    )
    max_waiting_bytes: int = Field(
        default=8 * 2**20,
        ge=2**16,
        description="Traps that were received and wait to be looked at; more are dropped and counted.",
    )
    rules_file: Path | None = Field(
        default=None,
        description="YAML file of rules of one's own, which go before those that come with mtd.",
    )

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            return str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(f"{host!r} is no address") from None

    @field_validator("users")
    @classmethod
    def _names_differ(cls, users: list[TrapUserConfig]) -> list[TrapUserConfig]:
        names = [user.name for user in users]
        if len(set(names)) != len(names):
            raise ValueError("two users have the same name")
        return users
