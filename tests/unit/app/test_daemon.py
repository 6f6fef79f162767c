from __future__ import annotations

from mtd.api.console.config import ConsoleConfig
from mtd.app.config import Settings
from mtd.app.daemon import Daemon
from mtd.testing import run_async


def test_a_console_that_is_switched_off_follows_nothing() -> None:
    """Nothing of it is made: it needs neither readers nor a hub."""
    daemon = Daemon(Settings(console=ConsoleConfig(enabled=False)))
    run_async(daemon._start_console())
    daemon._live_changed()
    assert daemon._live is None
    assert daemon._stops == []
