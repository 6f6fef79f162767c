"""mtd run while its stack is looked at every two milliseconds of processor time: where that goes, at hardly any cost.

``python -m mtd.testing.syslog.sampled REPORT ARGUMENTS...`` runs ``mtd ARGUMENTS``. It looks from one SIGWINCH to the next, and
writes a report once it ends: of each function, which part of the samples were in itself, and which in it or in what it called.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from mtd.cli import main as mtd_main

_EVERY_S = 0.002
_MOST = 60


class Sampler:
    """Counts functions on the stack of the main thread."""

    def __init__(self) -> None:
        self.samples = 0
        self._is_on = False
        self._own: Counter[str] = Counter()
        self._with_calls: Counter[str] = Counter()

    def listen(self) -> None:
        """Begin or end with each SIGWINCH, which means nothing else to a daemon."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGWINCH, self._toggle)

    def _toggle(self, *_: object) -> None:
        self._is_on = not self._is_on
        every_s = _EVERY_S if self._is_on else 0.0
        signal.setitimer(signal.ITIMER_PROF, every_s, every_s)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        self.samples += 1
        seen: set[str] = set()
        while frame is not None:
            code = frame.f_code
            name = f"{'/'.join(code.co_filename.split('/')[-3:])}:{code.co_qualname}"
            if not seen:
                self._own[name] += 1
            seen.add(name)
            frame = frame.f_back
        self._with_calls.update(seen)

    def report(self) -> dict[str, object]:
        """Return shares of the samples, in percent, the largest first."""
        return {
            "samples": self.samples,
            "own_pct": _shares(self._own, self.samples),
            "with_calls_pct": _shares(self._with_calls, self.samples),
        }


def _shares(counts: Counter[str], samples: int) -> dict[str, float]:
    return {name: round(100 * count / samples, 1) for name, count in counts.most_common(_MOST)}


if __name__ == "__main__":
    report, sys.argv = Path(sys.argv[1]), ["mtd", *sys.argv[2:]]
    sampler = Sampler()
    sampler.listen()
    try:
        mtd_main(prog_name="mtd")
    finally:
        report.write_text(json.dumps(sampler.report(), indent=1))
