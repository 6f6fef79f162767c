"""A dashboard: the event log and PostgreSQL."""

from scripts.boards.kit import Board, Panel, at, quantile, rate

STORAGE = Board(
    "mtd-storage",
    "mtd: log and storage",
    "From the event log to PostgreSQL, and what is kept there.",
    [
        (
            "The event log",
            [
                Panel("Written", "Bps", [(rate("mtd_eventlog_appended_bytes_total"), "{{instance}}")]),
                Panel("Events", "ops", [(rate("mtd_eventlog_appended_events_total"), "{{instance}}")]),
                Panel(
                    "Time until durable",
                    "s",
                    [
                        (quantile(0.5, "mtd_eventlog_append_seconds"), "median {{instance}}"),
                        (quantile(0.99, "mtd_eventlog_append_seconds"), "p99 {{instance}}"),
                        (quantile(0.99, "mtd_eventlog_commit_seconds"), "commit p99 {{instance}}"),
                    ],
                ),
                Panel("Kept", "bytes", [(at("mtd_eventlog_stored_bytes"), "{{instance}}")]),
                Panel(
                    "Needed, of its quota",
                    "percentunit",
                    [(at("mtd_pressure_log_fill_ratio"), "{{instance}}")],
                    "What a consumer hasn't taken yet: only that can't be trimmed.",
                ),
                Panel(
                    "Free on its disk",
                    "bytes",
                    [
                        (at("mtd_eventlog_disk_free_bytes"), "free {{instance}}"),
                        (at("mtd_pressure_disk_spare_bytes"), "until it stops {{instance}}"),
                    ],
                ),
                Panel(
                    "Not stored",
                    "ops",
                    [
                        (rate("mtd_eventlog_failed_batches_total", "reason"), "batches: {{reason}}"),
                        (
                            rate("mtd_ingest_dropped_events_total", "urgency, reason"),
                            "events lost: {{urgency}} {{reason}}",
                        ),
                    ],
                ),
                Panel(
                    "Pressure",
                    "short",
                    [
                        (at("mtd_pressure_level"), "level {{instance}}"),
                        (
                            f"max by (tier) ({at('mtd_pressure_interval_factor')})",
                            "interval of {{tier}}, times",
                        ),
                    ],
                ),
                Panel(
                    "On its way to the log",
                    "percentunit",
                    [(at("mtd_ingest_pressure_ratio"), "{{instance}}")],
                ),
            ],
        ),
        (
            "Projections",
            [
                Panel("Behind", "s", [(at("mtd_projections_lag_seconds"), "{{projection}} {{instance}}")]),
                Panel(
                    "Behind, in events",
                    "short",
                    [(at("mtd_projections_lag_events"), "{{projection}} {{instance}}")],
                ),
                Panel("Projected", "ops", [(rate("mtd_projections_events_total", "lane"), "{{lane}}")]),
                Panel(
                    "Left out",
                    "ops",
                    [
                        (
                            rate("mtd_projections_dead_letters_total", "projection"),
                            "dead letters: {{projection}}",
                        ),
                        (
                            rate("mtd_projections_events_dropped_total", "projection, reason"),
                            "{{projection}}: {{reason}}",
                        ),
                    ],
                ),
                Panel("Tried again", "ops", [(rate("mtd_projections_retries_total", "cause"), "{{cause}}")]),
                Panel(
                    "Events of a transaction",
                    "short",
                    [(quantile(0.5, "mtd_projections_batch_events"), "median")],
                ),
            ],
        ),
        (
            "PostgreSQL",
            [
                Panel(
                    "Slowest transactions",
                    "s",
                    [
                        (
                            f"topk(8, {quantile(0.95, 'mtd_storage_transaction_seconds', 'name')})",
                            "{{name}} p95",
                        )
                    ],
                ),
                Panel(
                    "Transactions",
                    "ops",
                    [(rate("mtd_storage_transaction_seconds_count", "name"), "{{name}}")],
                ),
                Panel(
                    "Failed",
                    "ops",
                    [(rate("mtd_storage_transaction_failures_total", "name, cause"), "{{name}} {{cause}}")],
                ),
                Panel(
                    "Connections",
                    "short",
                    [
                        (at("mtd_storage_connections_open"), "open {{instance}}"),
                        (at("mtd_storage_connection_waiters"), "waiting {{instance}}"),
                    ],
                ),
                Panel(
                    "Partitions", "short", [(f"max by (table) ({at('mtd_storage_partitions')})", "{{table}}")]
                ),
                Panel(
                    "Compaction behind",
                    "s",
                    [(at("mtd_compaction_lag_seconds"), "{{instance}}")],
                    "How long the oldest closed hour is due.",
                ),
            ],
        ),
    ],
)
