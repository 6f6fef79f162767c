"""Metrics of security: passwords and failed attempts."""

from __future__ import annotations

from mtd.core.metrics import Counter

PASSWORD_CHECKS = Counter("mtd_security_password_checks_total", "Passwords that were checked.", ["result"])
PASSWORDS_REFUSED = Counter(
    "mtd_security_passwords_refused_total", "Passwords that weren't checked, as too many were waiting."
)
ATTEMPTS_REFUSED = Counter(
    "mtd_security_attempts_refused_total",
    "Attempts that weren't looked at, after too many had failed.",
    ["what"],
)
