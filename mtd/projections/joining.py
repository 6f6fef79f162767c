"""Stores events so that what polls, log lines and traps tell is one event, whichever comes first and from whatever log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtd.core.slices import Steps, in_slices
from mtd.model.evidence import Source
from mtd.projections import metrics
from mtd.projections.pairing import changed_mates
from mtd.storage.stores import evidence
from mtd.storage.stores.events import EventRow, insert_events, lock_positions
from mtd.storage.stores.evidence import Key, Mating, Place, Witness
from mtd.storage.txn import Transaction

# Sending rows and comparing what is around them holds the loop.
_ROWS_AT_ONCE = 250
_PLACES_AT_ONCE = 50
_NO_LOG = "00000000-0000-0000-0000-000000000000"


async def store_events(tx: Transaction, log_id: str, rows: Sequence[EventRow], reach_us: int) -> None:
    """Store events in their order, and put those together that tell the same fact within ``reach_us``."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        await _store_some(tx, log_id, rows[first : first + _ROWS_AT_ONCE], reach_us)


async def _store_some(tx: Transaction, log_id: str, rows: Sequence[EventRow], reach_us: int) -> None:
    if not reach_us or all(row.fact is None for row in rows):
        await insert_events(tx, log_id, rows)
        return
    await lock_positions(tx)
    kept, left = await _without_repeats(tx, log_id, rows, reach_us)
    await insert_events(tx, log_id, kept)
    came = [place for row in kept if (place := _place_of(log_id, row)) is not None]
    touched = [*left, *came]
    for some in _portions(came):
        touched += await evidence.changes_from(tx, some, reach_us)
    for some in _portions(touched):
        await _put_together(tx, some, reach_us)


async def _put_together(tx: Transaction, places: Sequence[Place], reach_us: int) -> None:
    """Write who belongs together around places where rows came or went."""
    windows = await evidence.windows_around(tx, places, reach_us)
    changed = await in_slices(_compared(places, windows, reach_us))
    if changed:
        await evidence.put_together(tx, changed)


def _compared(
    places: Sequence[Place], windows: Sequence[Sequence[Witness]], reach_us: int
) -> Steps[list[Mating]]:
    changed: dict[tuple[str, Key], Mating] = {}
    for place, around in zip(places, windows, strict=True):
        for key, mate in changed_mates(around, place.key, reach_us).items():
            changed[place.device_id, key] = Mating(place.device_id, key, mate)
        yield None
    return list(changed.values())


async def _without_repeats(
    tx: Transaction, log_id: str, rows: Sequence[EventRow], reach_us: int
) -> tuple[list[EventRow], list[Place]]:
    """Leave one line of those that tell no state and tell the same within a stretch of time: its first.

    Stretches begin at multiples of ``reach_us``. Where one is stored that is later than the first, that one is taken out: its
    position goes to the first, and its place is returned.
    """
    firsts: dict[Place, EventRow] = {}
    for row in rows:
        stretch = _stretch_of(row, reach_us)
        if stretch is not None and (
            stretch not in firsts or _key(log_id, row) < _key(log_id, firsts[stretch])
        ):
            firsts[stretch] = row
    left: list[Place] = []
    given: list[tuple[str, int, int, int]] = []
    for some in _portions(list(firsts)):
        for number, known in (await evidence.standing(tx, some, reach_us)).items():
            row = firsts[some[number]]
            if known.key < _key(log_id, row):
                del firsts[some[number]]
            else:
                left.append(some[number]._replace(key=known.key))
                given.append((row.tenant_id, row.seq, row.part, known.position))
    for some in _portions(left):
        await evidence.take_out(tx, some)
    if given:
        await evidence.give_positions(tx, log_id, given)
    stays = {id(row) for row in firsts.values()}
    kept = [row for row in rows if _stretch_of(row, reach_us) is None or id(row) in stays]
    metrics.LINES_FOLDED.inc(len(rows) - len(kept) + len(left))
    return kept, left


def _stretch_of(row: EventRow, reach_us: int) -> Place | None:
    """Return the stretch of time within which a row stands for all that tell the same; None if it stands for itself."""
    tells_state = row.field or row.old_value or row.new_value
    if row.source != Source.SYSLOG or tells_state or row.fact is None or row.device_id is None:
        return None
    start_us = row.collected_us - row.collected_us % reach_us
    return Place(row.device_id, row.fact, Key(start_us, _NO_LOG, 0, 0))


def _place_of(log_id: str, row: EventRow) -> Place | None:
    if row.fact is None or row.device_id is None:
        return None
    return Place(row.device_id, row.fact, _key(log_id, row))


def _key(log_id: str, row: EventRow) -> Key:
    return Key(row.collected_us, log_id, row.seq, row.part)


def _portions(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    for first in range(0, len(places), _PLACES_AT_ONCE):
        yield places[first : first + _PLACES_AT_ONCE]
