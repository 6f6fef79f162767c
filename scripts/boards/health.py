"""A dashboard: how mtd is."""

from scripts.boards.kit import Board, Panel, at, quantile, rate

MONTH = ',window="30d"'
DOWN = ',status="down"'

HEALTH = Board(
    "mtd-health",
    "mtd: health",
    "Whether mtd does its work, and what it costs. docs/observability.md tells what to look at first.",
    [
        (
            "At a glance",
            [
                Panel("Processes that answer", "short", [('sum(up{job="mtd"})', "up")], stat=True, width=4),
                Panel(
                    "Routers down",
                    "short",
                    [(f"sum({at('mtd_scheduler_devices', DOWN)})", "down")],
                    stat=True,
                    width=4,
                    red_above=1,
                ),
                Panel(
                    "Behind the log",
                    "s",
                    [(f"max({at('mtd_projections_lag_seconds')})", "lag")],
                    "Age of the newest event that PostgreSQL has, while others wait.",
                    stat=True,
                    width=4,
                    red_above=60,
                ),
                Panel(
                    "Pressure",
                    "short",
                    [(f"max({at('mtd_pressure_level')})", "level")],
                    "0: everything is polled as configured. 5: live values wait as well.",
                    stat=True,
                    width=4,
                    red_above=1,
                ),
                Panel(
                    "Events lost in an hour",
                    "short",
                    [("sum(instance:mtd_events_lost:increase1h) or vector(0)", "lost")],
                    stat=True,
                    width=4,
                    red_above=1,
                ),
                Panel(
                    "T0 polls answered, 5 min",
                    "percentunit",
                    [("min(instance:mtd_polls_answered:ratio_rate5m)", "answered")],
                    stat=True,
                    width=4,
                ),
            ],
        ),
        (
            "What is promised",
            [
                Panel(
                    "Kept, 30 days",
                    "percentunit",
                    [(f"max by (objective) ({at('mtd_slo_good_ratio', MONTH)})", "{{objective}}")],
                    "docs/slo.md tells what each means.",
                    width=6,
                ),
                Panel(
                    "Error budget left",
                    "percentunit",
                    [(f"min by (objective) ({at('mtd_slo_budget_left_ratio')})", "{{objective}}")],
                    width=6,
                    signed=True,
                ),
                Panel(
                    "Error budget used, times as fast as it may be",
                    "short",
                    [(f"max by (objective, window) ({at('mtd_slo_burn_rate')})", "{{objective}} {{window}}")],
                    width=6,
                ),
                Panel(
                    "Age of values when they are the newest",
                    "s",
                    [
                        (
                            quantile(0.5, "mtd_projections_latest_age_seconds", "poll_group"),
                            "{{poll_group}} median",
                        ),
                        (
                            quantile(0.95, "mtd_projections_latest_age_seconds", "poll_group"),
                            "{{poll_group}} p95",
                        ),
                    ],
                    width=6,
                ),
            ],
        ),
        (
            "Polling",
            [
                Panel("Polls answered", "ops", [(rate("mtd_scheduler_polls_total", "tier"), "{{tier}}")]),
                Panel(
                    "Polls not answered",
                    "ops",
                    [
                        (
                            rate("mtd_scheduler_polls_failed_total", "tier, outcome"),
                            "{{tier}} failed: {{outcome}}",
                        ),
                        (
                            rate("mtd_scheduler_polls_skipped_total", "tier, reason"),
                            "{{tier}} skipped: {{reason}}",
                        ),
                        (rate("mtd_scheduler_polls_missed_total", "tier"), "{{tier}} missed: no session"),
                    ],
                ),
                Panel(
                    "Time of polls",
                    "s",
                    [
                        (quantile(0.5, "mtd_scheduler_poll_seconds", "tier"), "{{tier}} median"),
                        (quantile(0.95, "mtd_scheduler_poll_seconds", "tier"), "{{tier}} p95"),
                    ],
                ),
                Panel(
                    "Lateness of live polls",
                    "s",
                    [
                        (quantile(0.5, "mtd_scheduler_lateness_seconds"), "median {{instance}}"),
                        (quantile(0.99, "mtd_scheduler_lateness_seconds"), "p99 {{instance}}"),
                    ],
                ),
                Panel(
                    "Routers", "short", [(f"sum by (status) ({at('mtd_scheduler_devices')})", "{{status}}")]
                ),
                Panel(
                    "Connecting",
                    "short",
                    [
                        (f"sum by (gate) ({at('mtd_core_gate_waiting')})", "{{gate}} waiting"),
                        (f"sum by (gate) ({at('mtd_core_gate_in_progress')})", "{{gate}} in progress"),
                    ],
                ),
            ],
        ),
        (
            "The process",
            [
                Panel("CPU", "percentunit", [(rate("process_cpu_seconds_total"), "{{instance}}")]),
                Panel("Memory", "bytes", [(at("process_resident_memory_bytes"), "{{instance}}")]),
                Panel(
                    "Descriptors",
                    "percentunit",
                    [(f"{at('process_open_fds')} / {at('process_max_fds')}", "{{instance}}")],
                    "Of those that it may have open.",
                ),
                Panel(
                    "Lateness of the loop",
                    "s",
                    [
                        (quantile(0.5, "mtd_core_loop_late_seconds"), "median {{instance}}"),
                        (quantile(0.99, "mtd_core_loop_late_seconds"), "p99 {{instance}}"),
                    ],
                    "What waited for others, or for the processor. A dump (SIGUSR1) tells what held it.",
                ),
                Panel(
                    "Pauses of the garbage collector",
                    "s",
                    [
                        (
                            quantile(0.99, "mtd_core_gc_pause_seconds", "generation"),
                            "generation {{generation}} p99",
                        )
                    ],
                ),
                Panel(
                    "Queues, how full",
                    "percentunit",
                    [
                        (
                            f"max by (queue) ({at('mtd_core_queue_depth')} / ({at('mtd_core_queue_limit')} > 0))",
                            "{{queue}}",
                        )
                    ],
                    "docs/reference/queues.md tells what each is, and what happens when it is full.",
                ),
            ],
        ),
        (
            "Doors",
            [
                Panel("gRPC calls", "ops", [(rate("mtd_api_grpc_calls_total", "code"), "{{code}}")]),
                Panel(
                    "gRPC, slowest methods",
                    "s",
                    [(f"topk(8, {quantile(0.95, 'mtd_api_grpc_call_seconds', 'method')})", "{{method}} p95")],
                ),
                Panel(
                    "HTTP requests",
                    "ops",
                    [(rate("mtd_api_http_requests_total", "route, code"), "{{route}} {{code}}")],
                ),
                Panel(
                    "Who looks",
                    "short",
                    [
                        (f"sum({at('mtd_api_hub_streams')})", "streams of values"),
                        (f"sum({at('mtd_api_event_streams')})", "streams of events"),
                        (f"sum({at('mtd_console_viewers')})", "consoles"),
                    ],
                ),
                Panel("Refused", "ops", [(rate("mtd_api_access_refused_total", "reason"), "{{reason}}")]),
                Panel("Errors of mtd", "ops", [(rate("mtd_core_task_failures_total", "task"), "{{task}}")]),
            ],
        ),
    ],
)
