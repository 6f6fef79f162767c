"""What came of polling a device at once, as calls give it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtd.client.values import word
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class PolledTier:
    """A tier that was asked for, and what came of it.

    ``result``: ``polled``; ``fresh``, polled a moment before and not again; ``skipped``,
    for a reason that ``detail`` tells; or ``unfinished``, and it goes on. ``commands``
    were answered by the router within ``duration_us``.
    """

    tier: str
    result: str
    detail: str
    commands: int
    duration_us: int


@dataclass(frozen=True, slots=True)
class PollNow:
    """What came of each tier that was asked for, in their order."""

    tiers: Sequence[PolledTier]


def poll_now_of(message: pb.PollDeviceResponse) -> PollNow:
    """Return what came of a poll, of the protocol."""
    return PollNow(
        [
            PolledTier(
                word(device_pb2.Tier, one.tier, "TIER_"),
                word(device_pb2.PollResult, one.result, "POLL_RESULT_"),
                one.detail,
                one.commands,
                one.duration_us,
            )
            for one in message.tiers
        ]
    )
