"""A dashboard: collectors and edges."""

from scripts.boards.kit import Board, Panel, at, rate

FLEET = Board(
    "mtd-fleet",
    "mtd: collectors and edges",
    "Who polls what, and how what edges observe comes to their hub.",
    [
        (
            "Assignment",
            [
                Panel(
                    "Collectors",
                    "short",
                    [
                        (
                            "sum by (state) (max by (state, instance) (mtd_coordination_collectors))",
                            "{{state}}",
                        )
                    ],
                    "As the coordinator sees them.",
                ),
                Panel(
                    "Routers of each collector",
                    "short",
                    [("max by (collector) (mtd_coordination_devices)", "{{collector}}")],
                ),
                Panel(
                    "Routers that nobody polls",
                    "short",
                    [("max by (reason) (mtd_coordination_devices_waiting)", "{{reason}}")],
                ),
                Panel("Moves", "ops", [(rate("mtd_coordination_moves_total", "reason"), "{{reason}}")]),
                Panel(
                    "Leases that ended",
                    "ops",
                    [
                        (rate("mtd_coordination_leases_over_total"), "not renewed in time {{instance}}"),
                        (rate("mtd_coordination_leases_lost_total"), "lost to another {{instance}}"),
                    ],
                ),
                Panel("Coordinator", "short", [("mtd_coordination_coordinator", "{{instance}}")]),
            ],
        ),
        (
            "Edges, as they see it themselves",
            [
                Panel("Hub reached", "short", [(at("mtd_forwarding_hub_connected"), "{{instance}}")]),
                Panel(
                    "Behind its hub",
                    "s",
                    [(at("mtd_forwarding_lag_seconds"), "{{instance}} {{lane}}")],
                    "Age of the oldest event that the hub doesn't have, by lane.",
                ),
                Panel(
                    "Kept for the hub",
                    "short",
                    [(at("mtd_forwarding_unprojected_events"), "{{instance}}")],
                    "Events that the hub's database doesn't have yet.",
                ),
                Panel(
                    "Sent",
                    "ops",
                    [
                        (
                            rate("mtd_forwarding_events_total", "instance, lane, outcome"),
                            "{{instance}} {{lane}} {{outcome}}",
                        )
                    ],
                ),
                Panel(
                    "Never sent", "ops", [(rate("mtd_forwarding_events_lost_total", "reason"), "{{reason}}")]
                ),
                Panel(
                    "Clock, ahead of the hub's",
                    "s",
                    [(at("mtd_link_clock_ahead_seconds"), "{{instance}}")],
                    signed=True,
                ),
                Panel("Linked", "short", [(at("mtd_link_linked"), "{{instance}}")]),
                Panel("Left of the lease", "s", [(at("mtd_link_lease_left_seconds"), "{{instance}}")]),
                Panel(
                    "Left of the certificate", "s", [(at("mtd_app_identity_left_seconds"), "{{instance}}")]
                ),
            ],
        ),
        (
            "Edges, as their hub sees them",
            [
                Panel(
                    "Streams", "short", [(f"sum by (lane) ({at('mtd_ingest_append_streams')})", "{{lane}}")]
                ),
                Panel("Events", "ops", [(rate("mtd_ingest_append_events_total", "outcome"), "{{outcome}}")]),
                Panel(
                    "Batches", "ops", [(rate("mtd_ingest_append_batches_total", "outcome"), "{{outcome}}")]
                ),
                Panel("Links", "short", [(at("mtd_link_links"), "{{instance}}")]),
                Panel(
                    "Held back",
                    "s",
                    [(rate("mtd_pressure_held_back_seconds_total", "lane"), "{{lane}}")],
                    "Seconds for which streams weren't read, of each second.",
                ),
                Panel(
                    "Certificates refused",
                    "ops",
                    [(rate("mtd_app_collectors_refused_total", "reason"), "{{reason}}")],
                ),
            ],
        ),
    ],
)
