"""What marking the steps of a poll costs: without traces, with traces of other polls, and for one that is sampled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from mtd.core import tracing
from mtd.core.tracing.config import TracingConfig
from mtd.testing.bench_output import show

_EVENTS = 2  # of a live poll: its frame, and now and then a change
_ROUNDS = 7
_NAMED: tracing.Attributes = {"mtd.device": "core-1", "mtd.tenant_id": "t", "mtd.tier": "t0"}


def marked() -> None:
    """Do what a poll does to be traced, as `mtd.scheduler.device_loop` and `mtd.ingest.recorder` do it, and nothing else."""
    if not tracing.is_on():
        steps()
        return
    with tracing.begin("poll", _NAMED):
        steps()


def steps() -> None:
    """Do the part within a poll."""
    if tracing.is_on():
        with tracing.step("ask"):
            pass
    if not tracing.is_on():
        record()
        return
    with tracing.step("record"):
        record()


def record() -> None:
    """Do what each event does."""
    for _ in range(_EVENTS):
        tracing.carried()


def nothing() -> None:
    """Do none of it: what calling costs."""
    for _ in range(_EVENTS):
        pass


def cost_us(work: Callable[[], None], polls: int) -> float:
    """Return the CPU time of one call, in microseconds: the least of some rounds."""
    rounds: list[float] = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(polls):
            work()
        rounds.append((time.process_time() - began) / polls * 1e6)
    return min(rounds)


@click.command()
@click.option(
    "--polls",
    type=click.IntRange(1000, 10_000_000),
    default=200_000,
    show_default=True,
    help="Of each round.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
def traces(polls: int, as_json: bool) -> None:
    """Time what a poll pays for traces: while they are off, not sampled, and sampled.

    CPU time on this machine, without what a poll does otherwise. Spans of the
    sampled ones go nowhere: their sending is another thread's.
    """
    try:
        from mtd.core.tracing.export import OtelTracer
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is missing: run scripts/setup_env --extras dev") from None
    idle = cost_us(nothing, polls)
    figures: dict[str, Any] = {"polls": polls, "off_us": round(max(0.0, cost_us(marked, polls) - idle), 3)}
    for name, ratio, count in (("not_sampled_us", 1e-9, polls), ("sampled_us", 1.0, max(1000, polls // 100))):
        config = TracingConfig(endpoint="http://127.0.0.1:9", sample_ratio=ratio, timeout_s=0.1)
        tracer = OtelTracer(config, instance="bench", version="0")
        tracing.use(tracer)
        try:
            figures[name] = round(max(0.0, cost_us(marked, count) - idle), 3)
        finally:
            tracing.use(None)
            tracer.stop(0.1)
    show(Console(stderr=True), figures, as_json=as_json)
