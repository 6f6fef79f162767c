"""Odoo's workers answer and are done: they run no loop, follow no stream, and make no record of a value."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtd.client import MtdClient
from tests.unit.odoo_addon.parts import ADDON
from tests.unit.odoo_addon.worker_rules import STREAMS, faults, values_created

IN_WORKERS = [
    path
    for folder in ("models", "wizard", "controllers", "gateway")
    for path in (ADDON / folder).glob("*.py")
]
PRODUCT = [
    path for path in ADDON.rglob("*.py") if not {"tests", "__pycache__"} & set(path.relative_to(ADDON).parts)
]
# Each ends by itself; why is said beside it.
BOUNDED = Counter(
    {
        # Deletes old rows, a bounded number at a time, until none are left; a job of the night.
        ("models/event.py", "_gc_events: while"): 1,
        # Forgets kept rows one by one.
        ("models/metric_rows.py", "_keep: while"): 1,
        # Asks mtd of up to MOST_AT_ONCE devices at once, each with a deadline, and waits for all.
        ("models/device_actions.py", "_at_once: concurrent.futures.ThreadPoolExecutor"): 1,
    }
)


def name(path: Path) -> str:
    return path.relative_to(ADDON).as_posix()


def test_a_worker_never_runs_a_loop() -> None:
    assert len(IN_WORKERS) > 25
    found = Counter((name(path), fault) for path in IN_WORKERS for fault in faults(path.read_text()))
    assert found == BOUNDED


def test_threads_of_a_request_are_waited_for() -> None:
    """The executor is used by ``with``: none of its threads outlives the request."""
    tree = ast.parse((ADDON / "models/device_actions.py").read_text())
    managed = [
        item.context_expr for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items
    ]
    assert [ast.unparse(one) for one in managed] == ["ThreadPoolExecutor(max_workers=len(ids))"]


def test_no_value_becomes_a_record() -> None:
    written = [
        (name(path), place) for path in PRODUCT for _, place in values_created(ast.parse(path.read_text()))
    ]
    assert written == []
    assert [name(path) for path in PRODUCT if "INSERT INTO mikrotik_metric" in path.read_text()] == []


def test_the_bridge_creates_no_records_at_all() -> None:
    """Its messages go through the bus; events are inserted by the model that has them."""
    paths = sorted((ADDON / "bridge").glob("*.py"))
    assert paths
    assert [name(path) for path in paths if re.search(r"\.(create|write)\(\s*[\[{]", path.read_text())] == []


def test_all_streams_of_the_client_are_known() -> None:
    """A method of the client that gives one thing after the other is a stream for these rules."""

    def streaming() -> Iterator[str]:
        for method, function in inspect.getmembers(MtdClient, inspect.isfunction):
            given = str(inspect.signature(function).return_annotation)
            if not method.startswith("_") and re.search(r"Iterator|Generator|Run\b|Stream", given):
                yield method

    assert {"watch", "watch_frames", "events", "query_slices"} <= set(streaming()) <= STREAMS


PLANTED = {
    "def poll(self):\n    while True:\n        pass": "poll: while",
    "def poll(self):\n    while 1:\n        pass": "poll: while",
    "import threading\ndef f():\n    threading.Thread(target=f).start()": "f: threading.Thread",
    "from threading import Thread as T\ndef f():\n    T(target=f).start()": "f: threading.Thread",
    "import threading as t\nclass Loop(t.Thread):\n    pass": "module: threading.Thread",
    "import threading\ndef f():\n    threading.Timer(1.0, f).start()": "f: threading.Timer",
    "from time import sleep\ndef f():\n    sleep(1)": "f: time.sleep",
    "import time\ndef f():\n    time.sleep(1)": "f: time.sleep",
    "import asyncio": "module: imports asyncio",
    "def f():\n    from asyncio import run": "f: imports asyncio",
    "import twisted.internet": "module: imports twisted.internet",
    "async def f():\n    pass": "f: async",
    "import itertools\ndef f():\n    for _ in itertools.count():\n        g()": "f: itertools.count",
    "def f(read):\n    for one in iter(read, None):\n        g(one)": "f: iter until",
    "def f(client):\n    return list(client.watch('*'))": "f: stream .watch()",
    "def f(self):\n    return self._ask(lambda client: client.events())": "f: stream .events()",
    "from concurrent.futures import ThreadPoolExecutor\nPOOL = ThreadPoolExecutor(4)": (
        "module: concurrent.futures.ThreadPoolExecutor"
    ),
    "def f(self):\n    self.env['mikrotik.metric.point'].create({})": "f: values as records",
    "def f(self):\n    points = self.env['mikrotik.metric.latest'].sudo()\n    points.create([])": (
        "f: values as records"
    ),
    "class M(models.Model):\n    _name = 'mikrotik.metric.point'\n    def f(self):\n        self.create({})": (
        "M: values as records"
    ),
}


@pytest.mark.parametrize("text", PLANTED, ids=PLANTED.values())
def test_what_is_planted_is_found(text: str) -> None:
    assert PLANTED[text] in faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "import threading\nLOCK = threading.Lock()",
        "import time\ndef f():\n    return time.monotonic()",
        "def f(self):\n    self._ask(lambda client: client.query_latest([]))",
        "def f(self):\n    self.env['mikrotik.event'].create({})",
        "def f(self):\n    return self.env['mikrotik.metric.point'].search([])",
    ],
)
def test_what_is_allowed_is_left_in_peace(text: str) -> None:
    assert faults(text) == []
