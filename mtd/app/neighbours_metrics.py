"""What is counted of other hubs on the same database."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

NEIGHBOURS = Gauge("mtd_hub_neighbours", "Other hubs on the same database now.")
TOLD = Counter(
    "mtd_hub_news_told_total", "Notifications by which other hubs were told what was committed here."
)
HEARD = Counter("mtd_hub_news_heard_total", "Notifications of other hubs.", ["kind"])
DEVICES_READ = Counter(
    "mtd_hub_devices_read_total", "Devices whose newest values were read because another hub had newer ones."
)
