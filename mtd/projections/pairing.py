"""Which poll and which log line tell of the same fact. Pure: what comes out depends on what there is, not on the order of coming.

A poll sees what happened since the poll before, and a line comes as it happens. So a poll belongs to the last line before
it that tells the same, unless somebody between them told the state before: then the line was about an earlier change. A poll
that has none belongs to the line right behind it, which was late: by another clock, or on its way. Each has one mate at most.

Only neighbours can be mates, so a row that comes changes no more than what is next to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from mtd.model.evidence import Source
from mtd.storage.stores.evidence import Key, Witness

_CHANGED = 2
"""A row that comes or goes changes the mates of so many on each side."""


def mates(witnesses: Sequence[Witness], reach_us: int) -> dict[Key, Key]:
    """Return the mate of each of the witnesses of one fact, in their order, that has one."""
    found: dict[Key, Key] = {}
    for line, poll in pairwise(witnesses):
        if (
            (line.source, poll.source) == (Source.SYSLOG, Source.POLL)
            and _are_near(line, poll, reach_us)
            and (poll.since is None or line.key > poll.since)
        ):
            found[line.key], found[poll.key] = poll.key, line.key
    seen_first = set(found)
    for poll, line in pairwise(witnesses):
        if (
            (poll.source, line.source) == (Source.POLL, Source.SYSLOG)
            and _are_near(poll, line, reach_us)
            and seen_first.isdisjoint((poll.key, line.key))
        ):
            found[line.key], found[poll.key] = poll.key, line.key
    return found


def changed_mates(around: Sequence[Witness], place: Key, reach_us: int) -> dict[Key, Key | None]:
    """Return which rows have other mates since a row at this place came or went.

    ``around``: the rows of its fact around the place, ``SIDE`` of them on each side, as far as there are so many.
    """
    found = mates(around, reach_us)
    at = bisect_left(around, place, key=lambda witness: witness.key)
    is_there = at < len(around) and around[at].key == place
    near = around[max(0, at - _CHANGED) : at + is_there + _CHANGED]
    # One that is further away keeps its mate, which may be beyond what is around.
    return {
        one.key: found.get(one.key)
        for one in near
        if abs(one.key.us - place.us) <= _CHANGED * reach_us and found.get(one.key) != one.mate
    }


def _are_near(first: Witness, second: Witness, reach_us: int) -> bool:
    return second.key.us - first.key.us <= reach_us
