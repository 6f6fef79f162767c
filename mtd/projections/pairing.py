"""Which polls, log lines and traps tell of the same fact. Pure: what comes out depends on what there is, not on the order of coming.

A poll sees what happened since the poll before; lines and traps come as it happens. So a line and a trap that are next to each
other belong together, and a poll belongs to the last of them before it that tells the same, unless somebody between them told the
state before: then that was about an earlier change. What is right behind a poll that has none of its kind was late: by another
clock, or on its way. An event has one evidence of each kind at most.

Only neighbours can belong together, so a row that comes changes no more than what is next to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

from mtd.model.evidence import Source
from mtd.storage.stores.evidence import CHANGED, Key, Witness

_Groups = list[list[Witness]]


def mates(witnesses: Sequence[Witness], reach_us: int) -> dict[Key, Key]:
    """Return the mate of each of the witnesses of one fact, in their order, that has one.

    The mate is the next one that tells the same event, and of the last one the first: a ring, of two or of three.
    """
    found: dict[Key, Key] = {}
    for group in _events(witnesses, reach_us):
        for one, following in pairwise([*group, group[0]] if len(group) > 1 else []):
            found[one.key] = following.key
    return found


def changed_mates(around: Sequence[Witness], place: Key, reach_us: int) -> dict[Key, Key | None]:
    """Return which rows have other mates since a row at this place came or went, or one that tells the state before.

    ``around``: the rows of its fact around the place, ``SIDE`` of them on each side, as far as there are so many.
    """
    found = mates(around, reach_us)
    at = bisect_left(around, place, key=lambda witness: witness.key)
    is_there = at < len(around) and around[at].key == place
    near = around[max(0, at - CHANGED) : at + is_there + CHANGED]
    # One that is further away keeps its mate, which may be beyond what is around.
    return {
        one.key: found.get(one.key)
        for one in near
        if abs(one.key.us - place.us) <= CHANGED * reach_us and found.get(one.key) != one.mate
    }


def _events(witnesses: Sequence[Witness], reach_us: int) -> _Groups:
    """Return who tells one event, event by event."""
    groups: _Groups = []
    told = list(_told_at_once(witnesses, reach_us))
    for number, group in enumerate(told):
        following = told[number + 1] if number + 1 < len(told) else []
        if groups and (
            _is_seen(groups[-1], group, reach_us) or _is_late(groups[-1], group, following, reach_us)
        ):
            groups[-1] += group
        else:
            groups.append(list(group))
    return groups


def _told_at_once(witnesses: Sequence[Witness], reach_us: int) -> Iterator[list[Witness]]:
    """Yield witnesses one by one, and a line and a trap together that are nearer to each other than to what is next to them."""
    gaps = [
        second.key.us - first.key.us if _is_one_change(first, second, reach_us) else None
        for first, second in pairwise(witnesses)
    ]
    taken = {
        place
        for place, gap in enumerate(gaps)
        if gap is not None
        and (place == 0 or (before := gaps[place - 1]) is None or gap < before)
        and (place + 1 == len(gaps) or (after := gaps[place + 1]) is None or gap <= after)
    }
    for place, one in enumerate(witnesses):
        if place - 1 not in taken:
            yield [one, witnesses[place + 1]] if place in taken else [one]


def _is_one_change(first: Witness, second: Witness, reach_us: int) -> bool:
    """Whether two, none of whom is a poll, may tell one change."""
    return (
        {first.source, second.source} == {Source.SYSLOG, Source.TRAP}
        and _are_near(first, second, reach_us)
        and not _told_otherwise(first, second)
    )


def _is_seen(before: Sequence[Witness], group: Sequence[Witness], reach_us: int) -> bool:
    """Whether this is the poll that saw what was told before it."""
    last, poll = before[-1], group[0]
    return (
        poll.source is Source.POLL
        and last.source is not Source.POLL
        and _are_different(before, group)
        and _are_near(last, poll, reach_us)
        and all(since <= last.key for since in poll.since.values())
    )


def _is_late(
    before: Sequence[Witness], group: Sequence[Witness], following: Sequence[Witness], reach_us: int
) -> bool:
    """Whether this was told behind the poll that saw it, and is for no poll behind itself."""
    return (
        before[-1].source is Source.POLL
        and group[0].source is not Source.POLL
        and _are_different(before, group)
        and _are_near(before[-1], group[0], reach_us)
        and not any(_told_otherwise(first, second) for first in before for second in group)
        and not (following and _is_seen(group, following, reach_us))
    )


def _told_otherwise(first: Witness, second: Witness) -> bool:
    """Whether both of their kinds told the state before between them; if only one did, it may have been quicker."""
    return all(
        (since := second.since.get(source)) is not None and since > first.key
        for source in (first.source, second.source)
    )


def _are_different(first: Sequence[Witness], second: Sequence[Witness]) -> bool:
    return {one.source for one in first}.isdisjoint(one.source for one in second)


def _are_near(first: Witness, second: Witness, reach_us: int) -> bool:
    return second.key.us - first.key.us <= reach_us
