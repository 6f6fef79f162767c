"""Settings of the doors' TLS."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class TlsMode(enum.StrEnum):
    """Where a door's certificate comes from."""

    OFF = "off"
    INTERNAL = "internal"
    FILES = "files"


class ClientAuth(enum.StrEnum):
    """Whether callers show certificates."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


class DoorTls(BaseModel):
    """TLS of a door: 1.2 or newer."""

    model_config = ConfigDict(extra="forbid")

    mode: TlsMode = Field(
        TlsMode.OFF,
        description="`internal`: with a certificate of mtd's own CA, made and renewed by itself; `files`: with yours, read"
        " again when they change; `off`: none, on loopback only.",
    )
    names: list[str] = Field(
        default=[],
        description="Names and addresses by which others call the door, in the certificate of the internal CA beside the"
        " host's name, its address to listen on, localhost and 127.0.0.1.",
    )
    certificate_file: Path | None = Field(
        None, description="Certificate of the door, followed by those between it and its CA, PEM."
    )
    key_file: Path | None = Field(None, description="Its private key, PEM; only its owner may read the file.")
    reload_interval_s: float = Field(
        10.0, gt=0, description="How often files, or the internal CA, are looked at for something newer."
    )

    @property
    def on(self) -> bool:
        """Whether there is any."""
        return self.mode is not TlsMode.OFF

    @model_validator(mode="after")
    def _files_go_with_their_mode(self) -> Self:
        given = [self.certificate_file, self.key_file]
        if self.mode is TlsMode.FILES and None in given:
            raise ValueError('mode is "files": name both, certificate_file and key_file')
        if self.mode is not TlsMode.FILES and any(given):
            raise ValueError(f'certificate_file and key_file are for mode = "files", and it is "{self.mode}"')
        return self


class GrpcTls(DoorTls):
    """TLS of the gRPC door."""

    client_auth: ClientAuth = Field(
        ClientAuth.OPTIONAL,
        description="Certificates of callers: `optional`: collectors come by `client_port`, where each shows one, others by"
        " `port`, where nobody is asked; `required`: everyone shows one, and nobody can enrol here; `none`: nobody does.",
    )
    client_port: int = Field(
        50052, ge=0, le=65535, description="TCP port for callers with certificates; 0 takes a free one."
    )
    client_ca_file: Path | None = Field(
        None,
        description="Certificates of the CAs that sign callers', PEM; those of the internal CA are always taken. Callers of"
        " other CAs still have to say who they are, by a token.",
    )

    @property
    def has_client_port(self) -> bool:
        """Whether callers with certificates have a port of their own."""
        return self.on and self.client_auth is ClientAuth.OPTIONAL


def _section(value: object) -> object:
    """Let ``tls = "internal"`` stand for a section with that mode."""
    return {"mode": value} if isinstance(value, str) else value


OneWord = BeforeValidator(_section)
DoorTlsField = Annotated[DoorTls, OneWord]
GrpcTlsField = Annotated[GrpcTls, OneWord]
