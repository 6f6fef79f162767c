"""The register of queues."""

from __future__ import annotations

import ast
import gc
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mtd.core import queues
from mtd.core.queues import Policy, QueueMetrics, declare

ROOT = Path(__file__).parents[3]


class Line:
    """Something with a queue."""

    def __init__(self, depth: int, limit: int) -> None:
        self.depth = depth
        self.limit = limit


@pytest.fixture(autouse=True)
def _own_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "_QUEUES", {})


def test_a_queue_tells_of_all_its_instances_while_they_are_there() -> None:
    queue = declare("test.line", "people", Policy.WAIT, "People.", limited_by="the room")
    lines = [Line(2, 10), Line(3, 10)]
    for line in lines:
        queue.watch(line, lambda one: one.depth, lambda one: one.limit)
    state = queue.state()
    assert (state.depth, state.limit, state.instances) == (5, 20, 2)
    lines.pop()
    del line
    gc.collect()
    state = queue.state()
    assert (state.depth, state.limit, state.instances) == (2, 10, 1)


def test_a_name_is_given_once() -> None:
    declare("test.line", "people", Policy.WAIT, "People.", limited_by="the room")
    with pytest.raises(ValueError, match=r"test\.line"):
        declare("test.line", "people", Policy.WAIT, "People.", limited_by="the room")


def test_metrics_tell_depth_and_limit_of_queues_that_there_are() -> None:
    registry = CollectorRegistry()
    QueueMetrics(registry)
    queue = declare("test.line", "people", Policy.WAIT, "People.", limited_by="the room")
    declare("test.other", "people", Policy.WAIT, "Nobody.", limited_by="the room")
    line = Line(2, 10)
    queue.watch(line, lambda one: one.depth, lambda one: one.limit)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    found = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
    assert found == {
        "mtd_core_queue_depth": ({"queue": "test.line"}, 2.0),
        "mtd_core_queue_limit": ({"queue": "test.line"}, 10.0),
    }


# Modules with a queue that has no name in the register, and why it needs none.
WITHOUT_NAME = {
    "mtd/api/grpc/latest_stream.py": "declared there; what is gone is at most what was followed",
    "mtd/diagnostics/limits.py": "moments of the last hour, bounded by the quota that they are counted for",
    "mtd/eventlog/sqlite/writer.py": "what the log lets in: eventlog.commits",
    "mtd/projections/runner.py": "positions of the last seconds, one a second",
    "mtd/forwarding/cutting.py": "the parts of one batch",
    "mtd/forwarding/lanes.py": "what is under way: forwarding.unacked",
    "mtd/api/link/desk.py": "what comes of one command, bounded by the rows that were asked for",
    "mtd/codec/flows/exporter.py": "sets that wait for their template, bounded by its limits and counted there",
    "mtd/ingest/pressure/room.py": "samples of the last minute, one at each look",
}


def unnamed() -> set[str]:
    """Return the modules that make an unbounded queue, or one that waits, and declare none."""
    found: set[str] = set()
    for path in sorted((ROOT / "mtd").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith(("mtd/lab/", "mtd/testing/", "mtd/pb/", "mtd/client/", "mtd/cli/")):
            continue
        text = path.read_text()
        if "declare(" in text or ".watch(\n            self" in text or ".watch(self" in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).partition("[")[0]
            if called in {"asyncio.Queue", "queue.Queue", "SimpleQueue"} or (
                called == "deque" and not any(word.arg == "maxlen" for word in node.keywords)
            ):
                found.add(name)
    return found


def test_every_queue_has_a_name_and_a_policy() -> None:
    """Whoever makes a queue declares it with `mtd.core.queues`, or says here why it needs no name."""
    missing = unnamed() - WITHOUT_NAME.keys()
    assert not missing, f"declare their queues with mtd.core.queues.declare: {sorted(missing)}"
