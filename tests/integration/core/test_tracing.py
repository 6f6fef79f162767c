"""Spans on their way to a collector of traces: a real one, one that hangs, and one that isn't there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtd.app.tracing import Tracing
from mtd.core import tracing
from mtd.core.errors import Misconfigured
from mtd.core.tracing import Link
from mtd.core.tracing.config import TracingConfig
from mtd.core.tracing.export import OtelTracer
from mtd.core.tracing.metrics import SPANS, TRACES
from mtd.testing.harness import free_port
from mtd.testing.otlp import receiver
from tests.contract.loop import run


def count(outcome: str) -> float:
    """Return how many spans ended so."""
    return float(SPANS.labels(outcome=outcome)._value.get())


def test_spans_arrive_with_their_parents_and_what_they_are_of() -> None:
    with receiver() as taking:
        config = TracingConfig(endpoint=taking.address, service_name="mtd-test")
        tracer = OtelTracer(config, instance="pop-1", version="1.2")
        poll = tracer.start("poll", None, {"mtd.tier": "t0"})
        record = tracer.start("record", poll.link, {})
        record.end("ValueError")
        poll.end()
        before = count("exported")
        tracer.stop(5.0)
        assert count("exported") == before + 2
    spans = {span.name: span for span in taking.spans()}
    assert spans["record"].parent == spans["poll"].span
    assert spans["record"].failed == "ValueError"
    assert spans["poll"].attributes == {"mtd.tier": "t0"}
    assert spans["poll"].resource == {
        "service.name": "mtd-test",
        "service.version": "1.2",
        "service.instance.id": "pop-1",
    }


def test_a_collector_of_traces_that_hangs_costs_spans_and_no_waiting() -> None:
    """What finds no room is dropped and counted; the end of the process isn't held up."""
    with receiver() as taking:
        taking.hold.clear()
        config = TracingConfig(
            endpoint=taking.address, queue_spans=20, batch_spans=5, interval_s=0.05, timeout_s=30
        )
        tracer = OtelTracer(config, instance="pop-1", version="1.2")
        dropped, failed, exported = count("dropped"), count("failed"), count("exported")
        ended = 0
        while count("dropped") == dropped:  # one batch is under way, 20 wait
            tracer.start("poll", None, {}).end()
            ended += 1
            assert ended < 100
        assert tracer.queue.waiting == tracer.queue.limit == 20
        tracer.stop(0.2)
        assert tracer.queue.waiting == 0
    lost = count("dropped") - dropped + count("failed") - failed
    assert lost + count("exported") - exported == ended


def test_where_nobody_takes_traces_that_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    config = TracingConfig(endpoint=f"http://127.0.0.1:{free_port()}", timeout_s=0.3)
    tracer = OtelTracer(config, instance="pop-1", version="1.2")
    failed = count("failed")
    for _ in range(3):
        tracer.start("poll", None, {}).end()
        tracer.queue.force_flush()
    tracer.stop(1.0)
    assert count("failed") == failed + 3
    (line,) = [record for record in caplog.records if "takes no traces" in record.message]
    assert config.endpoint in line.message
    assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


def test_sampling_takes_about_what_it_should() -> None:
    """And none, or all, where that is set."""
    chosen = {}
    for ratio in (0.0, 0.3, 1.0):
        config = TracingConfig(endpoint=f"http://127.0.0.1:{free_port()}", sample_ratio=ratio)
        tracer = OtelTracer(config, instance="pop-1", version="1.2")
        chosen[ratio] = sum(tracer.chosen() for _ in range(5000))
        tracer.stop(0.1)
    assert (chosen[0.0], chosen[1.0]) == (0, 5000)
    assert 1200 < chosen[0.3] < 1800  # nine standard deviations


def test_callers_get_so_many_traces_and_no_more() -> None:
    config = TracingConfig(endpoint=f"http://127.0.0.1:{free_port()}", callers_per_s=3)
    tracer = OtelTracer(config, instance="pop-1", version="1.2")
    refused = TRACES.labels(origin="too_many")
    before = refused._value.get()
    tracing.use(tracer)
    try:
        followed = 0
        for _ in range(100):
            with tracing.follow("call", Link(1, 2)) as span:
                followed += span is not None
    finally:
        tracing.use(None)
        tracer.stop(0.1)
    assert 3 <= followed < 100
    assert refused._value.get() == before + 100 - followed


def test_traces_are_on_only_while_they_are_started() -> None:
    async def on_while(config: TracingConfig) -> list[bool]:
        parts = Tracing(config, "pop-1")
        seen = [tracing.is_on()]
        await parts.start()
        seen.append(tracing.is_on())
        await parts.stop()
        return [*seen, tracing.is_on()]

    assert run(on_while(TracingConfig())) == [False, False, False]
    on = TracingConfig(enabled=True, endpoint=f"http://127.0.0.1:{free_port()}")
    assert run(on_while(on)) == [False, True, False]


def test_files_that_are_no_good_are_told_at_the_start(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("authorization: Bearer x\nno header\n")
    wrong = [
        (TracingConfig(enabled=True, headers_file=headers), "line 2"),
        (TracingConfig(enabled=True, headers_file=tmp_path / "none"), "can't be read"),
        (
            TracingConfig(enabled=True, endpoint="https://c:4317", ca_file=tmp_path / "none"),
            "tracing.ca_file",
        ),
    ]
    for config, words in wrong:
        with pytest.raises(Misconfigured, match=words):
            run(Tracing(config, "pop-1").start())
