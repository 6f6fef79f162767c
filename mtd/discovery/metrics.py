"""Metrics of discovery."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

DATAGRAMS = Counter("mtd_discovery_datagrams_total", "Announcements (MNDP) that were received.")
DATAGRAMS_DROPPED = Counter(
    "mtd_discovery_datagrams_dropped_total", "Announcements that were not taken in, by reason.", ["reason"]
)
SIGHTINGS = Counter("mtd_discovery_sightings_total", "Sightings that were recorded, by way.", ["way"])
SIGHTINGS_DROPPED = Counter(
    "mtd_discovery_sightings_dropped_total", "New devices that were too many at a time to be taken in."
)
KNOWN = Gauge("mtd_discovery_known_things", "Devices that announced themselves and are remembered.")
KNOCKS = Counter("mtd_discovery_scan_connections_total", "Connections that scans began.")
PROPOSALS_PRUNED = Counter(
    "mtd_discovery_proposals_pruned_total", "Proposals that were forgotten: too old, or too many."
)
