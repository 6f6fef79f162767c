"""What the doors count of themselves."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge, Histogram

GRPC_CALLS = Counter("mtd_api_grpc_calls_total", "Calls that ended, by status.", ["method", "code"])
GRPC_SECONDS = Histogram(
    "mtd_api_grpc_call_seconds",
    "How long calls took; streams count when they end.",
    ["method"],
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600, 3600),
)
GRPC_IN_PROGRESS = Gauge("mtd_api_grpc_calls_in_progress", "Calls and streams now.", ["method"])

GRPC_REPEATS = Counter(
    "mtd_api_grpc_repeated_requests_total",
    "Requests whose request_id was used before: given the answer of the first time (answered), too early (under_way), "
    "or another request than the first (refused). And those refused because too many are being done (too_many).",
    ["outcome"],
)

ACCESS_REFUSED = Counter(
    "mtd_api_access_refused_total",
    "Callers that were refused: what they showed is no good (proof), they showed nothing (unknown), their role or "
    "scope doesn't allow it (role), they named a tenant that isn't theirs (tenant), or what they showed ended while "
    "they were served (ended).",
    ["reason"],
)

HTTP_REQUESTS = Counter("mtd_api_http_requests_total", "Requests answered.", ["route", "code"])

HTTP_REFUSED = Counter("mtd_api_http_connections_refused_total", "Connections above the limit.")
HTTP_REQUESTS_REFUSED = Counter(
    "mtd_api_http_requests_refused_total",
    "Requests that a page of someone else may have made: by a name in Host (host) or a page in Origin (origin) that "
    "isn't ours, across sites (site), or without the token of a page of ours (csrf).",
    ["reason"],
)

HTTP_VISITS_ENDED = Counter(
    "mtd_api_http_visits_ended_total",
    "Open pages that were closed because who looks may not any more: its token ended, or its role changed.",
)

HUB_FRAMES = Counter("mtd_api_hub_frames_total", "Frames taken from the projections.")
HUB_DISCARDED = Counter(
    "mtd_api_hub_frames_discarded_total",
    "Frames not shown: older than what is shown, of an unknown layout, or not fitting theirs.",
    ["reason"],
)
HUB_SENT = Counter("mtd_api_hub_updates_sent_total", "Updates given to streams.")
HUB_SKIPPED = Counter(
    "mtd_api_hub_updates_skipped_total", "Updates that a newer one replaced before a slow stream took them."
)
HUB_STREAMS = Gauge("mtd_api_hub_streams", "Streams of values now.")
HUB_GROUPS = Gauge("mtd_api_hub_groups", "Devices times poll groups whose newest frame is in memory.")
HUB_LAYOUTS = Gauge("mtd_api_hub_layouts", "Layouts in memory.")

EVENT_STREAMS = Gauge("mtd_api_event_streams", "Streams of events now.")
EVENT_TAIL = Gauge("mtd_api_event_tail_events", "Newest events in memory.")
EVENT_READ_FAILURES = Counter(
    "mtd_api_event_read_failures_total", "Reads of new events that failed; they are repeated."
)

TLS_LEFT_SECONDS = Gauge(
    "mtd_api_tls_certificate_left_seconds", "How long the certificate of a door is still good.", ["door"]
)
TLS_RELOADS = Counter(
    "mtd_api_tls_reloads_total",
    "Certificates that a door took (ok), and looks at them that found none that can be used (failed).",
    ["door", "result"],
)
TLS_HANDSHAKES = Counter(
    "mtd_api_tls_handshakes_total",
    "Connections that began with TLS, whether or not they came to be.",
    ["port"],
)
