"""What came of polling devices at once, as messages and back."""

from __future__ import annotations

from collections.abc import Iterable

from mtd.core.errors import Refused
from mtd.model.metric import Tier
from mtd.model.pb_enums import POLL_RESULT, TIER
from mtd.model.polled import PolledTier, PollResult
from mtd.pb.common.v1 import device_pb2 as pb


def polled_messages(polled: Iterable[PolledTier]) -> list[pb.PolledTier]:
    """Return what came of tiers as messages."""
    return [
        pb.PolledTier(
            tier=TIER.to_pb(one.tier),
            result=POLL_RESULT.to_pb(one.result),
            detail=one.detail,
            commands=one.commands,
            duration_us=one.duration_us,
        )
        for one in polled
    ]


def polled_of(messages: Iterable[pb.PolledTier]) -> list[PolledTier]:
    """Return what came of tiers. A result that is unknown here may be anything but an answer."""
    return [
        PolledTier(
            TIER.from_pb(one.tier, Tier.T0),
            POLL_RESULT.from_pb(one.result, PollResult.UNFINISHED),
            one.detail,
            one.commands,
            one.duration_us,
        )
        for one in messages
        if TIER.knows(one.tier)
    ]


def tiers_of(numbers: Iterable[int]) -> frozenset[Tier]:
    """Return the tiers that are asked for; all if none is named. Raises Refused."""
    asked = frozenset(numbers)
    unknown = sorted(number for number in asked if not TIER.knows(number))
    if unknown:
        raise Refused(f"tiers: there is none with the number {unknown[0]}")
    return frozenset(TIER.from_pb(number, Tier.T0) for number in asked) or frozenset(Tier)
