"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines that run tests are shared and slow at times: a deadline per example would only tell
# how busy they are. The timeout of pytest ends what hangs.
settings.register_profile("mtd", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mtd")
