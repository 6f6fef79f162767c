"""Parsers under atheris: each in a process of its own, with bounds on its time and memory."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from mtd.testing.fuzz.parsers import TARGETS
from mtd.testing.harness import HarnessFailed

_MOST_INPUT = 8192
_ONE_INPUT_S = 10
_MEMORY_MB = 2048
_START_S = 120
_TOLD = re.compile(r"^#(\d+)\s+(?:\w+)\s+cov: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What became of a target: inputs that were tried, and branches that they reached."""

    runs: int
    branches: int


def fuzz_parser(name: str, *, runs: int, seed: int, folder: Path, most_s: float) -> Fuzzed:
    """Try so many inputs on a parser, or for so long. Raises HarnessFailed with a finding and its input."""
    corpus, found = folder / f"{name}.corpus", folder / f"{name}."
    corpus.mkdir(parents=True, exist_ok=True)
    flags = {
        "runs": runs,
        "seed": seed & 0x7FFFFFFF or 1,
        "max_len": _MOST_INPUT,
        "timeout": _ONE_INPUT_S,
        "rss_limit_mb": _MEMORY_MB,
        "max_total_time": int(most_s),
        "artifact_prefix": found,
        "print_final_stats": 1,
    }
    command = [sys.executable, "-m", "mtd.testing.fuzz.child", name, str(corpus), *_written(flags)]
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        try:
            code = subprocess.run(  # noqa: S603 - our own module
                command, stdout=output, stderr=output, timeout=most_s + _START_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            raise HarnessFailed(f"{name} doesn't end:\n{_tail(log)}") from None
    if code:
        raise HarnessFailed(f"{name}: a finding, with --seed {seed}:\n{_tail(log)}")
    told = _TOLD.findall(log.read_text(errors="replace"))
    if not told:
        raise HarnessFailed(f"{name} tried nothing:\n{_tail(log)}")
    return Fuzzed(*map(int, told[-1]))


def fuzz_parsers(
    names: Sequence[str], *, runs: int, seed: int, folder: Path, most_s: float
) -> Mapping[str, Any]:
    """Fuzz one parser after the other; return what became of each, by name."""
    return {
        name: asdict(fuzz_parser(name, runs=runs, seed=seed, folder=folder, most_s=most_s)) for name in names
    }


def names_of(wanted: str) -> Sequence[str]:
    """Return the parsers that are wanted: ``each``, or one by its name."""
    if wanted == "each":
        return sorted(TARGETS)
    if wanted not in TARGETS:
        raise click.UsageError(f"there is no parser {wanted!r}: there are {', '.join(sorted(TARGETS))}")
    return [wanted]


def _written(flags: Mapping[str, object]) -> list[str]:
    return [f"-{name}={value}" for name, value in flags.items()]


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-60:])
