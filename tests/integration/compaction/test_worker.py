"""The worker as a process, and the daemon's side of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mtd.compaction import metrics
from mtd.compaction.messages import RoundDone, UnitDone, UnitFailed, from_line, to_line
from mtd.compaction.service import CompactionService
from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK
from mtd.storage.partitioned import DAY_US, HOUR_US
from mtd.testing import run_async
from tests.integration.compaction.kit import (
    LAYOUT,
    ask,
    cold,
    declare,
    expected,
    polls,
    put,
    settings,
    stored,
)

CLOSED = SYSTEM_CLOCK.now_us() // DAY_US * DAY_US - 2 * DAY_US  # by the clock of the machine


class Worker:
    """A worker process and what it says."""

    def __init__(
        self, dsn: str, program: tuple[str, ...] = ("-m", "mtd.compaction.worker"), **compaction: object
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdin is not None
        dumped = settings(**compaction).model_dump(mode="json", exclude={"dsn", "dsn_file"})
        self.process.stdin.write(json.dumps({"dsn": dsn, "settings": dumped}).encode() + b"\n")
        self.process.stdin.flush()

    def next(self) -> object:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        return from_line(line)

    def until(self, kind: type) -> object:
        while not isinstance(message := self.next(), kind):
            pass
        return message

    def end(self, *, by_itself: bool = False) -> int:
        if by_itself:
            self.process.wait(20)
        out, error = self.process.communicate(timeout=20)
        assert error == b"", error
        assert all(from_line(line) for line in out.splitlines())
        return self.process.returncode


def test_it_compacts_and_ends_with_its_input(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(100, CLOSED)
    put(postgres_dsn, frames)
    worker = Worker(postgres_dsn)
    done = worker.until(UnitDone)
    assert isinstance(done, UnitDone)
    assert (done.kind, done.frames, done.polls) == ("new", 100, 100)
    assert isinstance(worker.until(RoundDone), RoundDone)
    assert cold(postgres_dsn) == expected(frames)
    # Nobody sees the password, and everybody goes first.
    pid = worker.process.pid
    assert postgres_dsn.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert postgres_dsn.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    assert worker.end() == 0


def test_it_ends_when_it_is_told_to(postgres_dsn: str) -> None:
    worker = Worker(postgres_dsn)
    worker.until(RoundDone)
    worker.process.send_signal(signal.SIGINT)  # Ctrl-C in the daemon's terminal
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end(by_itself=True) == 0


def test_it_ends_after_the_unit_that_it_is_at(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [frame for hour in range(20) for frame in polls(300, CLOSED + hour * HOUR_US)]
    put(postgres_dsn, frames)
    worker = Worker(postgres_dsn, cpu_share=0.3)
    worker.until(UnitDone)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end(by_itself=True) == 0
    assert ask(
        postgres_dsn,
        "SELECT count(DISTINCT date_bin('1 hour', ts_collected, 'epoch')) > 5 FROM telemetry_frame",
    ) == [(True,)]
    assert stored(postgres_dsn) == expected(frames)


def test_a_database_that_is_away_is_waited_for() -> None:
    worker = Worker("host=127.0.0.1 port=1 user=x password=secret dbname=x")
    message = worker.next()
    assert getattr(message, "what", "") == "database"
    assert "secret" not in str(message)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end(by_itself=True) == 0


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def serve(
    dsn: str, body: Callable[[CompactionService], Awaitable[None]], *worker: str, **compaction: object
) -> None:
    async def main() -> None:
        backoff = Backoff(first_s=0.05, cap_s=0.1)
        program = worker or ("-m", "mtd.compaction.worker")
        service = CompactionService(dsn, settings(**compaction), worker=program, backoff=backoff)
        await service.start()
        try:
            await body(service)
        finally:
            await service.stop()
        assert service.pid is None

    run_async(main(), timeout_s=60)


def test_the_daemon_counts_what_the_worker_does(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(100, CLOSED)
    put(postgres_dsn, frames)
    points, units = metrics.POINTS._value.get(), metrics.UNITS.labels(kind="new")._value.get()
    hours = metrics.HOURS_DROPPED._value.get()

    async def body(service: CompactionService) -> None:
        await until(lambda: metrics.HOURS_DROPPED._value.get() > hours)
        assert service.failure == ""

    serve(postgres_dsn, body)
    assert metrics.POINTS._value.get() - points == sum(map(len, expected(frames).values()))
    assert metrics.UNITS.labels(kind="new")._value.get() - units == 1
    assert cold(postgres_dsn) == expected(frames)


def test_a_worker_that_dies_is_started_again_and_told_of(postgres_dsn: str) -> None:
    async def body(service: CompactionService) -> None:
        await until(lambda: service.pid is not None)
        first = service.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: "worker ended" in service.failure)
        await until(lambda: service.pid not in (None, first))
        # A round that ends shows that all is well again.
        await until(lambda: service.failure == "")

    serve(postgres_dsn, body)


def test_an_orderly_end_is_no_failure(postgres_dsn: str, caplog: pytest.LogCaptureFixture) -> None:
    async def body(service: CompactionService) -> None:
        await until(lambda: service.pid is not None)

    serve(postgres_dsn, body)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_worker_that_does_not_end_is_ended(tmp_path: Path) -> None:
    async def body(service: CompactionService) -> None:
        await until(lambda: service.pid is not None)
        pid = service.pid
        await service.stop()
        assert not Path(f"/proc/{pid}").exists()

    serve("", body, "-c", "import threading; threading.Event().wait()")


def test_a_worker_that_says_nothing_is_a_failure(postgres_dsn: str) -> None:
    async def body(service: CompactionService) -> None:
        await until(lambda: "nothing was heard" in service.failure)

    serve(postgres_dsn, body, "-c", "import sys; sys.stdin.read()", late_alarm_s=0.5)


def test_last_words_are_shown(postgres_dsn: str) -> None:
    async def body(service: CompactionService) -> None:
        await until(lambda: "no such thing" in service.failure)

    serve(postgres_dsn, body, "-c", "raise SystemExit('no such thing')")


def test_what_is_no_message_is_counted_and_survived(postgres_dsn: str) -> None:
    before = metrics.FAILURES.labels(what="worker")._value.get()

    async def body(service: CompactionService) -> None:
        await until(lambda: metrics.FAILURES.labels(what="worker")._value.get() >= before + 2)

    serve(postgres_dsn, body, "-c", "import sys; print('hello'); print('{}'); sys.stdin.read()")


def test_a_database_that_is_away_is_a_failure() -> None:
    async def body(service: CompactionService) -> None:
        await until(lambda: "no round" in service.failure)
        assert "secret" not in service.failure

    serve("host=127.0.0.1 port=1 user=x password=secret dbname=x", body)


def test_switched_off(postgres_dsn: str) -> None:
    async def body(service: CompactionService) -> None:
        await asyncio.sleep(0)
        assert service.pid is None
        assert service.failure == ""

    serve(postgres_dsn, body, enabled=False)


@pytest.mark.parametrize("what", ["verification", "data"])
def test_hours_that_fail(what: str, tmp_path: Path) -> None:
    says = tmp_path / "says.py"
    failed = {
        "event": "failed",
        "device_id": "d",
        "poll_group": "t0",
        "hour_us": 1,
        "what": what,
        "reason": "because",
    }
    done = {
        "event": "unit",
        "device_id": "d",
        "poll_group": "t0",
        "hour_us": 1,
        "kind": "new",
        "frames": 1,
        "repeated": 0,
        "polls": 1,
        "series": 1,
        "points": 1,
        "size": 1,
        "cpu_s": 0.1,
        "duration_s": 0.1,
    }
    says.write_text(
        "import sys, time\n"
        f"print({json.dumps(failed)!r}, flush=True)\n"
        "time.sleep(0.5)\n"
        f"print({json.dumps(done)!r}, flush=True)\n"
        "sys.stdin.read()\n"
    )
    before = metrics.VERIFICATION_FAILURES._value.get()

    async def body(service: CompactionService) -> None:
        await until(lambda: "because" in service.failure)
        await until(lambda: service.failure == "")

    serve("", body, str(says))
    assert metrics.VERIFICATION_FAILURES._value.get() - before == (what == "verification")


def test_an_hour_that_somebody_else_compacted_is_no_failure_any_more(tmp_path: Path) -> None:
    failed = UnitFailed("d", "t0", 1, "data", "because")
    bad, good = RoundDone(0, 1, 1, 0.0, 0, 0, 0, []), RoundDone(0, 0, 0, 0.0, 0, 0, 0, [])
    says = tmp_path / "says.py"
    lines = "".join(f"print({to_line(one)!r}, flush=True)\ntime.sleep(0.5)\n" for one in (failed, bad, good))
    says.write_text(f"import sys, time\n{lines}sys.stdin.read()\n")

    async def body(service: CompactionService) -> None:
        await until(lambda: "because" in service.failure)
        await until(lambda: service.failure == "")

    serve("", body, str(says))


def test_a_worker_that_can_not_be_killed_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that waits for a disk that doesn't answer."""
    waited = threading.Event()

    class Undead(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            waited.wait(1.0)
            return super().wait(timeout)

    async def main() -> None:
        monkeypatch.setattr(subprocess, "Popen", Undead)
        program = ("-c", "import threading; threading.Event().wait()")
        service = CompactionService("", settings(), worker=program)
        await service.start()
        await until(lambda: service.pid is not None)
        stopping = asyncio.ensure_future(service.stop())
        slowest, loop = 0.0, asyncio.get_running_loop()
        while not stopping.done():
            began = loop.time()
            await asyncio.sleep(0.02)
            slowest = max(slowest, loop.time() - began)
        await stopping
        assert slowest < 0.7

    run_async(main(), timeout_s=30)


def test_a_lag_that_grows_is_a_failure(tmp_path: Path) -> None:
    says = tmp_path / "says.py"
    done = {
        "event": "round",
        "units": 0,
        "failed": 0,
        "waiting": 3,
        "lag_s": 20000.0,
        "days_merged": 0,
        "recoded": 0,
        "unknown_frames": 0,
        "unknown": [],
    }
    says.write_text(f"import sys\nprint({json.dumps(done)!r}, flush=True)\nsys.stdin.read()\n")

    async def body(service: CompactionService) -> None:
        await until(lambda: "5.6 h" in service.failure)
        assert metrics.LAG_SECONDS._value.get() == 20000

    serve("", body, str(says))
