"""One lab and one daemon for all witnesses: they only read."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.e2e.kit import folder
from tests.witnesses.kit import SCENARIO, Watched


@pytest.fixture(scope="session")
def stage() -> Iterator[Watched]:
    """Return routers of four versions and the daemon that polls them."""
    with folder() as path, Watched(path) as watched:
        watched.start_routers(SCENARIO)
        watched.start_daemon()
        try:
            watched.add_all()
            watched.wait_until_steady()
            yield watched
        finally:
            sys.stdout.write(watched.daemon.tail(60) if watched.daemon else "no daemon")
