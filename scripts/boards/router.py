"""A dashboard: one router."""

from scripts.boards.kit import Board, Panel, of_device

ROUTER = Board(
    "mtd-router",
    "mtd: a router",
    "One router: what it does, and what it costs it to be watched.",
    [
        (
            "State",
            [
                Panel("Polled", "short", [(of_device("routeros_up"), "{{device}}")], stat=True, width=4),
                Panel(
                    "CPU",
                    "percentunit",
                    [(of_device("routeros_system_cpu_load_ratio"), "{{device}}")],
                    width=5,
                ),
                Panel(
                    "Memory in use",
                    "percentunit",
                    [
                        (
                            f"1 - {of_device('routeros_system_memory_free_bytes')}"
                            f" / {of_device('routeros_system_memory_total_bytes')}",
                            "{{device}}",
                        )
                    ],
                    width=5,
                ),
                Panel(
                    "Up since", "s", [(of_device("routeros_system_uptime_seconds"), "{{device}}")], width=5
                ),
                Panel(
                    "Age of values",
                    "s",
                    [(of_device("routeros_poll_age_seconds"), "{{poll_group}}")],
                    width=5,
                ),
            ],
        ),
        (
            "Traffic",
            [
                Panel("Received", "bps", [(of_device("routeros_iface_rx_bps"), "{{interface}}")], width=12),
                Panel("Sent", "bps", [(of_device("routeros_iface_tx_bps"), "{{interface}}")], width=12),
                Panel(
                    "How full links are",
                    "percentunit",
                    [
                        (
                            f"{of_device('routeros_iface_tx_bps')} / ({of_device('routeros_iface_link_speed_bps')} > 0)",
                            "{{interface}}",
                        )
                    ],
                    width=12,
                ),
                Panel(
                    "Errors",
                    "ops",
                    [
                        (of_device("routeros_iface_rx_errors_per_second"), "{{interface}} received"),
                        (of_device("routeros_iface_tx_errors_per_second"), "{{interface}} sent"),
                    ],
                    width=12,
                ),
            ],
        ),
        (
            "What it costs it",
            [
                Panel(
                    "Time of a poll",
                    "s",
                    [
                        (
                            f"rate({of_device('routeros_polls_answered_seconds_total')}[$__rate_interval])"
                            f" / rate({of_device('routeros_polls_answered_total')}[$__rate_interval])",
                            "{{device}} on average",
                        )
                    ],
                ),
                Panel(
                    "Polls",
                    "ops",
                    [
                        (f"rate({of_device('routeros_polls_answered_total')}[$__rate_interval])", "answered"),
                        (f"rate({of_device('routeros_polls_failed_total')}[$__rate_interval])", "failed"),
                        (f"rate({of_device('routeros_polls_skipped_total')}[$__rate_interval])", "skipped"),
                    ],
                ),
                Panel(
                    "Busy with us",
                    "percentunit",
                    [
                        (
                            f"rate({of_device('routeros_cost_busy_seconds_total')}[$__rate_interval])",
                            "{{device}}",
                        )
                    ],
                ),
                Panel(
                    "Commands",
                    "ops",
                    [(f"rate({of_device('routeros_cost_commands_total')}[$__rate_interval])", "{{device}}")],
                ),
                Panel(
                    "Answers",
                    "Bps",
                    [
                        (
                            f"rate({of_device('routeros_cost_received_bytes_total')}[$__rate_interval])",
                            "{{device}}",
                        )
                    ],
                ),
                Panel(
                    "Rows",
                    "ops",
                    [(f"rate({of_device('routeros_cost_rows_total')}[$__rate_interval])", "{{device}}")],
                ),
            ],
        ),
    ],
    (("device", "Router", "label_values(routeros_up, device)"),),
)
