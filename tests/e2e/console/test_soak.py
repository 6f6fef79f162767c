"""Some minutes of pages, visits, connections lost and viewers who come and go: nothing grows by much."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from mtd.testing.soak import Length, judge, soak
from tests.e2e.console.desk import BrowserThread
from tests.e2e.kit import Rig

SHORT = Length(
    seconds=300, batch=20, samples=5, tape_s=3, viewers=10, reconnect_every_s=90, wander_every_s=30
)


def test_nothing_grows(browser: BrowserThread, running: Rig) -> None:
    # Playwright is at work in this thread already; it needs one of its own.
    with ThreadPoolExecutor(1) as thread:
        figures = thread.submit(soak, running, SHORT, lambda _: None).result()
    assert figures["page_messages"] > SHORT.seconds
    assert figures["visits"] >= 10
    assert figures["reconnects"] >= 3
    assert figures["viewer_connections"] >= SHORT.viewers
    assert not judge(figures), figures


def test_growth_is_noticed() -> None:
    page = {"heap_growth_kb": 100.0, "nodes_growth": 0.0, "listeners_growth": 0.0}
    calm = {"pages": {"list": page}, "daemon_growth_mb": 0.1, "complaints": [], "viewer_problems": []}
    assert judge(calm) == []
    assert judge({**calm, "pages": {"list": {**page, "heap_growth_kb": 2_001.0}}})
    assert judge({**calm, "pages": {"list": {**page, "listeners_growth": 51.0}}})
    assert judge({**calm, "daemon_growth_mb": 4.1})
    assert judge({**calm, "complaints": ["console error: x"]}) == ["console error: x"]
