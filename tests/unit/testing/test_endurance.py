"""Slopes of a soak: noise is none, a leak is one, and both can be looked at."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mtd.testing.endurance.command import Endurance, report
from mtd.testing.endurance.judgement import HOUR_S, MIB, Limits, figures_of, line_through
from mtd.testing.endurance.picture import draw
from mtd.testing.endurance.samples import Sample, append_to, read_from
from mtd.testing.soak import main

CALM = Sample(
    at_s=0.0,
    rss_bytes=200.0 * MIB,
    children_rss_bytes=60.0 * MIB,
    descriptors=250.0,
    threads=12.0,
    tasks=1300.0,
    lag_s=0.2,
    lag_events=10.0,
    log_bytes=50.0 * MIB,
    buffered_events=3.0,
    polls=0.0,
    polls_skipped=0.0,
    dropped=0.0,
    machine_load=1.0,
)


def hour(grows_mib: float = 0.0, leaks: int = 0, seed: int = 1) -> list[Sample]:
    """Return an hour of samples: warming up for a quarter, then level but for what grows, with spikes."""
    rng = random.Random(seed)
    found = []
    for at_s in range(0, 75 * 60, 5):
        warming = 40.0 * math.exp(-at_s / 90)
        spike = 80.0 if rng.random() < 0.05 else 0.0
        rss = 200.0 - warming + spike + rng.gauss(0, 0.3) + grows_mib * at_s / HOUR_S
        descriptors = 250.0 + leaks * at_s / HOUR_S + (5 if rng.random() < 0.02 else 0)
        found.append(
            replace(
                CALM,
                at_s=float(at_s),
                rss_bytes=rss * MIB,
                descriptors=float(int(descriptors)),
                polls=200.0 * at_s,
            )
        )
    return found


def test_spikes_and_warming_up_are_no_leak() -> None:
    figures = figures_of(hour(), 15 * 60, Limits())
    assert figures["problems"] == []
    assert abs(figures["rss_mib"]["per_hour"]) < 0.5
    assert figures["rss_mib"]["per_hour_low"] <= 0 <= figures["rss_mib"]["per_hour_high"]
    assert figures["polls_per_s"] == pytest.approx(200, rel=0.01)
    assert figures["tasks"]["first"] == 1300


def test_a_slow_leak_is_found_beneath_the_noise() -> None:
    figures = figures_of(hour(grows_mib=3.0), 15 * 60, Limits())
    assert figures["rss_mib"]["per_hour"] == pytest.approx(3.0, abs=0.6)
    assert any("memory grows by" in problem for problem in figures["problems"])
    figures = figures_of(hour(leaks=4), 15 * 60, Limits())
    assert any("descriptors were not given back" in problem for problem in figures["problems"])


def test_too_little_is_no_verdict() -> None:
    assert "too few samples" in figures_of(hour()[:5], 0.0, Limits())["problems"][0]
    assert line_through([], "rss_bytes") is None


def test_samples_are_kept_on_the_way_and_drawn(tmp_path: Path) -> None:
    samples = [replace(one, tasks=math.nan) for one in hour()[::10]]
    for sample in samples:
        append_to(tmp_path / "samples.jsonl", sample)
    found = read_from(tmp_path / "samples.jsonl")
    assert [one.rss_bytes for one in found] == pytest.approx([one.rss_bytes for one in samples])
    assert math.isnan(found[0].tasks)
    figures = report(found, Endurance(hours=1.0, warm_up_min=15.0), tmp_path)
    assert figures["tasks"] is None
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "report.json").read_text().startswith("{")
    draw(found, 900.0, "the same", tmp_path / "report.svg")
    assert "<svg" in (tmp_path / "report.svg").read_text()


def test_hurried_intervals_are_shorter_and_the_run_is_too() -> None:
    run = Endurance(hours=8.0, routers=20, speed=10.0)
    settings = run.plan().settings
    assert settings["scheduler.intervals_s"]["t0"] == pytest.approx(0.1)
    assert settings["ingest"]["redeclare_interval_s"] == pytest.approx(360)
    assert run.measured_s == pytest.approx(2880)
    assert Endurance().plan().settings == {}


def test_without_a_command_it_is_the_daemon_that_is_soaked() -> None:
    answer = CliRunner().invoke(main, ["--hours", "0"])
    assert answer.exit_code == 2
    assert "--hours" in answer.output
    assert "daemon" in CliRunner().invoke(main, ["--help"]).output
