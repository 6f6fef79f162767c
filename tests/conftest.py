"""What all tests share."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines that run tests are shared and slow at times: a deadline per example would only tell
# how busy they are. The timeout of pytest ends what hangs.
settings.register_profile("mtd", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mtd")

# What commands print is as wide for all: pytest-xdist tells its processes of a screen.
os.environ.pop("COLUMNS", None)

# Folders whose tests share a daemon.
TOGETHER = ("tests/e2e/console", "tests/odoo", "tests/witnesses")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process of pytest-xdist whole files, and whole folders where there is one daemon for all."""
    from xdist.scheduler import LoadFileScheduling

    class ByDaemon(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)

    return ByDaemon(config, log)
