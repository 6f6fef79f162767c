"""The README's first command, on six routers of both generations."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit import run

REQUIRED = {
    "routers", "interfaces", "polls", "skipped", "discarded", "dropped", "points", "coverage_pct", "t0_age_p95_s",
    "t0_age_p99_s", "rate10_error_max_pct", "rate1_error_p99_pct", "counter_errors",
}  # fmt: skip


TRIES = 3


def demonstrated() -> dict[str, Any]:
    """Return the figures of a demo that ended well.

    A rate over one second is 2 % off if the machine let mtd wait for 20 ms: where nothing else is wrong, it is tried
    again. What doesn't depend on the machine must be right each time.
    """
    for tries_left in reversed(range(TRIES)):
        answer = run(
            "-m",
            "mtd.testing.demo",
            "--seconds",
            "15",
            "--json",
            code=None if tries_left else 0,
            timeout_s=110,
        )
        figures: dict[str, Any] = json.loads(answer.out.splitlines()[-1])
        only_late = figures["rate1_error_p99_pct"] > 2 and answer.err.count("must be") == 1
        assert answer.code == 0 or only_late, answer
        if answer.code == 0:
            break
        for kept in Path(tempfile.gettempdir()).glob("mtd-demo-*"):
            if str(kept) in answer.err + answer.out:
                shutil.rmtree(kept)
    return figures


@pytest.mark.timeout(400)
def test_the_demo_ends_well_and_leaves_nothing_behind() -> None:
    before = set(Path(tempfile.gettempdir()).glob("mtd-demo-*"))
    figures = demonstrated()
    assert set(figures) >= REQUIRED
    assert figures["routers"] >= 6
    assert figures["routers_v6"] >= 1
    assert figures["routers_v7"] >= 1
    assert figures["coverage_pct"] >= 99.5
    assert figures["t0_age_p95_s"] <= 2
    assert figures["t0_age_p99_s"] <= 5
    assert figures["rate10_error_max_pct"] <= 0.5
    assert figures["rate1_error_p99_pct"] <= 2
    assert (figures["counter_errors"], figures["cpu_errors"], figures["dropped"]) == (0, 0, 0)
    assert figures["polls"] >= 6 * 14
    assert figures["counters_checked"] > 10_000
    for view in figures["ages"].values():
        assert view["samples"] > 400
    assert set(Path(tempfile.gettempdir()).glob("mtd-demo-*")) <= before


def test_a_demo_without_lab_routers_fails() -> None:
    before = set(Path(tempfile.gettempdir()).glob("mtd-demo-*"))
    answer = run("-m", "mtd.testing.demo", "--seconds", "15", "--scenario", "no-such", code=1, timeout_s=60)
    assert "no scenario 'no-such'" in answer.err
    # What failed is kept, to be looked at; here nobody will.
    kept = set(Path(tempfile.gettempdir()).glob("mtd-demo-*")) - before
    assert len(kept) == 1
    for folder in kept:
        shutil.rmtree(folder)
