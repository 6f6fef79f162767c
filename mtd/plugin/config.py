"""Settings of the plugin host: section ``[plugins]``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PluginConfig(BaseModel):
    """Which plugins run, and how the host guards itself against them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocked: tuple[str, ...] = Field(
        default=(),
        description="Plugins that are not loaded, by name. 'third-party' blocks all that are not part of mtd. "
        "The environment variable MTD_BLOCK_PLUGINS adds to it.",
    )
    quarantine_first_s: float = Field(
        default=300.0,
        gt=0,
        description="How long a menu at which a collector failed rests on that device, in seconds.",
    )
    quarantine_cap_s: float = Field(
        default=3600.0,
        gt=0,
        description="The rest doubles with each failure in a row, up to this, in seconds.",
    )
    max_instances: int = Field(
        default=2_000,
        gt=0,
        description="Rows of one menu that become series or table rows on one device at most.",
    )
