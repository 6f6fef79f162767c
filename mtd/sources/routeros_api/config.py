"""Settings of the RouterOS API source; those of one device are in `mtd.model.device.Device`."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

_MIB = 1024 * 1024


class RouterOsApiConfig(BaseModel):
    """Limits of every session, and what TLS trusts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    commands_in_flight: int = Field(
        default=64,
        ge=1,
        le=1024,
        description="Commands of one batch that a router is given at once; the rest wait.",
    )
    cancel_grace_s: float = Field(
        default=1.0,
        gt=0,
        le=30,
        description="Seconds that a router has to honour a cancel before it is dropped.",
    )
    large_reply_s: float = Field(
        default=30.0,
        gt=0,
        description="Longest that the reply to a command for a large table (over 5,000 rows) may take, as long as more "
        "of it comes within each command timeout of the device.",
    )
    cancel_drain_bytes: int = Field(
        default=_MIB,
        ge=0,
        description="Bytes that a router may still send after a cancel before it is dropped.",
    )
    close_timeout_s: float = Field(
        default=1.0, gt=0, le=30, description="Seconds for an orderly end of a connection before it is cut."
    )
    word_bytes: int = Field(default=_MIB, ge=1024, description="Longest word that is accepted from a router.")
    session_bytes: int = Field(
        default=32 * _MIB, ge=_MIB, description="Bytes of unfinished replies held for one session."
    )
    tls_ca_file: str = Field(
        default="", description="PEM file of certificate authorities to trust; those of the system if empty."
    )

    @field_validator("tls_ca_file")
    @classmethod
    def _is_readable(cls, name: str) -> str:
        """Tell of a wrong file when the settings are read, not when a router is."""
        if not name:
            return name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if not Path(name).is_file():
                raise ValueError(f"there is no file {name}")
            context.load_verify_locations(cafile=name)
        except ssl.SSLError as error:
            raise ValueError(f"{name} holds no PEM certificates that can be read") from error
        except OSError as error:
            raise ValueError(f"{name}: {error.strerror}") from error
        return name
