"""What the application counts itself: of collectors, at the hub and at the collector itself."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

COLLECTORS = Gauge("mtd_app_collectors", "Collectors that may call.")
ORPHANS = Gauge(
    "mtd_app_collectors_of_lost_authorities",
    "Collectors that can't come in, as the CA that signed their certificates isn't there; looked at when the daemon starts.",
)
COLLECTORS_REFUSED = Counter(
    "mtd_app_collectors_refused_total",
    "Certificates of collectors that were refused: revoked, expired, not known (unknown), of one that is disabled, or "
    "not readable. Those of other CAs and expired ones mostly don't come so far: the handshake fails.",
    ["reason"],
)
CERTIFICATES_ISSUED = Counter(
    "mtd_app_collector_certificates_issued_total",
    "Certificates given to collectors, by how they asked.",
    ["how"],
)
ENROLMENTS_REFUSED = Counter(
    "mtd_app_enrolments_refused_total",
    "Attempts to enrol that were refused: the token is no token or isn't known (unknown), has expired, was used before "
    "(replayed), its collector is disabled, the signing request is no good (request), or too many from there failed (limit).",
    ["reason"],
)
IDENTITY_LEFT_SECONDS = Gauge(
    "mtd_app_identity_left_seconds", "How long this collector's own certificate is still good."
)
IDENTITY_RENEWALS = Counter(
    "mtd_app_identity_renewals_total",
    "Renewals of this collector's own certificate, by how they ended.",
    ["result"],
)
