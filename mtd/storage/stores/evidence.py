"""Rows of ``event`` that tell the same fact: which lie around which, and which belong together.

Asked under the lock of ``lock_positions``: what others wrote is seen then, and nobody writes meanwhile.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mtd.core.slices import Steps, in_slices
from mtd.model.evidence import Source
from mtd.storage import literals
from mtd.storage.txn import Row, Transaction

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

CHANGED = 4
"""A row that comes or goes changes the mates of so many on each side of it, and so many beside a row say which mates it has."""
SIDE = 2 * CHANGED
"""So many rows on each side of a place say what changes by a row there."""
_STEPS_AFTER = 50
_KEY_COLUMNS = 4


class Key(NamedTuple):
    """Where a row stands among those of its fact, whatever log it is of: by time, and then by its name."""

    us: int
    log_id: str
    seq: int
    part: int


class Place(NamedTuple):
    """Where a row is, or was."""

    device_id: str
    fact: int
    key: Key


class Witness(NamedTuple):
    """A row that tells a fact.

    ``since``: the last row before it of each kind that tells the state from which it changed, as far as there is one that counts.
    ``mate``: the next of the rows that it is told together with.
    """

    key: Key
    source: Source
    since: Mapping[Source, Key]
    mate: Key | None


class Mating(NamedTuple):
    """A row, and the next of those that it is told together with from now on; None: alone."""

    device_id: str
    key: Key
    mate: Key | None


class Standing(NamedTuple):
    """A line's row that stands for all lines of its fact within some time."""

    key: Key
    position: int


_GIVEN = "unnest(%(n)s::int4[], %(device)s::uuid[], %(fact)s::int8[], %(us)s::int8[], %(log)s::uuid[], %(seq)s::int8[], %(part)s::int4[])"
_PLACES = f"(SELECT n, device_id, fact, from_us(us) AS ts, log_id, seq, part FROM {_GIVEN} AS u (n, device_id, fact, us, log_id, seq, part)) t"
_KEY = "({0}.ts_collected, {0}.log_id, {0}.seq, {0}.part)"
_PLACE = "(t.ts, t.log_id, t.seq, t.part)"
# Constants, so that partitions of other times aren't looked at.
_THEN = "{0}.ts_collected BETWEEN %(first)s AND %(last)s"
_KNOWN = ", ".join(str(source.value) for source in Source)
# Who is of a kind that a newer mtd has brought stands alone here.
_OF_FACT = f"e.device_id = t.device_id AND e.fact = t.fact AND e.source IN ({_KNOWN}) AND {_THEN.format('e')}"
_SPAN, _REACH = "%(span)s * interval '1 microsecond'", "%(reach)s * interval '1 microsecond'"

_SINCE = "LEFT JOIN LATERAL ({}) b{} ON true"
_LAST_BEFORE = f"""
    SELECT to_us(p.ts_collected) AS us, p.log_id, p.seq, p.part FROM event p
    WHERE p.device_id = t.device_id AND p.fact = e.fact_before AND p.source = {{:d}}
      AND {_THEN.format("p")} AND p.ts_collected BETWEEN e.ts_collected - {_REACH} AND e.ts_collected
      AND {_KEY.format("p")} < {_KEY.format("e")}
    ORDER BY p.ts_collected DESC, p.log_id DESC, p.seq DESC, p.part DESC LIMIT 1
"""
_SINCE_OF_EACH = "\n".join(_SINCE.format(_LAST_BEFORE.format(source), source.value) for source in Source)
_SINCE_COLUMNS = ", ".join(
    f"b{source:d}.us, b{source:d}.log_id::text, b{source:d}.seq, b{source:d}.part" for source in Source
)

_WINDOWS = f"""
SELECT t.n, to_us(e.ts_collected), e.log_id::text, e.seq, e.part, e.source,
       to_us(e.mate_ts), e.mate_log_id::text, e.mate_seq, e.mate_part, {_SINCE_COLUMNS}
FROM {_PLACES} CROSS JOIN LATERAL (
    (SELECT e.* FROM event e WHERE {_OF_FACT} AND e.ts_collected BETWEEN t.ts AND t.ts + {_SPAN}
      AND {_KEY.format("e")} >= {_PLACE}
     ORDER BY e.ts_collected, e.log_id, e.seq, e.part LIMIT {SIDE + 1})
    UNION ALL
    (SELECT e.* FROM event e WHERE {_OF_FACT} AND e.ts_collected BETWEEN t.ts - {_SPAN} AND t.ts
      AND {_KEY.format("e")} < {_PLACE}
     ORDER BY e.ts_collected DESC, e.log_id DESC, e.seq DESC, e.part DESC LIMIT {SIDE})
) e {_SINCE_OF_EACH}
ORDER BY t.n, e.ts_collected, e.log_id, e.seq, e.part
"""

_FROM_HERE = f"""
SELECT DISTINCT t.n, e.fact
FROM {_PLACES} CROSS JOIN LATERAL (
    SELECT e.fact FROM event e WHERE e.device_id = t.device_id AND e.fact_before = t.fact AND {_THEN.format("e")}
      AND e.ts_collected BETWEEN t.ts AND t.ts + {_REACH} AND {_KEY.format("e")} > {_PLACE} AND e.fact IS NOT NULL
    ORDER BY e.ts_collected, e.log_id, e.seq, e.part LIMIT {_STEPS_AFTER}
) e
"""

_STANDING = f"""
SELECT t.n, to_us(e.ts_collected), e.log_id::text, e.seq, e.part, e.position
FROM {_PLACES} CROSS JOIN LATERAL (
    SELECT e.* FROM event e WHERE {_OF_FACT} AND e.source = {Source.SYSLOG:d}
      AND e.ts_collected >= t.ts AND e.ts_collected < t.ts + {_REACH}
    ORDER BY e.ts_collected, e.log_id, e.seq, e.part LIMIT 1
) e
"""

_MATE = f"""
UPDATE event e SET mate_ts = from_us(m.us), mate_log_id = m.log_id, mate_seq = m.seq, mate_part = m.part
FROM {_PLACES} JOIN unnest(%(n)s::int4[], %(mate_us)s::int8[], %(mate_log)s::uuid[], %(mate_seq)s::int8[], %(mate_part)s::int2[])
    AS m (n, us, log_id, seq, part) USING (n)
WHERE e.device_id = t.device_id AND {_KEY.format("e")} = {_PLACE} AND {_THEN.format("e")}
"""

_TAKE_OUT = f"DELETE FROM event e USING {_PLACES} WHERE e.device_id = t.device_id AND {_KEY.format('e')} = {_PLACE} AND {_THEN.format('e')}"

# Of three, the two that stay go on with each other. What is asked for is what was before, also of rows that change as well.
_PART_WAYS = """
UPDATE event e SET (mate_ts, mate_log_id, mate_seq, mate_part) = (
    SELECT o.mate_ts, o.mate_log_id, o.mate_seq, o.mate_part FROM event o
    WHERE o.device_id = e.device_id AND o.ts_collected = e.mate_ts AND o.log_id = e.mate_log_id AND o.seq = e.mate_seq
      AND o.part = e.mate_part AND (o.mate_log_id, o.mate_seq, o.mate_part) <> (e.log_id, e.seq, e.part)
      AND NOT (o.mate_log_id = %(log)s AND o.mate_seq >= %(first)s))
WHERE e.mate_log_id = %(log)s AND e.mate_seq >= %(first)s AND NOT (e.log_id = %(log)s AND e.seq >= %(first)s)
"""


async def windows_around(tx: Transaction, places: Sequence[Place], reach_us: int) -> list[list[Witness]]:
    """Return, for each place, the rows of its fact around it in their order, as far as they can matter."""
    await tx.execute(_WINDOWS, _given(places, reach_us))
    return await in_slices(_windows(tx.fetchall(), len(places)))


async def changes_from(tx: Transaction, places: Sequence[Place], reach_us: int) -> list[Place]:
    """Return where, among the rows that tell another state, these places are which tell what those changed from."""
    await tx.execute(_FROM_HERE, _given(places, reach_us))
    return [places[number]._replace(fact=fact) for number, fact in tx.fetchall()]


async def standing(tx: Transaction, places: Sequence[Place], reach_us: int) -> dict[int, Standing]:
    """Return the first line's row of each fact from its place on, within ``reach_us``, by the number of the place."""
    await tx.execute(_STANDING, _given(places, reach_us))
    return {number: Standing(Key(*key), position) for number, *key, position in tx.fetchall()}


async def take_out(tx: Transaction, places: Sequence[Place]) -> None:
    """Delete the rows at these places."""
    await tx.execute(_TAKE_OUT, _given(places))


async def put_together(tx: Transaction, matings: Sequence[Mating]) -> None:
    """Say of rows which row each is told together with."""
    mates = [mating.mate for mating in matings]
    given = _given([Place(mating.device_id, 0, mating.key) for mating in matings])
    given["mate_us"] = literals.numbers([None if mate is None else mate.us for mate in mates])
    given["mate_log"] = literals.texts(None if mate is None else mate.log_id for mate in mates)
    given["mate_seq"] = literals.numbers([None if mate is None else mate.seq for mate in mates])
    given["mate_part"] = literals.numbers([None if mate is None else mate.part for mate in mates])
    await tx.execute(_MATE, given)


async def give_positions(tx: Transaction, log_id: str, given: Iterable[tuple[str, int, int, int]]) -> None:
    """Have rows that are to be stored (tenant, seq, part) get these positions."""
    columns = [literals.plain(column) for column in zip(*given, strict=True)]
    await tx.execute(
        "INSERT INTO event_position_kept (tenant_id, log_id, seq, part, position)"
        " SELECT tenant_id, %s, seq, part, position FROM unnest(%s::uuid[], %s::int8[], %s::int2[], %s::int8[])"
        " AS t (tenant_id, seq, part, position)"
        " ON CONFLICT (log_id, seq, part) DO UPDATE SET position = excluded.position",
        [log_id, *columns],
    )


async def part_ways(tx: Transaction, log_id: str, first_seq: int) -> None:
    """Leave alone the rows whose mates, of a log from ``first_seq`` on, are to be built again."""
    await tx.execute(_PART_WAYS, {"log": log_id, "first": first_seq})


def _windows(rows: Iterable[Row], places: int) -> Steps[list[list[Witness]]]:
    found: list[list[Witness]] = [[] for _ in range(places)]
    for number, us, log_id, seq, part, source, *others in rows:
        mate, *since = (
            _key(others[place : place + _KEY_COLUMNS]) for place in range(0, len(others), _KEY_COLUMNS)
        )
        told = {source: key for source, key in zip(Source, since, strict=True) if key is not None}
        found[number].append(Witness(Key(us, log_id, seq, part), Source(source), told, mate))
        yield None
    return found


def _given(places: Sequence[Place], reach_us: int = 0) -> dict[str, Any]:
    """Return the parameters of statements about places; what lies further off than SIDE reaches can't matter."""
    span_us = SIDE * reach_us
    moments = [place.key.us for place in places]
    return {
        "n": literals.plain(range(len(places))),
        "device": literals.plain(place.device_id for place in places),
        "fact": literals.plain(place.fact for place in places),
        "us": literals.plain(moments),
        "log": literals.plain(place.key.log_id for place in places),
        "seq": literals.plain(place.key.seq for place in places),
        "part": literals.plain(place.key.part for place in places),
        "span": span_us,
        "reach": reach_us,
        "first": _EPOCH + dt.timedelta(microseconds=min(moments) - span_us - reach_us),
        "last": _EPOCH + dt.timedelta(microseconds=max(moments) + span_us + reach_us),
    }


def _key(columns: Row | list[Any]) -> Key | None:
    us, log_id, seq, part = columns
    return None if log_id is None else Key(us, log_id, seq, part)
