"""What is asked in the bench of queries: each question in each way."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass

from mtd.testing.telemetry.data import A_NAME, HOUR_US, UPLINK_INSTANCE, DataPlan

SECOND_US = 1_000_000
DAY_US = 24 * HOUR_US

COUNTER, RATE, GAUGE = "iface.rx_bytes_total", "iface.rx_bps", "system.cpu.load_pct"
TOP_WINDOW_S = 300
TOP = 10
TOP_TIMES = 20
NARROW, NARROW_DAY = "narrow", "narrow_day"


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of question about one series. ``points`` 0: all raw points.

    ``of_day``: about a series of the reference load's day, whose 390 series lie
    side by side in the narrow table; else about one of A's 6.
    """

    name: str
    metric: str
    length_us: int
    points: int
    times: int
    of_day: bool = False

    @property
    def max_points(self) -> int:
        """Points to ask QueryRange for."""
        return self.points or self.length_us // SECOND_US + 1

    @property
    def table(self) -> str:
        """The narrow table."""
        return NARROW_DAY if self.of_day else NARROW


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: a series, by its names and by its numbers in the narrow table, and [start, end)."""

    device: str
    metric: str
    instance: str
    narrow: tuple[int, int]
    start_us: int
    end_us: int

    @property
    def pattern(self) -> str:
        """The series as QueryRange is asked for it."""
        if not self.instance:
            return self.metric
        # Ids begin with a star, which a pattern takes for any text.
        return f"iface.{self.instance.replace('*', '?')}.{self.metric.removeprefix('iface.')}"

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """Start and end as SQL has them."""
        return time_of(self.start_us), time_of(self.end_us)


CASES = (
    Case("1h_raw", COUNTER, HOUR_US, 0, 20),
    Case("24h_raw", COUNTER, DAY_US, 0, 20),
    Case("24h_600", GAUGE, DAY_US, 600, 20),
    Case("24h_600_rate", RATE, DAY_US, 600, 20),
    Case("90d_600", GAUGE, 90 * DAY_US, 600, 20),
    Case("90d_600_rate", RATE, 90 * DAY_US, 600, 20),
    Case("1h_raw_of_390", COUNTER, HOUR_US, 0, 20, of_day=True),
    Case("24h_raw_of_390", COUNTER, DAY_US, 0, 10, of_day=True),
    Case("24h_600_of_390", GAUGE, DAY_US, 600, 6, of_day=True),
)


def asks_of(case: Case, plan: DataPlan, days: int, most: int | None = None) -> list[Ask]:
    """Return the questions of a case, the same for all ways of asking: somewhere in what is stored; ``most`` at most."""
    dice = random.Random(case.name)  # noqa: S311 - no secret
    if case.of_day:
        begin_us, end_us = plan.day_first_hour * HOUR_US, (plan.day_first_hour + plan.day_hours) * HOUR_US
    else:
        end_us = plan.end_hour * HOUR_US
        begin_us = end_us - days * DAY_US
    length_us = min(case.length_us, end_us - begin_us)
    asks = []
    for number in range(case.times if most is None else min(case.times, most)):
        start_us = begin_us + dice.randint(0, (end_us - begin_us - length_us) // SECOND_US) * SECOND_US
        device, narrow = _series(case, plan, number)
        instance = "" if case.metric == GAUGE else UPLINK_INSTANCE
        asks.append(Ask(device, case.metric, instance, narrow, start_us, start_us + length_us))
    return asks


def _series(case: Case, plan: DataPlan, number: int) -> tuple[str, tuple[int, int]]:
    if not case.of_day:
        return A_NAME, (0, 5 if case.metric == GAUGE else 0)
    router = number % 3 + 1
    # Gauges come behind the four counters of each interface.
    return f"reference-{router}", (router, 4 * plan.day_interfaces if case.metric == GAUGE else 0)


def time_of(us: int) -> dt.datetime:
    """Return a moment as SQL has it."""
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)


def view_sql(case: Case) -> str:
    """Return the question to the SQL view; parameters are device, metric, start, end, instance."""
    value = "value_int" if case.metric == COUNTER else "value"
    rows = "FROM mtd.telemetry_range(%s, %s, %s::timestamptz, %s::timestamptz) WHERE instance = %s"
    if not case.points:
        return f"SELECT ts, {value} {rows} ORDER BY ts"
    return f"SELECT {_bucketed(case, value)} {rows} GROUP BY 1 ORDER BY 1"


def narrow_sql(case: Case) -> str:
    """Return the question to the narrow table; parameters are device, metric, start, end."""
    rows = f"FROM mtd.{case.table} WHERE device = %s AND metric = %s AND ts >= %s::timestamptz AND ts < %s::timestamptz"
    if not case.points:
        return f"SELECT ts, value {rows} ORDER BY ts"
    if case.metric == RATE:
        steps = "value - lag(value) OVER w AS grown, extract(epoch FROM ts - lag(ts) OVER w)::float8 AS s"
        inner = f"SELECT ts, {steps} {rows} WINDOW w AS (ORDER BY ts)"
        rows = f"FROM ({inner}) r WHERE grown >= 0 AND s <= 3"
        return f"SELECT {_bucketed(case, 'grown * 8 / s')} {rows} GROUP BY 1 ORDER BY 1"
    return f"SELECT {_bucketed(case, 'value')} {rows} GROUP BY 1 ORDER BY 1"


def _bucketed(case: Case, value: str) -> str:
    width_s = -(-case.length_us // case.points) // SECOND_US
    return (
        f"date_bin('{width_s} s', ts, 'epoch'), count(*), min({value}), avg({value}), max({value}),"
        f" percentile_disc(0.95) WITHIN GROUP (ORDER BY {value})"
    )


def narrow_whole_sql(case: Case) -> str:
    """Return the question how many values a time has, with their mean, minimum and maximum; as ``narrow_sql``.

    The first value has a rate, too, if there is one before it.
    """
    table = f"FROM mtd.{case.table} WHERE device = %s AND metric = %s"
    told = "count(*), avg({0}), min({0}), max({0})"
    if case.metric != RATE:
        return f"SELECT {told.format('value')} {table} AND ts >= %s::timestamptz AND ts < %s::timestamptz"
    begin = "(SELECT %s::timestamptz AS b, %s::timestamptz AS e)"
    inner = (
        "SELECT ts, b, value - lag(value) OVER w AS grown, extract(epoch FROM ts - lag(ts) OVER w)::float8 AS s"  # noqa: S608
        f" FROM mtd.{case.table} JOIN {begin} span ON ts >= b - interval '3 s' AND ts < e"
        " WHERE device = %s AND metric = %s WINDOW w AS (ORDER BY ts)"
    )
    return f"SELECT {told.format('grown * 8 / s')} FROM ({inner}) r WHERE ts >= b AND grown >= 0 AND s <= 3"  # noqa: S608


def narrow_whole_params(case: Case, asked: Ask, span_us: tuple[int, int]) -> tuple[object, ...]:
    """Return the parameters of ``narrow_whole_sql``."""
    span = (time_of(span_us[0]), time_of(span_us[1]))
    return (*span, *asked.narrow) if case.metric == RATE else (*asked.narrow, *span)


NARROW_TOP = f"""
SELECT device, metric, (max(value) - min(value)) * 8 / {TOP_WINDOW_S} AS rate FROM mtd.narrow
WHERE ts >= %s::timestamptz AND ts < %s::timestamptz AND device > 0 AND metric %% 8 = 0
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {TOP}
"""  # noqa: S608 - of constants

# All interfaces, by growth between polls: a reset takes nothing away. Parameters: start, start, end.
NARROW_RANKED = """
SELECT device, metric, sum(grown) * 8 / sum(s) AS rate FROM (
    SELECT ts, device, metric, value - lag(value) OVER w AS grown, extract(epoch FROM ts - lag(ts) OVER w)::float8 AS s
    FROM mtd.narrow WHERE ts >= %s::timestamptz - interval '3 s' AND device > 0 AND metric %% 8 = 0
    WINDOW w AS (PARTITION BY device, metric ORDER BY ts)
) r WHERE ts >= %s::timestamptz AND ts < %s::timestamptz AND grown >= 0 AND s <= 3 GROUP BY 1, 2
"""


def port_of(device: int, metric: int, plan: DataPlan) -> tuple[str, str]:
    """Return the interface of B, by its device's name and its instance, that has a number in the narrow table."""
    found = plan.b()[device - 1]
    return found.name, found.ports[metric // len(found.metrics)].instance


def top_ends(plan: DataPlan, times: int) -> Sequence[int]:
    """Return the moments at which the ranking is asked for, within B's hour: whole minutes, as its rollups are of."""
    dice = random.Random("top")  # noqa: S311
    end_us = plan.end_hour * HOUR_US
    return [end_us - dice.randint(0, (3600 - TOP_WINDOW_S) // 60) * 60 * SECOND_US for _ in range(times)]
