"""Settings of security."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class SecurityConfig(BaseModel):
    """Where the master key is."""

    model_config = ConfigDict(extra="forbid")

    master_key_file: Path | None = Field(
        None,
        description="File with the master key that encrypts router passwords; `master.key` in the data folder if unset."
        " Back it up apart from the database: without it the passwords are lost.",
    )
