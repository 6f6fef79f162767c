"""Looking at the whole audit log: whether its chain holds, and ends where the anchors say. Blocking."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence

from mtd.security.audit_anchor import Anchor, AnchorFile, Anchors
from mtd.security.audit_chain import (
    GENESIS,
    LEAST_DAYS,
    AuditReport,
    ChainCheck,
    Head,
    Link,
    Problem,
    tells_of,
)
from mtd.storage.audit_blocking import ChainReader, chain_reader

_MOST_PROBLEMS = 100
_DAY_US = 86_400_000_000
# An entry is stored some time after it happened, and clocks are set.
_SLACK_US = 3_600_000_000
_NO_TIME_US = 2**63  # what isn't told is taken for the worst
_PROGRESS_EVERY = 5000

Progress = Callable[[int, int], None]
"""Told how many entries were looked at, and how many there are."""


def verify_chain(
    dsn: str,
    anchors: AnchorFile | None,
    *,
    known: Sequence[Head] = (),
    progress: Progress | None = None,
) -> AuditReport:
    """Look at every entry. ``known`` are ends of the chain that somebody noted elsewhere.

    Without anchors, an end that was cut off doesn't show if the noted end in the database was changed as well.
    Raises SchemaTooOld, Misconfigured and StorageUnavailable.
    """
    started = time.monotonic()
    noted = Anchors((), 0, ()) if anchors is None else anchors.look()
    with chain_reader(dsn) as reader:
        verifier = _Verifier(reader, noted, known)
        for count, entry in enumerate(reader.entries(), 1):
            verifier.take(entry)
            if progress is not None and count % _PROGRESS_EVERY == 0:
                progress(count, reader.head.position - verifier.report.pruned_to)
        report = verifier.finish(anchors is not None)
    report.duration_s = round(time.monotonic() - started, 3)
    return report


class _Verifier:
    def __init__(self, reader: ChainReader, noted: Anchors, known: Sequence[Head]) -> None:
        self._head = reader.head
        self._start = reader.checkpoint or Head(0, GENESIS)
        self._told_by = reader.told_by
        self._told: Link | None = None
        self._check = ChainCheck(self._start)
        self._noted = noted
        self._wanted: dict[int, list[tuple[bytes, str]]] = {}
        self.report = AuditReport(
            chain_id=self._head.chain_id,
            last_position=self._head.position,
            head_hash=self._head.hash.hex(),
            pruned_to=self._start.position,
            anchors=len(noted.good),
            anchors_unchecked=noted.unchecked,
        )
        for problem in noted.problems:
            self._add(problem)
        for anchor in noted.good:
            if anchor.head.chain_id == self._head.chain_id:
                place = f"the anchor of {_moment(anchor.noted_us)}"
                self._wanted.setdefault(anchor.head.position, []).append((anchor.head.hash, place))
        for head in known:
            self._wanted.setdefault(head.position, []).append((head.hash, "what was given"))

    def take(self, entry: Link) -> None:
        """Look at the next entry."""
        self.report.first_position = self.report.first_position or entry.position
        if entry.position == self._told_by:
            self._told = entry
        for problem in self._check.take(entry):
            self._add(problem)
        for wanted, place in self._wanted.pop(entry.position, ()):
            if wanted != entry.hash:
                text = f"entry {entry.position} isn't the one that {place} tells of: the log was written anew"
                self._add(Problem(entry.position, "rewritten", text))

    def finish(self, anchored: bool) -> AuditReport:
        """Look at what all entries together have to be, and conclude."""
        for problems in (self._check.finish(self._head), self._missing(), self._checkpoint(), self._chains()):
            for problem in problems:
                self._add(problem)
        report, ours = self.report, self._ours()
        report.entries = self._check.entries
        report.newest_anchor_us = max((anchor.noted_us for anchor in ours), default=0)
        if anchored:
            last = max((anchor.head.position for anchor in ours), default=report.pruned_to)
            report.unanchored = max(0, report.last_position - last)
        report.problems.sort(key=lambda problem: problem.position)
        report.ok = not report.problem_count
        return report

    def _missing(self) -> Iterator[Problem]:
        """What was noted elsewhere and isn't there, unless its time was over."""
        behind = {at: noted for at, noted in self._wanted.items() if at > self._check.head.position}
        if behind:
            last = max(behind)
            first = self._check.head.position + 1
            text = f"the end of the log is missing: {behind[last][0][1]} tells of entry {last}"
            yield Problem(first, "truncated", text)
        for position in sorted(self._wanted.keys() - behind.keys()):
            given = [place for _, place in self._wanted[position] if place == "what was given"]
            if position == self._start.position:
                if any(wanted != self._start.hash for wanted, _ in self._wanted[position]):
                    yield Problem(
                        position, "rewritten", f"the checkpoint of entry {position} isn't that entry's"
                    )
            elif given and position < self._start.position:
                yield Problem(position, "pruned", f"entry {position}, which was given, was removed since")

    def _checkpoint(self) -> Iterator[Problem]:
        """A removal has to be told of by the chain, and must not have come too early."""
        position = self._start.position
        if not position:
            return
        if self._told is None or not tells_of(self._told, self._start):
            yield Problem(1, "removed", f"the entries up to {position} were removed, and no entry tells why")
            return
        said = self._told.deed.entry.detail.get("before_us", "")
        before_us = int(said) if said.isascii() and said.isdecimal() and len(said) < 20 else _NO_TIME_US
        if before_us > self._told.deed.ts_us - LEAST_DAYS * _DAY_US:
            text = f"entry {self._told.position} tells of a removal of entries younger than {LEAST_DAYS} days"
            yield Problem(self._told.position, "removed", text)
        for anchor in self._ours():
            # What comes behind it was written after it was noted.
            if anchor.head.position < position and anchor.noted_us > before_us + _SLACK_US:
                first = anchor.head.position + 1
                text = f"the entries {first} to {position} were removed before their time was over"
                yield Problem(first, "removed", text)
                return

    def _chains(self) -> Iterator[Problem]:
        others = [anchor for anchor in self._noted.good if anchor.head.chain_id != self._head.chain_id]
        if others:
            text = (
                f"{len(others)} anchors, the newest of {_moment(others[-1].noted_us)}, are of another log: the database"
                " was made anew. If that was you, `mtd audit accept` begins new anchors"
            )
            yield Problem(0, "anchor", text)

    def _ours(self) -> list[Anchor]:
        return [anchor for anchor in self._noted.good if anchor.head.chain_id == self._head.chain_id]

    def _add(self, problem: Problem) -> None:
        self.report.problem_count += 1
        if len(self.report.problems) < _MOST_PROBLEMS:
            self.report.problems.append(problem)


def _moment(us: int) -> str:
    return dt.datetime.fromtimestamp(us / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
