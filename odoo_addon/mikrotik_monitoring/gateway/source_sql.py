"""Values from mtd's database, by its views `mtd.telemetry` and `mtd.metric_latest`.

The login may read one tenant and nothing else: `mtd.let_read` gives it that. Views hold values as they
are stored; buckets are asked of another source.
"""

import datetime as dt
import logging
import os
import threading
from contextlib import closing, suppress

import psycopg2
from psycopg2 import errors, extensions

from .source import MAX_ROWS, SECOND_US, Series, SourceError, checked

_logger = logging.getLogger(__name__)

STATEMENT_S = 5
CONNECT_S = 3
_HOUR_US = 3600 * SECOND_US
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_COLUMNS = """device_id::text, metric, instance, label, key, coalesce(unit, ''),
       (extract(epoch FROM ts) * 1000000)::int8, value, value_int, value_text"""
_MATCHES = " AND (metric LIKE ANY (%(patterns)s) OR key LIKE ANY (%(patterns)s))"
# Statements are put together from texts of this file; values always go as parameters.
_LATEST = f"SELECT {_COLUMNS} FROM mtd.metric_latest WHERE device_id = ANY (%(devices)s::uuid[])"  # noqa: S608
# The hour lets PostgreSQL read only the blocks that are needed.
_HISTORY = f"""SELECT {_COLUMNS} FROM mtd.telemetry
 WHERE device_id = %(device)s::uuid AND ts >= %(start)s AND ts < %(end)s
   AND hour >= %(first_hour)s AND hour < %(end)s"""  # noqa: S608
_LIMIT = " LIMIT %(limit)s"


class Databases:
    """One connection per process and connection record, made by the first question. Threads share it."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pid = 0
        self._open = {}
        self._busy = {}  # a slow database holds up those alone who ask it

    def fetch(self, key, dsn, sql, values):
        """Return all rows of a question. Raises SourceError."""
        with self._lock:
            if self._pid != os.getpid():
                # Those of the process that forked aren't ours to close.
                self._pid, self._open, self._busy = os.getpid(), {}, {}
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:
            try:
                return self._fetch(key, dsn, sql, values)
            except psycopg2.Error as error:
                raise _told(error) from None

    def _fetch(self, key, dsn, sql, values):
        known = self._open.get(key)
        if known is not None and known[0] == dsn:
            try:
                return _rows(known[1], sql, values)
            except extensions.QueryCanceledError:
                raise
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                _logger.info("mtd's database was away: asking once more, on a new connection")
        self._drop(key)
        connection = _connected(dsn)
        self._open[key] = (dsn, connection)
        return _rows(connection, sql, values)

    def close(self):
        """Close all connections of this process."""
        with self._lock:
            for key in list(self._open):
                self._drop(key)

    def _drop(self, key):
        known = self._open.pop(key, None)
        if known is not None:
            with suppress(psycopg2.Error):
                known[1].close()


DATABASES = Databases()


class SqlSource:
    """Reads views. What they don't hold, `beyond` answers, another source."""

    def __init__(self, key, dsn, beyond, databases=DATABASES):
        self._key = key
        self._dsn = dsn
        self._beyond = beyond
        self._databases = databases

    def latest(self, devices, patterns=()):
        """Return the newest value of each series. Raises SourceError."""
        return self._series(_LATEST, {"devices": list(devices)}, patterns)

    def history(self, device, patterns, plan):
        """Return values over time as they are stored. Raises SourceError."""
        if plan.width_us:
            return self._beyond.history(device, patterns, plan)
        values = {
            "device": device,
            "start": _moment(plan.start_us),
            "end": _moment(plan.end_us),
            "first_hour": _moment(plan.start_us // _HOUR_US * _HOUR_US),
        }
        return self._series(_HISTORY, values, patterns)

    def _series(self, sql, values, patterns):
        values["limit"] = MAX_ROWS + 1
        if patterns:
            sql += _MATCHES
            values["patterns"] = [_like(pattern) for pattern in patterns]
        rows = self._databases.fetch(self._key, self._dsn, sql + _LIMIT, values)
        return checked(_grouped(rows))


def _connected(dsn):
    if not dsn:
        raise SourceError("unset")
    try:
        connection = psycopg2.connect(
            dsn,
            connect_timeout=CONNECT_S,
            application_name="mikrotik_monitoring",
            options=f"-c statement_timeout={STATEMENT_S * 1000} -c jit=off",
        )
        connection.set_session(readonly=True, autocommit=True)
    except psycopg2.Error as error:
        # Its text may quote the connection string, and with it the password.
        _logger.warning("mtd's database doesn't let us in (%s)", type(error).__name__)
        raise SourceError("unreachable") from None
    return connection


def _rows(connection, sql, values):
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def _told(error):
    if isinstance(error, extensions.QueryCanceledError):
        return SourceError("slow")
    if isinstance(error, errors.InsufficientPrivilege):
        return SourceError("denied")
    if isinstance(error, (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedColumn)):
        return SourceError("missing")
    _logger.warning("mtd's database can't answer (%s, %s)", type(error).__name__, error.pgcode)
    return SourceError("failed")


def _grouped(rows):
    """Return the series of rows. What stands in a view twice is taken once."""
    series, last_ms, names = [], None, None
    # PostgreSQL would compare texts as people of its locale do: that takes it longer than all the rest.
    for *found, time_us, value, whole, text in sorted(rows, key=_place):
        if found != names:
            names, last_ms = found, None
            device, metric, instance, label, key, unit = found
            series.append(Series(device, metric, instance, label, key, unit, [], [], [], texts={}))
        if time_us // 1000 == last_ms:
            continue
        last_ms = time_us // 1000
        series[-1].times_us.append(time_us)
        series[-1].values.append(value)
        if whole is not None:
            series[-1].whole.append(whole)
        if text is not None:
            series[-1].texts[int(value)] = text
    return series


def _place(row):
    device, metric, instance, _label, key, _unit, time_us = row[:7]
    return device, key, metric, instance, time_us


def _moment(microseconds):
    return _EPOCH + dt.timedelta(microseconds=microseconds)


def _like(pattern):
    for special in "\\%_":
        pattern = pattern.replace(special, "\\" + special)
    return pattern.replace("*", "%").replace("?", "_")
