from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from mtd.core.loop_metrics import LoopCounter, LoopHistogram
from mtd.core.metrics import Counter, Histogram

BUCKETS = (0.002, 0.1, 1, 5)
AMOUNTS = st.lists(st.sampled_from(BUCKETS) | st.floats(0.0, 10.0), max_size=20)


def text_of(registry: CollectorRegistry) -> str:
    """Return what is served, but for the times at which metrics were made."""
    return re.sub(rb"(_created\S*) .*", rb"\1", generate_latest(registry)).decode()


@given(st.dictionaries(st.sampled_from(["t0", "t1"]), AMOUNTS), AMOUNTS)
def test_what_is_served_is_what_prometheus_client_serves(
    by_tier: dict[str, list[float]], plain: list[float]
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    for registry, counter, histogram in (
        (ours, LoopCounter, LoopHistogram),
        (theirs, Counter, Histogram),
    ):
        polls = counter("polls_total", "Polls.", ["tier"], registry=registry)
        seconds = histogram("seconds", "Their times.", ["tier"], buckets=BUCKETS, registry=registry)
        sent = counter("sent_bytes_total", "Bytes.", registry=registry)
        late = histogram("late_seconds", "Too late.", buckets=BUCKETS, registry=registry)
        for tier, amounts in by_tier.items():
            polls.labels(tier=tier).inc()
            for amount in amounts:
                seconds.labels(tier=tier).observe(amount)
        for amount in plain:
            sent.inc(amount)
            late.observe(amount)
    assert text_of(ours) == text_of(theirs)


def test_what_was_counted_is_read_at_once() -> None:
    registry = CollectorRegistry()
    child = LoopCounter("polls_total", "Polls.", ["tier"], registry=registry).labels(tier="t0")
    child.inc()
    assert registry.get_sample_value("polls_total", {"tier": "t0"}) == 1
    child.inc(2)
    assert registry.get_sample_value("polls_total", {"tier": "t0"}) == 3


def test_a_name_is_given_once() -> None:
    registry = CollectorRegistry()
    LoopCounter("polls_total", "Polls.", registry=registry)
    with pytest.raises(ValueError, match="polls_total"):
        Counter("polls_total", "Polls.", registry=registry)


def test_other_labels_are_refused() -> None:
    counter = LoopCounter("polls_total", "Polls.", ["tier"], registry=CollectorRegistry())
    with pytest.raises(ValueError, match="tier"):
        counter.labels(reason="x")
