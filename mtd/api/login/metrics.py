"""Metrics of logins."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

LOGINS = Counter(
    "mtd_login_attempts_total",
    "Logins by how (password, oidc) and what came of them: in (ok), refused (refused), not looked at after too many "
    "failures (throttled), or not possible at the moment (failed).",
    ["method", "outcome"],
)
ENDED = Counter(
    "mtd_login_sessions_ended_total",
    "Sessions that ended: by their users (logout), or when their time was over (time).",
    ["reason"],
)
FORGOTTEN = Counter(
    "mtd_login_failures_forgotten_total",
    "Failures of somebody that were forgotten before their time, for too many others failed.",
)
PENDING_DROPPED = Counter(
    "mtd_login_oidc_dropped_total",
    "Logins at the identity provider that were begun and dropped, for too many others were begun after them.",
)
OIDC_REFUSED = Counter(
    "mtd_login_oidc_refused_total",
    "Answers of the identity provider that were no login, by what was wrong with them.",
    ["reason"],
)
OPEN_PAGES = Gauge("mtd_login_watched_sessions", "Sessions with open consoles.")
CLOSED_PAGES = Counter(
    "mtd_login_consoles_closed_total", "Open consoles that were closed as their session ended."
)
