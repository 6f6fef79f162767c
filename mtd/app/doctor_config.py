"""Settings of `mtd doctor`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class DoctorConfig(BaseModel):
    """What `mtd doctor` takes for good."""

    model_config = ConfigDict(extra="forbid")

    backup_marker: Path | None = Field(
        None,
        description="File that your backup of PostgreSQL touches when it has succeeded: mtd can't see backups, but how old"
        " this file is.",
    )
    backup_max_age_h: float = Field(36.0, gt=0, description="Age of that file, in hours, that is too old.")
    least_free_pct: float = Field(
        15.0, gt=0, lt=100, description="Free space of a disk, in per cent, below which it is told."
    )
    certificate_days: float = Field(
        14.0, gt=0, description="Days before the end of a certificate from which on it is told."
    )
    key_max_age_days: float = Field(
        730.0, gt=0, description="Age of the newest master key, in days, from which on it is told."
    )
