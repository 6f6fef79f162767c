"""Series as rows for PostgreSQL: it filters, groups, sorts and pages them without storing one.

Each array is one text: PostgreSQL reads those several times faster than arrays of literals.
"""

import json
from dataclasses import dataclass

from .source import SECOND_US

SLOTS = 100
"""About how many places a chart has on its axis of time."""
_SLOTS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

_SQL = """(
    SELECT p.id, s.device_id, s.company_id, s.metric, s.instance, s.label, s.key, s.unit, s.resolution,
           timestamp '1970-01-01' + p.t_us * interval '1 microsecond' AS time,
           to_char(l.local, 'YYYY-MM-DD HH24:00') AS hour,
           to_char(to_timestamp(floor(extract(epoch FROM l.local) / %s) * %s) AT TIME ZONE 'UTC', %s) AS slot,
           p.value, p.low AS value_min, p.high AS value_max, p.whole::text AS value_int,
           s.texts ->> p.state AS value_text
      FROM unnest(%s::int8[], %s::int4[], %s::int8[], %s::float8[], %s::float8[], %s::float8[], %s::int8[],
                  %s::text[]) AS p (id, n, t_us, value, low, high, whole, state)
      JOIN jsonb_to_recordset(%s::jsonb)
           AS s (n int4, device_id int4, company_id int4, metric text, instance text, label text, key text,
                 unit text, resolution text, texts jsonb)
        ON s.n = p.n
     CROSS JOIN LATERAL (SELECT to_timestamp(p.t_us / 1000000) AT TIME ZONE %s AS local) AS l
)"""


@dataclass(frozen=True, eq=False)
class Rows:
    """A table of values as SQL with parameters, the numbers of its rows, and how fine they are."""

    sql: str
    params: tuple
    ids: frozenset
    resolutions: frozenset


def rows_of(series, places, timezone, span_us, *, over_time=True):
    """Return rows of series.

    `places` maps mtd's ids of devices to those of the device and the company here; what isn't in it has
    no row. `span_us`: how long a time a chart of them shows.
    """
    columns = [[] for _ in range(8)]
    heads = []
    for one in series:
        place = places.get(one.device)
        if place is None:
            continue
        _add(columns, one, len(heads), over_time)
        heads.append(_head(one, len(heads), place))
    slot_us = _slot_us(span_us, [one.bucket_us for one in series])
    slot_s = slot_us // SECOND_US
    params = (slot_s, slot_s, _slot_format(slot_us), *map(_array, columns), json.dumps(heads), timezone)
    resolutions = frozenset(head["resolution"] for head in heads)
    return Rows(_SQL, params, frozenset(columns[0]), resolutions)


def no_rows():
    """Return rows of nothing."""
    return rows_of([], {}, "UTC", 0)


def _slot_us(span_us, widths_us):
    """Return how long a place on the axis of time is: never shorter than a bucket."""
    least_us = max([span_us // SLOTS, *widths_us])
    fitting = (slot * SECOND_US for slot in _SLOTS_S if slot * SECOND_US >= least_us)
    return next(fitting, max(least_us, _SLOTS_S[-1] * SECOND_US))


def _slot_format(slot_us):
    """Return how the time of a place is written: as texts they are in the order of time."""
    return "YYYY-MM-DD HH24:MI" if slot_us % (60 * SECOND_US) == 0 else "YYYY-MM-DD HH24:MI:SS"


def _add(columns, one, number, over_time):
    count = len(one.times_us)
    is_counter = bool(one.whole)
    columns[0] += one.ids(over_time=over_time)
    columns[1] += [number] * count
    columns[2] += one.times_us
    columns[3] += one.values
    # What isn't a mean is its own smallest and largest value.
    columns[4] += one.minimum or one.values
    columns[5] += one.maximum or one.values
    columns[6] += one.whole if is_counter else [None] * count
    columns[7] += [_state(value) if one.texts else None for value in one.values]


def _head(one, number, place):
    device_id, company_id = place
    return {
        "n": number,
        "device_id": device_id,
        "company_id": company_id,
        "metric": one.metric,
        "instance": one.instance,
        "label": one.label,
        "key": one.key,
        "unit": one.unit,
        "resolution": one.resolution,
        "texts": {str(value): text for value, text in one.texts.items()},
    }


def _state(value):
    """Return the number of a state as the key of its word; None between two, as in the mean of a bucket."""
    return str(int(value)) if value.is_integer() else None


def _array(values):
    """Return numbers as the text of an array. They need no quotes."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
