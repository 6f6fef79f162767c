"""The host's own metrics."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

PLUGINS = Gauge("mtd_plugin_loaded", "Plugins found, by what became of them.", ["result"])
QUARANTINED = Counter(
    "mtd_plugin_quarantined_total",
    "Times that a collector failed at a menu of a device, which was set aside.",
    ["collector"],
)
UNKNOWN_CAPABILITIES = Counter(
    "mtd_plugin_capabilities_unknown_total",
    "Capabilities that a probe couldn't tell: the router denied, didn't answer in time, or failed otherwise.",
    ["cause"],
)
TRAPS = Counter("mtd_plugin_traps_total", "Commands that a router refused.", ["collector", "cause"])
UNREADABLE = Counter(
    "mtd_plugin_values_unreadable_total",
    "Values that a router gave and that could not be read.",
    ["collector"],
)
ROWS_REFUSED = Counter(
    "mtd_plugin_rows_refused_total",
    "Rows left out: over the cap, without a key, with a key twice, or of a monitor that told more or fewer than were asked for.",
    ["collector"],
)
TALLY_ROWS_UNTOLD = Counter(
    "mtd_plugin_tally_rows_untold_total",
    "Rows that a count by value left out, read by read, because there are too many values to tell apart.",
    ["collector"],
)
SNMP_ROWS_REFUSED = Counter(
    "mtd_plugin_snmp_rows_refused_total",
    "Rows that came over SNMP and were left out: called otherwise than the row that is known by their id, or none is.",
    ["collector", "cause"],
)
COUNTER_RESETS = Counter(
    "mtd_plugin_counter_resets_total", "Counters that fell, so that no rate was derived.", ["collector"]
)
RATE_GAPS = Counter(
    "mtd_plugin_rate_gaps_total", "Polls too late after the last one for any rate.", ["collector"]
)
REBOOTS = Counter("mtd_plugin_device_reboots_total", "Reboots of devices, seen by their uptime.")
