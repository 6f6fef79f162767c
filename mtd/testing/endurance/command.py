"""``scripts/soak --hours N``: a daemon polls for so long, in real time or hurried. Does anything grow?"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mtd.model.metric import DEFAULT_INTERVAL_S, Tier
from mtd.testing.bench_output import end_with, show
from mtd.testing.end_to_end import Plan, running_stage, wait_for_first_polls
from mtd.testing.endurance import samples as looks
from mtd.testing.endurance.judgement import HOUR_S, Limits, figures_of
from mtd.testing.endurance.picture import draw
from mtd.testing.harness import HarnessFailed, Stage

Say = Callable[[str], None]

_REDECLARE_S = 3600.0
_PROBE_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Endurance:
    """How long, how many, how fast. With a ``speed`` of 10 an hour's polls and layouts take six minutes."""

    hours: float = 1.0
    routers: int = 200
    interfaces: int = 30
    speed: float = 1.0
    warm_up_min: float = 15.0
    every_s: float = 5.0

    @property
    def warm_up_s(self) -> float:
        """How long memory is given to find its size: minutes of the wall's clock, which isn't hurried."""
        return self.warm_up_min * 60

    @property
    def measured_s(self) -> float:
        """How long is measured after that."""
        return self.hours * HOUR_S / self.speed

    def plan(self) -> Plan:
        """Return what is run."""
        settings: dict[str, dict[str, Any]] = {}
        if self.speed != 1.0:
            settings = {
                "scheduler.intervals_s": {tier.value: DEFAULT_INTERVAL_S[tier] / self.speed for tier in Tier},
                "scheduler": {"probe_interval_s": _PROBE_S / self.speed},
                "ingest": {"redeclare_interval_s": _REDECLARE_S / self.speed},
            }
        lab = ("--scenario", "fleet", "--routers", str(self.routers), "--interfaces", str(self.interfaces))
        return Plan(seconds=0, lab_arguments=lab, settings=settings)


@click.command("daemon")
@click.option(
    "--hours", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
    help="Hours of polling to measure, after the warm-up.",
)  # fmt: skip
@click.option(
    "--routers", type=click.IntRange(1, 20_000), default=200, show_default=True, help="Lab routers."
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--speed", type=click.FloatRange(min=1, max=50), default=1.0, show_default=True,
    help="So many times as fast: intervals of polls, probes and layouts are shorter, and so is the run. "
    "Take fewer routers then.",
)  # fmt: skip
@click.option(
    "--warm-up", "warm_up_min", type=click.FloatRange(min=0), default=15.0, show_default=True,
    help="Minutes before what is held counts.",
)  # fmt: skip
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("soak-report"), show_default=True,
    help="Where samples.jsonl, report.json and report.png are written.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
def daemon(
    hours: float,
    routers: int,
    interfaces: int,
    speed: float,
    warm_up_min: float,
    folder: Path,
    as_json: bool,
) -> None:
    """Poll a fleet for hours, with a daemon and a PostgreSQL of its own, and look whether anything grows.

    Every few seconds memory, descriptors, threads, tasks, lag and the size of the
    log are written down. After the warm-up a line is laid through each (Theil and Sen,
    with 95 % confidence). Report: figures as JSON, and a picture.

    \b
    scripts/soak --hours 1                              an hour of 200 routers, in real time
    scripts/soak --hours 8 --speed 10 --routers 20      eight hours' polls in 48 minutes

    Ends with 1 if memory grows by more than 1 MiB an hour, or descriptors or threads
    are not given back.
    """
    screen = Console(stderr=True)
    run = Endurance(hours, routers, interfaces, speed, warm_up_min)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with screen.status("starting") as status, tempfile.TemporaryDirectory(prefix="mtd-soak-") as place:
            Path(place).chmod(0o711)
            with running_stage(Path(place), run.plan(), status.update) as (stage, _):
                wait_for_first_polls(stage, routers, status.update)
                found = watch(stage, run, folder, status.update)
    except HarnessFailed as failure:
        raise click.ClickException(str(failure)) from None
    figures = report(found, run, folder)
    show(screen, figures, as_json=as_json)
    screen.print(f"written to {folder}")
    end_with(screen, figures["problems"])


def watch(stage: Stage, run: Endurance, folder: Path, say: Say) -> list[looks.Sample]:
    """Take samples until it is over; each is in the folder's file at once, should the run be broken off."""
    path = folder / "samples.jsonl"
    path.unlink(missing_ok=True)
    began = time.monotonic()
    found: list[looks.Sample] = []
    length_s = run.warm_up_s + run.measured_s
    while (passed := time.monotonic() - began) < length_s:
        for process in (stage.lab, stage.daemon):
            assert process is not None
            process.check()
        try:
            found.append(looks.Sample.of(stage, began))
        except OSError:
            say("the daemon did not answer in time; it is asked again")
        else:
            looks.append_to(path, found[-1])
            say(f"{passed / 60:.0f} of {length_s / 60:.0f} minutes, {found[-1].rss_bytes / 2**20:.1f} MiB")
        time.sleep(run.every_s)  # noqa: TID251 - a script's own wait, no reactor here
    return found


def report(found: list[looks.Sample], run: Endurance, folder: Path) -> dict[str, Any]:
    """Write figures and picture into the folder; return the figures."""
    figures = {
        "routers": run.routers,
        "interfaces": run.interfaces,
        "hours": run.hours,
        "speed": run.speed,
        **figures_of(found, run.warm_up_s, Limits()),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }
    (folder / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    pace = "in real time" if run.speed == 1 else f"{run.speed:g} times as fast"
    title = (
        f"{run.routers} routers × {run.interfaces} interfaces, {run.hours:g} h {pace}, {os.cpu_count()} cores"
    )
    draw(found, run.warm_up_s, title, folder / "report.png")
    return figures
