"""Settings of the plugin host: sections ``[plugins]`` and ``[t0]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, NonNegativeInt, PositiveFloat

from mtd.model.selection import ALL, Limit, T0Settings, limit_of


def _limit(value: object) -> object:
    """Check a limit: one error, whatever is wrong with it."""
    if isinstance(value, str):
        return limit_of(value or "nothing")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is neither a number, 0 or more, nor {ALL!r}")
    return value


_Limit = Annotated[int | Literal["all"], BeforeValidator(_limit)]


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
        description="Rows of one menu that become series on one device at most, or a document.",
    )
    max_table_rows: int = Field(
        default=50_000,
        gt=0,
        description="Rows of one current-state table on one device at most; a collector may allow fewer.",
    )


class T0Config(BaseModel):
    """What is read of a router at the live tier, T0. A device may have limits of its own.

    A router with no more interfaces than the limits allow has all of them
    there; of one with more those that matter most, the others at T1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    interfaces: _Limit = Field(
        default=10,
        description="Most interfaces of a router that are read at T0, or 'all'. Those that are pinned always are. "
        "Of queues as many may be, of each kind.",
    )
    metrics: _Limit = Field(
        default=200,
        description="Most values that one T0 poll of a router reads, of interfaces and of all else, or 'all'; "
        "fewer interfaces are chosen until they fit, and queues come behind them. With interfaces = 'all' it is 'all', unless it is set.",
    )
    top_traffic: NonNegativeInt = Field(
        default=10,
        description="Most interfaces that are chosen for their traffic alone: behind those that are pinned, "
        "uplinks, PPPoE servers and VRRP masters, and within the limits.",
    )
    evaluate_s: PositiveFloat = Field(
        default=300.0, description="Time over which traffic is compared, and so how often, in seconds."
    )
    margin_pct: float = Field(
        default=25.0,
        ge=0,
        description="How much more traffic an interface must have than one that was chosen, to take its place, "
        "in percent.",
    )

    def limits(self, device: T0Settings) -> tuple[Limit, Limit]:
        """Return the limits of interfaces and of values that hold for a device."""
        interfaces = self.interfaces if device.interfaces is None else device.interfaces
        if device.metrics is not None:
            return interfaces, device.metrics
        lifted = interfaces == ALL and "metrics" not in self.model_fields_set
        return interfaces, ALL if lifted else self.metrics


ALL_LIVE = T0Config(interfaces=ALL)
"""Everything at T0, unless a device says otherwise."""
