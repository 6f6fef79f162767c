"""Metrics of the listeners for flows. What the kernel drops, and unknown senders, are among those of all listeners."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge
from mtd.listeners.flows.ledger import DROPPED as DROPPED_BY_WORKERS

DATAGRAMS = Counter("mtd_flows_datagrams_total", "Datagrams of known exporters that were received.")
STORED = Counter("mtd_flows_records_total", "Flow records that were passed on to be stored.")
DROPPED = Counter(
    "mtd_flows_dropped_records_total",
    "Flow records that were read and not stored, by reason: insane (more octets than any link carries), empty (no field of "
    "their template is known), queue_full (of the worker), worker_died (they were in the memory of one that was killed), "
    "unknown_sender, ambiguous_sender, other_tenant (their address was another tenant's when they came), not_recorded.",
    ["reason"],
)
UNKNOWN_DATAGRAMS = Counter(
    "mtd_flows_unknown_sender_datagrams_total",
    "Datagrams of senders that are nobody's device; they aren't read.",
)
MALFORMED = Counter(
    "mtd_flows_malformed_datagrams_total",
    "Datagrams that can't be read, or not to their end, by reason.",
    ["reason"],
)
LOST = Counter(
    "mtd_flows_lost_total",
    "What never came, by the exporters' own numbers: flows of NetFlow v5, messages of v9, records of IPFIX, datagrams of sFlow.",
)
TEMPLATES = Counter("mtd_flows_templates_total", "Templates that were new or changed.")
TEMPLATE_CONFLICTS = Counter(
    "mtd_flows_template_conflicts_total",
    "Templates that gave a number another layout while it was in use, and starts that were told while the exporter was heard "
    "from another port: two exporters behind one address, or somebody who forges.",
)
TEMPLATES_DROPPED = Counter(
    "mtd_flows_dropped_templates_total", "Templates that were forgotten since their exporter has too many."
)
TEMPLATES_UNKEPT = Counter(
    "mtd_flows_template_write_failures_total",
    "How often templates couldn't be written to disk, where the next start finds them; they are known meanwhile.",
)
HELD = Counter("mtd_flows_held_sets_total", "Sets of records that came before their template.")
HELD_DROPPED = Counter(
    "mtd_flows_dropped_sets_total", "Of these, such as were given up before their template came."
)
SUSPECT = Counter(
    "mtd_flows_suspect_records_total",
    "Flow records that are stored and say what can't be, by what: bad_times (stored without), clock_corrected (the exporter's "
    "clock is wrong by more than ten seconds), odd_sizes (packets smaller than a header or larger than a packet can be), "
    "byte_order (octets and packets look like small numbers with their bytes the wrong way round).",
    ["what"],
)
RESTARTS = Counter(
    "mtd_flows_exporter_restarts_total",
    "How often an exporter began anew: its templates are forgotten, and records wait for new ones.",
)
WAITING_BYTES = Gauge(
    "mtd_flows_waiting_bytes", "Packed records that wait for the daemon, by worker.", ["worker"]
)
WORKER_STARTS = Counter(
    "mtd_flows_worker_starts_total", "Starts of workers; more than there are tells of deaths."
)

_PLAIN = {
    "datagrams": DATAGRAMS,
    "lost": LOST,
    "templates": TEMPLATES,
    "template_conflicts": TEMPLATE_CONFLICTS,
    "templates_dropped": TEMPLATES_DROPPED,
    "held": HELD,
    "held_dropped": HELD_DROPPED,
    "restarts": RESTARTS,
    **{
        what: SUSPECT.labels(what=what)
        for what in ("bad_times", "clock_corrected", "odd_sizes", "byte_order")
    },
    **{reason: DROPPED.labels(reason=reason) for reason in (*DROPPED_BY_WORKERS, "worker_died")},
}
_MALFORMED = "malformed."


def count(news: dict[str, int]) -> None:
    """Add what a worker counted since the last time. ``stored`` isn't among it: that is counted when it is stored."""
    for name, more in news.items():
        if name.startswith(_MALFORMED):
            MALFORMED.labels(reason=name.removeprefix(_MALFORMED)).inc(more)
        elif (metric := _PLAIN.get(name)) is not None:
            metric.inc(more)
