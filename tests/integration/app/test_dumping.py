"""SIGUSR1 writes down what the process is about: under ``mtd run`` and twistd, with uvloop and without."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mtd.app import dumping
from mtd.app.dumping import KEPT, Dumper
from mtd.core.loop_watch import LoopWatch, SlowCallback
from mtd.ingest.buffer import Buffer
from tests.contract.loop import run
from tests.e2e.kit import wait_for

SECRET = "hunter2-of-a-router"
TASKS = 200

# A daemon that does nothing but wait, at two places, with a secret at hand.
IDLE = f"""
import asyncio, sys
if {{without_uvloop}}:
    sys.modules["uvloop"] = None
from mtd.core.aio import install_reactor
install_reactor()
from pathlib import Path
from twisted.internet import reactor
from mtd.app.process import Process
from mtd.app.tap import DaemonService

class Idle(Process):
    async def start(self):
        for number in range({TASKS}):
            self._tasks.spawn(f"device-{{{{number}}}}", self.waiting_for_a_router("{SECRET}"))
        reactor.callLater(3600, self.in_an_hour, "{SECRET}")
        print("ready", file=sys.stderr, flush=True)

    async def waiting_for_a_router(self, password):
        await self.reading(password)

    async def reading(self, password):
        await asyncio.Event().wait()

    def in_an_hour(self, password):
        pass

    def checks(self):
        return []

service = DaemonService(Path({{config}}), make_daemon=Idle)
"""
RUN = """
reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
reactor.callWhenRunning(service.startService)
reactor.run()
"""
TWISTD = """
from twisted.application.service import Application
application = Application("mtd")
service.setServiceParent(application)
"""


@contextmanager
def idle(
    folder: Path, *, twistd: bool, without_uvloop: bool
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run it; give the process and the file with its log."""
    config = folder / "mtd.toml"
    config.write_text(f'[daemon]\ndata_dir = "{folder}"\ncollector_id = "pop-1"\n[log]\nformat = "json"\n')
    text = IDLE.format(config=repr(str(config)), without_uvloop=without_uvloop) + (TWISTD if twistd else RUN)
    program = folder / "idle.py"
    program.write_text(text)
    command = [sys.executable, str(program)]
    if twistd:
        command = [
            str(Path(sys.executable).parent / "twistd"),
            "--nodaemon",
            "--reactor=asyncio",
            "--pidfile=",
            "-y",
            str(program),
        ]
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
        try:
            wait_for(lambda: "ready" in log.read_text(), "it is ready", timeout_s=30)
            yield process, log
        finally:
            process.terminate()
            process.wait(20)


def dumps(folder: Path) -> list[Path]:
    return sorted((folder / "dumps").glob("dump-*.json"))


@pytest.mark.parametrize(("twistd", "without_uvloop"), [(False, False), (True, False), (False, True)])
def test_a_signal_writes_a_dump(tmp_path: Path, twistd: bool, without_uvloop: bool) -> None:
    with idle(tmp_path, twistd=twistd, without_uvloop=without_uvloop) as (process, log):
        process.send_signal(signal.SIGUSR1)
        (path,) = wait_for(lambda: dumps(tmp_path), "a dump", timeout_s=20)
        wait_for(lambda: str(path) in log.read_text(), "its path in the log")
        process.send_signal(signal.SIGUSR2)
        wait_for(lambda: "most recent call first" in log.read_text(), "where the threads are")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "configuration reloaded" in log.read_text(), "a reload")
        assert process.poll() is None
    text = path.read_text()
    dump: dict[str, Any] = json.loads(text)
    assert dump["mtd"]["collector"] == "pop-1"
    assert dump["python"]["loop"].startswith("asyncio" if without_uvloop or twistd else "uvloop")
    (group,) = [
        one for one in dump["tasks"]["groups"] if any("waiting_for_a_router" in line for line in one["stack"])
    ]
    assert group["count"] == TASKS
    assert [line.rpartition(" ")[2] for line in group["stack"][:2]] == [
        "Idle.waiting_for_a_router",
        "Idle.reading",
    ]
    assert all(name.startswith("app.device-") for name in group["names"])
    assert dump["reactor"]["delayed_calls"]["Idle.in_an_hour"] == 1
    assert dump["memory"]["rss_bytes"] > 0
    assert dump["descriptors"]["open"]["socket"] > 0
    assert {"MainThread", "mtd-loop-watch"} <= {thread["name"] for thread in dump["threads"]}
    assert dump["garbage"]["generations"]
    assert "slow_callbacks" in dump
    assert SECRET not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_newest_are_kept_and_what_was_slow_is_in_them(tmp_path: Path) -> None:
    watch = LoopWatch()
    watch.slow.append(SlowCallback(1, 0.2, ["a.py:1 f"]))
    dumper = Dumper(tmp_path, watch, {"role": "all"})
    buffer = Buffer(123, 1000)
    assert not buffer.fill

    async def many() -> list[Path | None]:
        return [await dumper.dump() for _ in range(KEPT + 2)]

    written = run(many())
    assert dumps(tmp_path) == written[2:]
    newest = json.loads(dumps(tmp_path)[-1].read_text())
    assert newest["slow_callbacks"] == [{"time_us": 1, "late_s": 0.2, "stack": ["a.py:1 f"]}]
    (queue,) = [one for one in newest["queues"] if one["name"] == "ingest.buffer"]
    assert (queue["unit"], queue["policy"], queue["depth"]) == ("events", "drop least urgent", 0)
    assert queue["limit"] >= 123


def test_one_is_made_at_a_time_and_one_that_fails_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    busy = dumping.DUMPS.labels(result="busy")
    before = busy._value.get()

    async def twice() -> None:
        dumper = Dumper(tmp_path, LoopWatch(), {})
        dumper.request()
        dumper.request()
        task = dumper._task
        assert task is not None
        await task

    run(twice())
    assert busy._value.get() == before + 1
    assert len(dumps(tmp_path)) == 1
    (tmp_path / "file").write_text("")
    assert run(Dumper(tmp_path / "file", LoopWatch(), {}).dump()) is None
    assert "no dump was written" in caplog.text
    assert os.listdir(tmp_path / "dumps")  # noqa: PTH208
