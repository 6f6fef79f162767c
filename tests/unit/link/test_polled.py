"""What came of polls that were asked for, on its way through messages."""

from __future__ import annotations

import pytest

from mtd.api.link.failures import error_of
from mtd.core.errors import Refused
from mtd.link.polled import polled_messages, polled_of, tiers_of
from mtd.model.device import Outcome
from mtd.model.metric import Tier
from mtd.model.polled import PolledTier, PollResult
from mtd.pb.collector.v1.collector_link_service_pb2 import CommandFailure
from mtd.pb.common.v1 import device_pb2 as pb
from mtd.scheduler.errors import PollTooSoon
from mtd.sources.errors import SessionFailed


def test_it_comes_through_as_it_is() -> None:
    told = [
        PolledTier(Tier.T0, PollResult.POLLED, "", 5, 1234),
        PolledTier(Tier.T1, PollResult.FRESH, "it was polled 3 s before"),
        PolledTier(Tier.T2, PollResult.SKIPPED, "the router is busy"),
        PolledTier(Tier.T3, PollResult.UNFINISHED, "it goes on"),
    ]
    assert polled_of(polled_messages(told)) == told


def test_what_a_newer_one_says_is_taken_for_no_answer() -> None:
    newer: list[pb.PolledTier] = [
        pb.PolledTier(tier=pb.TIER_T0, result=99),  # type: ignore[arg-type]
        pb.PolledTier(tier=77, result=pb.POLL_RESULT_POLLED),  # type: ignore[arg-type]
    ]
    assert [(one.tier, one.result) for one in polled_of(newer)] == [(Tier.T0, PollResult.UNFINISHED)]


def test_no_tier_is_all_of_them() -> None:
    assert tiers_of([]) == frozenset(Tier)
    assert tiers_of([2, 2, 1]) == {Tier.T0, Tier.T1}
    with pytest.raises(Refused, match="number 0"):
        tiers_of([1, 0])


def test_what_an_edge_refuses_is_refused_by_its_hub_the_same_way() -> None:
    soon = error_of(CommandFailure(error="PollTooSoon", message="not yet", hint="wait", retry_after_s=4), "e")
    assert isinstance(soon, PollTooSoon)
    assert (soon.retry_after_s, soon.hint) == (4, "wait")
    away = error_of(CommandFailure(error="SessionFailed", message="refused: nobody", retry_after_s=9), "e")
    assert isinstance(away, SessionFailed)
    assert (away.outcome, away.reason, away.retry_after_s) == (Outcome.REFUSED, "nobody", 9)
