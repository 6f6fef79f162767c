"""A collector that can't start says what to do; its pages say where the hub is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtd.app.config import Settings
from mtd.app.daemon import Daemon
from mtd.app.edge import EdgeDaemon
from mtd.app.edge_pages import ElsewherePages
from mtd.app.tap import process_of
from mtd.core.errors import Misconfigured
from tests.contract.loop import run


def settings(folder: Path) -> Settings:
    return Settings.model_validate({"daemon": {"role": "collector", "data_dir": str(folder)}})


def test_the_role_says_which_process_it_is(tmp_path: Path) -> None:
    assert isinstance(process_of(settings(tmp_path)), EdgeDaemon)
    hub = Settings.model_validate({"daemon": {"role": "hub", "data_dir": str(tmp_path)}})
    assert isinstance(process_of(hub), Daemon)


def test_a_collector_that_has_not_enrolled_says_how_to(tmp_path: Path) -> None:
    edge = EdgeDaemon(settings(tmp_path))
    with pytest.raises(Misconfigured, match="mtd enroll --server HUB:PORT --token-file FILE"):
        run(edge._start_identity())
    assert [check.ready for check in edge.checks()] == [False]


def test_the_console_is_elsewhere() -> None:
    pages = ElsewherePages("edge-1", lambda: "hub.example.net:50052")
    assert pages.route_of("/console") == pages.route_of("/console/devices/x") == "/console/"
    assert pages.route_of("/metrics") is None
