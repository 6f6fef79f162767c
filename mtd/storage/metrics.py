"""Metrics of the storage: transactions, connections, partitions."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge, Histogram

TRANSACTION_SECONDS = Histogram(
    "mtd_storage_transaction_seconds",
    "Time of transactions that were committed, waiting for a connection included.",
    ["name"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
TRANSACTION_FAILURES = Counter(
    "mtd_storage_transaction_failures_total", "Attempts at transactions that failed.", ["name", "cause"]
)
TRANSACTION_RETRIES = Counter(
    "mtd_storage_transaction_retries_total", "Transactions that were tried again.", ["name"]
)
CONNECTIONS_OPEN = Gauge("mtd_storage_connections_open", "Open connections to PostgreSQL.")
CONNECTIONS_WAITING = Gauge(
    "mtd_storage_connection_waiters", "Transactions that wait for a free connection of the pool."
)
CONNECTS = Counter("mtd_storage_connects_total", "Attempts to connect to PostgreSQL.", ["result"])
NOTIFICATIONS = Counter("mtd_storage_notifications_total", "Notifications received.", ["channel"])
PARTITIONS = Gauge("mtd_storage_partitions", "Partitions of a table.", ["table"])
PARTITIONS_CREATED = Counter("mtd_storage_partitions_created_total", "Partitions made.", ["table"])
PARTITIONS_DROPPED = Counter("mtd_storage_partitions_dropped_total", "Partitions dropped.", ["table"])
MAINTENANCE_FAILURES = Counter(
    "mtd_storage_maintenance_failures_total",
    "Rounds of partition maintenance that failed in making partitions, and partitions that could not be dropped.",
    ["work"],
)
PARTITIONS_OVERDUE = Gauge(
    "mtd_storage_partitions_overdue", "Partitions past their retention that wait to be dropped."
)
POSTGRES_RESTARTS = Counter(
    "mtd_storage_embedded_restarts_total", "Times the embedded PostgreSQL died and was started again."
)
DEVICES_UNREADABLE = Counter(
    "mtd_storage_devices_unreadable_total",
    "Devices of the inventory that can't be polled, counted at each reading, by what can't be read: row or secret.",
    ["what"],
)
QUOTA_REFUSED = Counter(
    "mtd_storage_quota_refusals_total", "What was refused because a tenant's quota was used up.", ["quota"]
)
