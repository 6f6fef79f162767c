"""The figures of mtd's own state that an operator asks for, and when one of them is worth a look.

A figure is a level (what is now), a pace (per second, over the last minute) or
a count (what came in the last minute). The metrics behind them are those of
``/metrics``; the words here are for people.
"""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from mtd.api import metrics as api
from mtd.api.console import metrics as console
from mtd.eventlog import metrics as log
from mtd.ingest import metrics as ingest
from mtd.ingest.pressure import metrics as pressure
from mtd.listeners import metrics as listeners
from mtd.listeners.flows import metrics as flows
from mtd.listeners.traps import metrics as traps
from mtd.projections import metrics as projections
from mtd.scheduler import metrics as scheduler
from mtd.sources.routeros_api import metrics as sources
from mtd.storage import metrics as storage

Read = Callable[[], float]
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Figure:
    """``kind``: level, pace or count. ``warn`` and ``bad``: from which value on; ``falling``: from which down.

    ``share_of``: name of a figure that the thresholds are shares of.
    """

    group: str
    name: str
    label: str
    unit: str
    read: Read
    help: str
    kind: str = "level"
    warn: float = math.inf
    bad: float = math.inf
    falling: bool = False
    share_of: str = ""

    def state(self, value: float, whole: float = 1.0) -> str:
        """Return how it is: ok, warn or bad. What isn't known is ok."""
        sign = -1.0 if self.falling else 1.0
        if not math.isfinite(value) or (value == 0 and not self.falling):
            return "ok"
        for state, limit in (("bad", self.bad), ("warn", self.warn)):
            if math.isfinite(limit) and sign * value >= sign * limit * whole:
                return state
        return "ok"


def total(metric: MetricWrapperBase) -> float:
    """Return a counter or gauge of the process, summed over its labels."""
    return sum(_values(metric))


def total_but(metric: MetricWrapperBase, listener: str, reason: str) -> float:
    """Return a counter of one listener, summed over its other labels but for one reason."""
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
        and sample.labels.get("listener") == listener
        and sample.labels.get("reason") != reason
    )


def listener_total(metric: MetricWrapperBase, listener: str) -> float:
    """Return a metric of one listener, summed over its other labels."""
    return sum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.labels.get("listener") == listener and not sample.name.endswith("_created")
    )


def highest(metric: MetricWrapperBase) -> float:
    """Return the highest value of a gauge over its labels; 0 if it has none."""
    return max(_values(metric), default=0.0)


def _values(metric: MetricWrapperBase) -> list[float]:
    # Histograms and the times at which metrics were made have other endings.
    return [
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum", "_count"))
    ]


def sums(metric: MetricWrapperBase) -> tuple[float, float]:
    """Return the sum and the count of a histogram, over its labels."""
    found = {"_sum": 0.0, "_count": 0.0}
    for family in metric.collect():
        for sample in family.samples:
            ending = sample.name[sample.name.rfind("_") :]
            if ending in found:
                found[ending] += sample.value
    return found["_sum"], found["_count"]


def _of(metric: Any, gather: Callable[[MetricWrapperBase], float] = total) -> Read:
    return lambda: gather(metric)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@cache
def _statm() -> int:
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def _memory_bytes() -> float:
    # The kernel's memory: no disk is waited for. Kept open: there may be no descriptor left when it is of interest.
    pages = int(os.pread(_statm(), 100, 0).split()[1])
    return float(pages * resource.getpagesize())


_POLLING = (
    Figure("Polling", "polls_per_s", "Polls answered", "events_per_second", _of(scheduler.POLLS),
           "Polls of all routers and tiers that were answered.", "pace"),
    # A poll in a hundred is the odd slow answer; one in ten is a router, or we, who can't keep up.
    Figure("Polling", "polls_skipped", "Polls skipped", "count", _of(scheduler.POLLS_SKIPPED),
           "Due and not made in the last minute: the one before still ran, the router's CPU was high, or mtd held back.",
           "count", warn=0.01, bad=0.10, share_of="polls_per_s"),
    Figure("Polling", "polls_failed", "Polls failed", "count", _of(scheduler.POLLS_FAILED),
           "Ended with an error in the last minute; each is on its router's timeline.",
           "count", warn=0.01, bad=0.10, share_of="polls_per_s"),
    # Routers that are down are the network's trouble, not ours: told, never warned about.
    Figure("Polling", "polls_missed", "Polls missed", "count", _of(scheduler.POLLS_MISSED),
           "Due in the last minute while a router could not be reached.", "count"),
    Figure("Polling", "sessions", "Sessions open", "count", _of(sources.SESSIONS),
           "Routers that mtd is logged in to at the moment."),
    Figure("Polling", "logins", "Logins", "count", _of(sources.LOGINS),
           "Sessions opened in the last minute. Many, without a restart of mtd: routers end them.", "count"),
    Figure("Polling", "commands_per_s", "Commands", "events_per_second", _of(sources.COMMANDS),
           "Commands sent to routers.", "pace"),
    Figure("Polling", "received_bytes_per_s", "Received from routers", "bytes_per_second", _of(sources.RECEIVED_BYTES),
           "What the answers of all routers take on the network.", "pace"),
    Figure("Polling", "errors", "Errors of mtd", "count", _of(scheduler.INTERNAL_ERRORS),
           "Sessions that mtd itself broke off in the last minute by an error of its own; its log has them.",
           "count", warn=1, bad=10),
)  # fmt: skip

_WRITING = (
    # At half full the slowest tier pauses, at 80 % the third, at 95 % live values: see mtd.scheduler.guards.
    Figure("Event log", "pressure_pct", "Buffer used", "percent", lambda: 100 * total(ingest.PRESSURE),
           "How full the memory before the event log is. From 50 % on, the slowest polls pause.", warn=50, bad=80),
    # One tier is polled less often from 1 on; from 4 on only live values are.
    Figure("Event log", "pressure_level", "Polling thinned out", "count", _of(pressure.LEVEL),
           "0: nothing is. From 1 on T3, T2 and T1 are polled less often, then not at all; at 5 live values wait, too.",
           warn=1, bad=4),
    Figure("Event log", "log_fill_pct", "Log not stored yet", "percent", lambda: 100 * total(pressure.LOG_FILL),
           "Share of the log's limit that PostgreSQL, or the hub, doesn't have yet. At 100 nothing can be written any more.",
           warn=30, bad=65),
    Figure("Event log", "full_in_s", "Room lasts", "seconds", _of(pressure.FULL_SECONDS),
           "Until the log has no room, if all goes on as in the last minute.",
           warn=2 * 3600.0, bad=900.0, falling=True),
    Figure("Event log", "buffered_events", "Events buffered", "count", _of(ingest.BUFFERED_EVENTS),
           "On their way to the event log."),
    Figure("Event log", "appended_per_s", "Events written", "events_per_second", _of(log.APPENDED_EVENTS),
           "Made durable in the event log.", "pace"),
    Figure("Event log", "append_failures", "Writes failed", "count", _of(ingest.APPEND_FAILURES),
           "Attempts to write to the event log that failed in the last minute; they are repeated.",
           "count", warn=1, bad=30),
    Figure("Event log", "log_bytes", "Size of the log", "bytes", _of(log.STORED_BYTES),
           "What the event log keeps; the oldest goes when it reaches its limit."),
    # The log itself wants 8 GiB by default, and PostgreSQL grows beside it.
    Figure("Event log", "disk_free_bytes", "Free disk", "bytes", _of(log.DISK_FREE_BYTES),
           "Free space where the event log is.", warn=5 * GIB, bad=GIB, falling=True),
)  # fmt: skip

_PROJECTING = (
    # Values are called live while they are younger than five seconds; at half a minute nobody believes a page.
    Figure("Database", "lag_s", "Behind", "seconds", _of(projections.LAG_SECONDS, highest),
           "Age of what was last written to PostgreSQL while more waits.", warn=5, bad=30),
    Figure("Database", "lag_events", "Events waiting", "count", _of(projections.LAG_EVENTS, highest),
           "In the event log and not in PostgreSQL yet."),
    Figure("Database", "projected_per_s", "Events stored", "events_per_second", _of(projections.EVENTS_PROJECTED),
           "Written to PostgreSQL.", "pace"),
    # Each pool has a few connections: a handful that wait is a busy moment, fifty is a database that is too slow.
    Figure("Database", "waiters", "Waiting for a connection", "count", _of(storage.CONNECTIONS_WAITING),
           "Transactions that wait until a connection to PostgreSQL is free.", warn=5, bad=50),
    Figure("Database", "connections", "Connections", "count", _of(storage.CONNECTIONS_OPEN),
           "Open connections to PostgreSQL."),
    Figure("Database", "failures", "Transactions failed", "count", _of(storage.TRANSACTION_FAILURES),
           "In the last minute; most are repeated.", "count", warn=1, bad=30),
)  # fmt: skip

# What is lost is lost for good: one is worth a look as long as mtd runs, more of them now is bad.
_DROPS = (
    Figure("Dropped", "events_dropped", "Events lost", "count", _of(ingest.DROPPED_EVENTS),
           "Observed and never written, in the last minute: the buffer was full, or the log refused them.",
           "count", warn=1, bad=1),
    Figure("Dropped", "parts_refused", "Parts refused", "count", _of(ingest.REFUSED),
           "Parts of observations in the last minute that could not be accepted.", "count", warn=1, bad=1000),
    Figure("Dropped", "dead_letters", "Dead letters", "count", _of(projections.DEAD_LETTERS),
           "Events since the start that PostgreSQL can't take; they are kept in mtd.dead_letter.", warn=1, bad=1000),
    Figure("Dropped", "left_out", "Left out", "count", _of(projections.EVENTS_DROPPED),
           "Events in the last minute that were not stored: of removed devices, or of a time that makes no sense.",
           "count", warn=1, bad=1000),
    Figure("Dropped", "damaged", "Damaged batches", "count", _of(log.DAMAGED_BATCHES),
           "Parts of the event log since the start whose checksum is wrong: look at the disk.", warn=1, bad=1),
    Figure("Dropped", "rates_discarded", "Rates discarded", "count", _of(scheduler.RATES_DISCARDED),
           "Rates in the last minute above what the link can carry.", "count"),
    Figure("Dropped", "frames_discarded", "Frames not shown", "count", _of(api.HUB_DISCARDED),
           "In the last minute, to live viewers: late, or of removed devices. They are stored all the same.", "count"),
)  # fmt: skip

# Routers that push: what isn't taken in can't be asked for again.
_LISTENING = (
    Figure("Log lines", "lines_per_s", "Lines received", "events_per_second",
           lambda: listener_total(listeners.RECEIVED, "syslog"),
           "Lines of routers' logs that came in over syslog.", "pace"),
    Figure("Log lines", "lines_stored_per_s", "Lines stored", "events_per_second",
           lambda: listener_total(listeners.STORED, "syslog"),
           "Passed on to the event log.", "pace"),
    Figure("Log lines", "lines_lost_in_kernel", "Lost before mtd", "count",
           lambda: listener_total(listeners.KERNEL_DROPPED, "syslog"),
           "In the last minute, since the kernel's buffer was full: raise net.core.rmem_max and syslog.receive_buffer_bytes.",
           "count", warn=1, bad=1),
    Figure("Log lines", "lines_dropped", "Lines dropped", "count",
           lambda: total_but(listeners.DROPPED, "syslog", "filtered"),
           "In the last minute, but for those that the settings leave out: nobody's device, too many of one, no room.",
           "count", warn=1, bad=10_000),
    Figure("Log lines", "line_strangers", "Unknown senders", "count",
           lambda: listener_total(listeners.STRANGERS, "syslog"),
           "Senders that are nobody's device; `mtd discovery list` proposes them.", warn=1),
    Figure("Flows", "flow_datagrams_per_s", "Datagrams", "events_per_second", _of(flows.DATAGRAMS),
           "NetFlow, IPFIX and sFlow of known exporters.", "pace"),
    Figure("Flows", "flow_records_per_s", "Records stored", "events_per_second", _of(flows.STORED),
           "Passed on to the event log.", "pace"),
    Figure("Flows", "flows_lost_in_kernel", "Lost before mtd", "count",
           lambda: listener_total(listeners.KERNEL_DROPPED, "flows"),
           "Datagrams in the last minute, since the kernel's buffer was full: raise net.core.rmem_max,"
           " flows.receive_buffer_bytes or flows.workers.", "count", warn=1, bad=1),
    Figure("Flows", "flows_lost_on_the_way", "Lost on the way", "count", _of(flows.LOST),
           "In the last minute, by the exporters' own numbers: flows, messages or records that never came.",
           "count", warn=1, bad=10_000),
    Figure("Flows", "flow_records_dropped", "Records dropped", "count", _of(flows.DROPPED),
           "In the last minute: no room, more octets than any link carries, an address of several devices.",
           "count", warn=1, bad=10_000),
    Figure("Flows", "flow_datagrams_malformed", "Malformed", "count", _of(flows.MALFORMED),
           "Datagrams in the last minute that couldn't be read, or not to their end.", "count", warn=1, bad=10_000),
    Figure("Flows", "flow_sets_given_up", "Without template", "count", _of(flows.HELD_DROPPED),
           "Sets of records in the last minute that were given up before their template came.",
           "count", warn=1, bad=1000),
    Figure("Flows", "flow_records_suspect", "Suspect records", "count", _of(flows.SUSPECT),
           "Records in the last minute that say what can't be: times, sizes, a clock that is wrong.", "count", warn=1),
    Figure("Flows", "flow_strangers", "Unknown senders", "count",
           lambda: listener_total(listeners.STRANGERS, "flows"),
           "Senders that are nobody's device; `mtd discovery list` proposes them.", warn=1),
    Figure("Traps", "traps_read_per_s", "Traps", "events_per_second", _of(traps.READ),
           "SNMP traps and informs of known devices that are believed.", "pace"),
    Figure("Traps", "traps_lost_in_kernel", "Lost before mtd", "count",
           lambda: listener_total(listeners.KERNEL_DROPPED, "traps"),
           "In the last minute, since the kernel's buffer was full: raise net.core.rmem_max and traps.receive_buffer_bytes.",
           "count", warn=1, bad=1),
    Figure("Traps", "traps_dropped", "Traps dropped", "count", lambda: listener_total(listeners.DROPPED, "traps"),
           "In the last minute: nobody's device, too many of one, not believed, not to be read. The log of mtd says why.",
           "count", warn=1, bad=1000),
    Figure("Traps", "trap_strangers", "Unknown senders", "count",
           lambda: listener_total(listeners.STRANGERS, "traps"),
           "Senders that are nobody's device; `mtd discovery list` proposes them.", warn=1),
)  # fmt: skip

_SERVING = (
    Figure("Viewers", "viewers", "Consoles", "count", _of(console.VIEWERS), "Open consoles, this one included."),
    Figure("Viewers", "messages_per_s", "Messages", "events_per_second", _of(console.MESSAGES),
           "Sent to consoles.", "pace"),
    Figure("Viewers", "sent_bytes_per_s", "Sent to consoles", "bytes_per_second", _of(console.SENT_BYTES),
           "What all consoles receive.", "pace"),
    Figure("Viewers", "updates_skipped", "Values skipped", "count", _of(console.SKIPPED),
           "In the last minute: replaced by newer ones before a console was told.", "count"),
    Figure("Viewers", "streams", "Streams of values", "count", _of(api.HUB_STREAMS), "Open over gRPC."),
    Figure("Viewers", "event_streams", "Streams of events", "count", _of(api.EVENT_STREAMS),
           "Open over gRPC, and one for all consoles."),
    Figure("Viewers", "refused", "Refused", "count", _of(console.REFUSED),
           "Requests to the console in the last minute that came by a wrong name, from another page, or were too many.",
           "count", warn=1),
)  # fmt: skip

_PROCESS = (
    # One loop on one core: near 100 % it falls behind.
    Figure("Process", "cpu_pct", "CPU", "percent", lambda: 100 * _cpu_seconds(),
           "Of one core, PostgreSQL not included.", "pace", warn=80, bad=95),
    Figure("Process", "memory_bytes", "Memory", "bytes", _memory_bytes, "Resident, PostgreSQL not included."),
)  # fmt: skip

FIGURES: tuple[Figure, ...] = (*_POLLING, *_WRITING, *_PROJECTING, *_DROPS, *_LISTENING, *_SERVING, *_PROCESS)


def read_all() -> Mapping[str, float]:
    """Return the raw value of each figure by its name: counters since the start. No I/O, a few milliseconds."""
    return {figure.name: figure.read() for figure in FIGURES}
