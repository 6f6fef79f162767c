"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Machines that run tests are shared and slow at times: a deadline per example would only tell
# how busy they are. The timeout of pytest ends what hangs.
settings.register_profile("mtd", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mtd")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the folder of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def rosdata() -> Path:
    """Return the folder with captures of real routers; skip where there is none."""
    folder = os.environ.get("MTD_ROSDATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MTD_ROSDATA names no folder with captures of real routers")
    return Path(folder)
