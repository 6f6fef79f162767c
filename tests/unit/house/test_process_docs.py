"""The references of metrics and queues say what the code says, and what OpenMetrics demands."""

from __future__ import annotations

import re

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mtd.core.metrics import UNITS
from mtd.core.queues import queues
from scripts import process_docs
from scripts.process_docs import Described

# Units that OpenMetrics wants otherwise, and words for them that people use.
NO_BASE_UNITS = frozenset(
    {
        "milliseconds",
        "ms",
        "us",
        "minutes",
        "hours",
        "days",
        "kilobytes",
        "kb",
        "megabytes",
        "mb",
        "percent",
        "pct",
    }
)


@pytest.fixture(scope="module")
def described() -> list[Described]:
    """Return all metrics."""
    return list(process_docs.catalogue())


def test_each_metric_has_a_line_with_all_that_is_to_be_known(described: list[Described]) -> None:
    page = process_docs.metrics_page("")
    assert len(described) > 100
    for one in described:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        assert f"| `{one.name}` | {one.kind} | {one.unit} | {labels} | {one.meaning} |" in page
        assert f"\n## {one.component}\n" in page


def test_names_units_and_words_are_as_openmetrics_has_them(described: list[Described]) -> None:
    for one in described:
        assert re.fullmatch(r"mtd_[a-z][a-z0-9]*(_[a-z0-9]+)+", one.name), one
        words = one.name.removesuffix("_total").split("_")
        assert not NO_BASE_UNITS & set(words), one
        assert one.unit == (words[-1] if words[-1] in UNITS else ""), one
        assert one.meaning.endswith("."), one
        assert (one.kind == "counter") == one.name.endswith("_total"), one
        assert not one.name.endswith(("_count", "_sum", "_bucket", "_created", "_info")), one
        assert not set(one.labels) & {"le", "quantile", "job", "instance"}, one


def test_what_is_served_is_openmetrics() -> None:
    """As prometheus-client's own strict parser reads it; each family with its unit."""
    process_docs.catalogue()
    families = list(text_string_to_metric_families(generate_latest(REGISTRY).decode()))
    units = {family.name: family.unit for family in families}
    assert units["mtd_eventlog_append_seconds"] == "seconds"
    assert units["mtd_scheduler_poll_seconds"] == "seconds"  # made with loop_metrics
    assert units["mtd_eventlog_stored_bytes"] == "bytes"
    assert units["mtd_ingest_pressure_ratio"] == "ratio"
    assert units["mtd_scheduler_polls"] == ""


def test_each_queue_has_a_line_and_what_counts_its_losses_is_a_metric(described: list[Described]) -> None:
    page = process_docs.queues_page("")
    names = {one.name for one in described}
    assert queues()
    for queue in queues():
        assert f"| `{queue.name}` | {queue.unit} | {queue.policy} |" in page
        assert not queue.counted_by or queue.counted_by in names, queue


def test_parts_apart_are_not_loaded() -> None:
    names = [module.__name__ for module in process_docs.modules()]
    assert "mtd.eventlog.metrics" in names
    assert not [name for name in names if name.startswith(("mtd.lab", "mtd.testing", "mtd.pb", "mtd.cli"))]
