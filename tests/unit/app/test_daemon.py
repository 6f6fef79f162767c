from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

import mtd.app.daemon
from mtd.api.console.config import ConsoleConfig
from mtd.app.config import Settings
from mtd.app.daemon import Daemon


@pytest.mark.parametrize("enabled", [True, False])
def test_a_console_that_is_switched_off_follows_nothing(
    monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    """Nothing of it is made: nobody could look at what it follows."""
    showing = MagicMock()
    monkeypatch.setattr(mtd.app.daemon, "Showing", lambda *_: showing)
    daemon: Any = Daemon(Settings(console=ConsoleConfig(enabled=enabled)))
    for part in (
        "_pools",
        "_readers",
        "_inventory",
        "_telemetry",
        "_hub",
        "_feeds",
        "_console",
        "_ranges",
        "_flows",
        "_listening",
    ):
        setattr(daemon, part, MagicMock())
    http = MagicMock()
    daemon._start_showing(http, "home")
    assert showing.console.called is enabled
    assert (daemon._worlds is not None) is enabled
    assert daemon._stages.names == (["console"] if enabled else [])
    http.mount.assert_called_once_with(showing.prometheus_pages())
