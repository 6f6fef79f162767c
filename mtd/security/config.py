"""Settings of security."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mtd.security.providers.config import ProvidersConfig


class PasswordsConfig(BaseModel):
    """How passwords of people are kept: hashed with Argon2id."""

    model_config = ConfigDict(extra="forbid")

    least_characters: int = Field(12, ge=8, description="Shortest password that may be chosen.")
    memory_kib: int = Field(65_536, ge=8192, description="Memory that hashing one password takes, KiB.")
    passes: int = Field(3, ge=1, description="Passes over that memory.")
    lanes: int = Field(4, ge=1, description="Lanes of that memory.")
    at_a_time: int = Field(2, ge=1, description="Passwords that are hashed at a time, each in a thread.")
    waiting: int = Field(32, ge=0, description="Passwords that wait for their turn; more are refused.")


class SecurityConfig(BaseModel):
    """Where the master key is, and who is trusted."""

    model_config = ConfigDict(extra="forbid")

    master_key_file: Path | None = Field(
        None,
        description="File with the master key that encrypts router passwords; `master.key` in the data folder if unset."
        " Back it up apart from the database: without it the passwords are lost. The environment may name it, too, in"
        " ENCRYPTION_MASTER_KEY_FILE, or hold the key itself, in MTD_MASTER_KEY.",
    )
    providers: ProvidersConfig = Field(
        default_factory=ProvidersConfig,
        description="Where secrets of credential sets may be kept beside the database.",
    )
    trust_loopback: bool = Field(
        True,
        description="Programs on the daemon's own machine that call it on loopback and show nothing are its operator,"
        " a super-admin: all users of that machine are trusted then. What a proxy passes on never is.",
    )
    passwords: PasswordsConfig = Field(
        default_factory=PasswordsConfig, description="How passwords of people are kept."
    )
    failures_per_minute: int = Field(
        20,
        ge=1,
        description="Wrong tokens, or wrong passwords, from one address after which it has to wait. Tokens that were good"
        " a while ago stay usable from there.",
    )


class CertificatesConfig(BaseModel):
    """The internal CA and what it signs."""

    model_config = ConfigDict(extra="forbid")

    folder: Path = Field(
        Path("ca"),
        description="Folder of the CA, below the data folder unless it is absolute. Back it up apart from the database: if"
        " it is lost, every collector has to enrol again.",
    )
    seal_key: bool = Field(
        False,
        description="Keep the key of the CA encrypted with the master key, so that a copy of one without the other is no"
        " use.",
    )
    authority_days: float = Field(3650, ge=30, description="Life of the CA itself, days.")
    server_days: float = Field(
        90, gt=0, description="Life of certificates of doors, days; they are renewed by themselves."
    )
    collector_days: float = Field(
        30,
        gt=0,
        description="Life of certificates of collectors, days; renewed by themselves when a third is left.",
    )
    overlap_days: float = Field(
        60, gt=0, description="How long the CA before is still trusted after `mtd ca rotate`, days."
    )
    most_trusted: int = Field(3, ge=1, description="Most CAs trusted beside the one that signs.")
    token_minutes: float = Field(
        10, gt=0, le=1440, description="Life of an enrolment token, minutes, unless it is made with another."
    )
    crl_file: Path | None = Field(
        None,
        description="File to write the certificates of collectors that were revoked to, as a CRL in PEM, for a proxy that"
        " looks at certificates itself. mtd needs none: it looks into the database.",
    )
    enrolment_failures_per_minute: int = Field(
        10, ge=1, description="Attempts to enrol that failed, from one address, after which it has to wait."
    )

    @model_validator(mode="after")
    def _overlap_covers_collectors(self) -> CertificatesConfig:
        if self.overlap_days < self.collector_days:
            raise ValueError(
                f"overlap_days is {self.overlap_days:g}, collector_days {self.collector_days:g}: a collector that renewed"
                " just before a rotation would be shut out; make the overlap longer than the life of a certificate"
            )
        return self


class Personal(enum.StrEnum):
    """What becomes of what tells who a subscriber is."""

    KEPT = "kept"
    HASHED = "hashed"


class PrivacyConfig(BaseModel):
    """What mtd keeps of subscribers."""

    model_config = ConfigDict(extra="forbid")

    subscribers: Personal = Field(
        Personal.HASHED,
        description="Names, addresses and other fields that tell who a subscriber is: `hashed` replaces them by"
        " pseudonyms before anything is written down, `kept` keeps them as the router gives them.",
    )
    tenants: Mapping[uuid.UUID, Personal] = Field(
        default_factory=dict,
        description="The same for single tenants, by their id, where it differs.",
    )

    def of(self, tenant_id: str) -> Personal:
        """Return what becomes of a tenant's subscribers."""
        return self.tenants.get(uuid.UUID(tenant_id), self.subscribers)
