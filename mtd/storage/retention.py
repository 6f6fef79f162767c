"""How long what is kept, and which class a series belongs to. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from mtd.storage.config import PartitionsConfig, RetentionClassConfig, RetentionConfig
from mtd.storage.partitioned import (
    DAY_US,
    DEVICE_HEALTH,
    EVENT,
    FLOW_BLOCK,
    FLOW_SUM_1H,
    FLOW_SUM_1M,
    LOG_RECORD,
    ROLLUP_1M,
    ROLLUP_5M,
    ROLLUP_10S,
    STANDARD,
    TELEMETRY_AXIS,
    TELEMETRY_FRAME,
    PartitionedTable,
    to_us,
)

_FIGURES = {
    ROLLUP_10S.name: "rollup_10s_days",
    ROLLUP_1M.name: "rollup_1m_days",
    ROLLUP_5M.name: "rollup_5m_days",
    LOG_RECORD.name: "logs_days",
    FLOW_BLOCK.name: "flows_days",
    FLOW_SUM_1M.name: "flow_sums_1m_days",
    FLOW_SUM_1H.name: "flow_sums_1h_days",
}
_OVERDUE_US = 2 * DAY_US


class Retention:
    """What the configuration says about keeping and dropping."""

    def __init__(
        self, config: RetentionConfig | None = None, partitions: PartitionsConfig | None = None
    ) -> None:
        self._config = config or RetentionConfig()
        self._events_months = (partitions or PartitionsConfig()).events_months

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes there are, the standard one included."""
        return (STANDARD, *self._config.classes)

    def days(self, table: PartitionedTable, retention: str = STANDARD) -> int:
        """Return how many days of telemetry, log lines or flows a table keeps.

        Frames and axes belong to series of all classes: they are kept as long as the longest. A class that is
        not configured may only be called differently now: its data is kept as long, too.
        """
        figure = _FIGURES.get(table.name, "raw_days")
        if table in (TELEMETRY_FRAME, TELEMETRY_AXIS) or retention not in self.classes:
            return max(self._figure(figure, name) for name in self.classes)
        return self._figure(figure, retention)

    def oldest_us(self, table: PartitionedTable, now_us: int, retention: str = STANDARD) -> int:
        """Return the oldest time that is kept; both in microseconds since the epoch.

        Days count with today, months with this month.
        """
        midnight_us = now_us - now_us % DAY_US
        if table not in (EVENT, DEVICE_HEALTH):
            return midnight_us - (self.days(table, retention) - 1) * DAY_US
        today = dt.datetime.fromtimestamp(midnight_us // 1_000_000, dt.UTC)
        months = today.year * 12 + today.month - 1 - (self._events_months - 1)
        return to_us(dt.datetime(months // 12, months % 12 + 1, 1, tzinfo=dt.UTC))

    def may_drop(self, end_us: int, oldest_us: int, local: dt.datetime) -> bool:
        """Whether a partition that ends at a time may be dropped at a local time of day.

        What should have gone two days ago goes at any time: the daemon may never run in the window.
        """
        if end_us > oldest_us:
            return False
        if not self._config.drop_between or end_us <= oldest_us - _OVERDUE_US:
            return True
        begin, end = self._config.drop_between
        now = local.strftime("%H:%M")
        return begin <= now < end if begin < end else now >= begin or now < end

    def next_window(self) -> str:
        """Return when partitions are dropped, in words."""
        return " to ".join(self._config.drop_between) if self._config.drop_between else "any time"

    def _figure(self, name: str, retention: str) -> int:
        own = self._config.classes.get(retention)
        value = None if own is None else getattr(own, name)
        return int(getattr(self._config, name) if value is None else value)


class RetentionClasses:
    """Tells the class of a series: the first that matches, else standard. Remembers what it told."""

    def __init__(self, config: RetentionConfig, tenant_names: Mapping[str, str] | None = None) -> None:
        """``tenant_names``: the name of each tenant by its id, where classes may name tenants so."""
        self._rules = [(name, frozenset(one.tenants), _pattern(one)) for name, one in config.classes.items()]
        self._tenant_names = tenant_names or {}
        self._told: dict[tuple[str, str], str] = {}

    def of(self, tenant_id: str, metric: str) -> str:
        """Return the class of a tenant's series of a metric, by catalogue key."""
        if not self._rules:
            return STANDARD
        told = self._told.get((tenant_id, metric))
        if told is None:
            told = self._told[tenant_id, metric] = self._find(tenant_id, metric)
        return told

    def _find(self, tenant_id: str, metric: str) -> str:
        tenant = {tenant_id, self._tenant_names.get(tenant_id, tenant_id)}
        for name, tenants, pattern in self._rules:
            if (not tenants or tenants & tenant) and (pattern is None or pattern.fullmatch(metric)):
                return name
        return STANDARD


def _pattern(config: RetentionClassConfig) -> re.Pattern[str] | None:
    """Return what matches the metrics of a class: ``*`` is any text, ``?`` any character; None: all."""
    if not config.metrics:
        return None
    escaped = (re.escape(one).replace(r"\*", ".*").replace(r"\?", ".") for one in config.metrics)
    return re.compile("|".join(escaped), re.DOTALL)


def raw_days_of(config: RetentionConfig, tenant_id: str, tenant_name: str) -> int:
    """Return for how many days values of a tenant are kept, at the most: its series may belong to several classes."""
    days = []
    for one in config.classes.values():
        if one.tenants and not {tenant_id, tenant_name} & set(one.tenants):
            continue
        days.append(config.raw_days if one.raw_days is None else one.raw_days)
        if not one.metrics:
            return max(days)  # whatever is left of the tenant's series belongs to it
    return max([*days, config.raw_days])
