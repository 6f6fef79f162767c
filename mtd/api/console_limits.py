"""How much the console's pages may be asked for: kept by the pages, told by the OpenAPI document."""

from __future__ import annotations

DAY_S = 86_400
MAX_HISTORY_S = 90 * DAY_S
MAX_HEALTH_S = 90 * DAY_S
MAX_METRICS = 200
MAX_POINTS = 2000
MAX_EVENTS = 500
MAX_LOG_S = 90 * DAY_S
MAX_LOG_LINES = 500
MAX_FLOW_S = 400 * DAY_S
MAX_FLOW_ROWS = 1000
MAX_FLOW_PATHS = 100
MAX_FLOW_RECORDS = 500
MAX_FLOW_WINDOW_S = 3600
MAX_POSITION = 2**63 - 1
LAST_US = 253_402_300_799_000_000  # of the year 9999
