"""Metrics of the link between edges and hubs."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

LINKS = Gauge("mtd_link_links", "Hub: collectors at the edge that are linked with this hub now.")
ATTACHED = Counter("mtd_link_attached_total", "Hub: links that were opened.")
ENDED = Counter("mtd_link_ended_total", "Hub: links that ended, by why.", ["reason"])
RENEWALS = Counter(
    "mtd_link_renewals_total", "Hub: renewals of leases that collectors asked for.", ["result"]
)
PARTS = Counter("mtd_link_assignment_parts_total", "Hub: messages of what collectors are to poll.")
WITHHELD = Counter(
    "mtd_link_devices_withheld_total",
    "Hub: devices that were not given to a collector because it doesn't serve their tenant.",
)
COMMANDS = Counter(
    "mtd_link_commands_total", "Hub: commands that collectors were to carry out.", ["command", "result"]
)
REPORTS_NOT_STORED = Counter(
    "mtd_link_reports_not_stored_total", "Hub: reports of collectors that could not be stored."
)

LINKED = Gauge("mtd_link_linked", "Edge: whether this collector is linked with a hub (1) or not (0).")
LEASE_LEFT_SECONDS = Gauge(
    "mtd_link_lease_left_seconds",
    "Edge: what was left of its lease when it was looked at last; 0 when it is over.",
)
CLOCK_AHEAD_SECONDS = Gauge(
    "mtd_link_clock_ahead_seconds", "Edge: how far its clock is ahead of its hub's, as the hub reckons."
)
LINK_FAILURES = Counter(
    "mtd_link_failures_total", "Edge: links that ended or could not be opened.", ["reason"]
)
DEVICES = Gauge(
    "mtd_link_devices", "Edge: devices that it is to poll, by whether a lease is needed.", ["kind"]
)
DEVICES_UNREADABLE = Counter(
    "mtd_link_devices_unreadable_total",
    "Edge: devices that it was to poll by what this version doesn't know; they aren't polled.",
)
KEPT_FAILURES = Counter(
    "mtd_link_kept_failures_total",
    "Edge: what it keeps to survive a restart without its hub could not be read, written or removed.",
    ["what"],
)
COMMANDS_RUN = Counter(
    "mtd_link_commands_run_total", "Edge: commands of its hub that it carried out.", ["command", "result"]
)
