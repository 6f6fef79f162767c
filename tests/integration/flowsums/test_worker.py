"""The worker as a process, and the daemon's side of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mtd.core.backoff import Backoff
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Retryable
from mtd.flowsums import metrics
from mtd.flowsums.messages import BucketFailed, RoundDone, from_line, to_line
from mtd.flowsums.service import FlowSumsService
from mtd.flowsums.tally import Volume
from mtd.testing import run_async
from tests.integration.flowsums.kit import (
    DEVICE,
    HOUR,
    MINUTE,
    TENANT,
    connect,
    due,
    expected,
    plain,
    put,
    records_of,
    settings,
    store,
)

OVER = SYSTEM_CLOCK.now_us() // HOUR * HOUR - 3 * HOUR  # by the clock of the machine


async def yes() -> bool:
    return True


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def serve(
    dsn: str,
    body: Callable[[FlowSumsService], Awaitable[None]],
    *worker: str,
    is_due: Callable[[], Awaitable[bool]] = yes,
    **flow_sums: object,
) -> None:
    async def main() -> None:
        service = FlowSumsService(
            dsn,
            settings(**{"interval_s": 0.05, **flow_sums}),  # type: ignore[arg-type]
            is_due,
            worker=worker or ("-m", "mtd.flowsums.worker"),
            backoff=Backoff(first_s=0.05, cap_s=0.1),
        )
        await service.start()
        try:
            await body(service)
        finally:
            await service.stop()
        assert service.pid is None

    run_async(main(), timeout_s=60)


def says(folder: Path, *messages: BucketFailed | RoundDone) -> str:
    """Return a program that says these, one after the other."""
    path = folder / "says.py"
    lines = "".join(f"print({to_line(one)!r}, flush=True)\ntime.sleep(0.5)\n" for one in messages)
    path.write_text(f"import sys, time\n{lines}sys.stdin.read()\n")
    return str(path)


def round_of(*, failing: int = 0, lag_s: float = 0.0) -> RoundDone:
    return RoundDone(0, 0, 0, 0, failing, lag_s, 0.0, more=False)


def test_it_sums_up_and_ends_with_its_input(postgres_dsn: str) -> None:
    put(postgres_dsn, OVER, records_of(20))
    process = subprocess.Popen(
        [sys.executable, "-m", "mtd.flowsums.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    job = {
        "dsn": postgres_dsn,
        "settings": settings(interval_s=0.05).model_dump(mode="json", include={"flow_sums"}),
    }
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.flush()
    done = from_line(process.stdout.readline())
    assert isinstance(done, RoundDone)
    assert (done.minutes, done.hours, done.records) == (1, 1, 20)
    # Nobody sees the password, and everybody goes first.
    assert postgres_dsn.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    assert postgres_dsn.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (0, b"")
    assert all(from_line(line) for line in out.splitlines())
    assert plain(postgres_dsn, OVER, "flow_sum_1h") == expected(records_of(20))


def test_the_daemon_counts_what_the_worker_does(postgres_dsn: str) -> None:
    put(postgres_dsn, OVER, records_of(20))
    put(postgres_dsn, OVER + MINUTE, records_of(30))
    with connect(postgres_dsn) as connection:
        store(connection, OVER, Volume(1, 1, 1), b"nonsense")
    minutes, hours = (metrics.BUCKETS.labels(kind=kind) for kind in ("minute", "hour"))
    before = minutes._value.get(), hours._value.get(), metrics.RECORDS._value.get()
    blocks = metrics.FAILURES.labels(reason="block")._value.get()

    async def body(service: FlowSumsService) -> None:
        await until(lambda: hours._value.get() > before[1])
        assert service.failure == ""

    serve(postgres_dsn, body)
    assert (minutes._value.get(), hours._value.get()) == (before[0] + 2, before[1] + 1)
    assert metrics.RECORDS._value.get() == before[2] + 51
    assert metrics.FAILURES.labels(reason="block")._value.get() == blocks + 1
    assert metrics.LAG_SECONDS._value.get() == 0
    assert due(postgres_dsn) == []


def test_where_nobody_sends_flows_there_is_no_worker(postgres_dsn: str) -> None:
    asked, answers = [0], [False, Retryable("away"), False, True]

    async def is_due() -> bool:
        answer = answers[min(asked[0], 3)]
        asked[0] += 1
        if isinstance(answer, Retryable):
            raise answer
        return answer

    async def body(service: FlowSumsService) -> None:
        await until(lambda: asked[0] == 2)
        assert service.pid is None
        await until(lambda: "away" in service.failure or asked[0] > 2)
        await until(lambda: service.pid is not None)
        assert asked[0] == 4
        assert service.failure == ""

    serve(postgres_dsn, body, is_due=is_due)


def test_a_worker_that_dies_is_started_again_and_told_of(postgres_dsn: str) -> None:
    async def body(service: FlowSumsService) -> None:
        await until(lambda: service.pid is not None)
        first = service.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: "worker ended" in service.failure)
        await until(lambda: service.pid not in (None, first))
        # A round that ends shows that all is well again.
        await until(lambda: service.failure == "")

    serve(postgres_dsn, body)


def test_a_database_that_is_away_is_a_failure() -> None:
    async def body(service: FlowSumsService) -> None:
        await until(lambda: "no round" in service.failure)
        assert "secret" not in service.failure

    serve("host=127.0.0.1 port=1 user=x password=secret dbname=x", body)


def test_a_worker_that_says_nothing_is_a_failure() -> None:
    async def body(service: FlowSumsService) -> None:
        await until(lambda: "nothing was heard" in service.failure)

    serve("", body, "-c", "import sys; sys.stdin.read()", late_alarm_s=0.5)


def test_what_is_no_message_is_counted_and_survived() -> None:
    before = metrics.FAILURES.labels(reason="worker")._value.get()

    async def body(service: FlowSumsService) -> None:
        await until(lambda: metrics.FAILURES.labels(reason="worker")._value.get() >= before + 2)
        assert service.failure == ""

    serve("", body, "-c", "import sys; print('hello'); print('{}'); sys.stdout.flush(); sys.stdin.read()")


def test_a_minute_that_fails_is_told_until_none_does(tmp_path: Path) -> None:
    failed = BucketFailed(TENANT, DEVICE, 60, OVER, "bug", "because", again=True)

    async def body(service: FlowSumsService) -> None:
        await until(lambda: "because" in service.failure)
        await until(lambda: service.failure == "")

    serve("", body, says(tmp_path, failed, round_of(failing=1), round_of()))


def test_what_is_left_out_for_good_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left_out = BucketFailed(TENANT, DEVICE, 60, OVER, "too_late", "because", again=False)
    before = metrics.FAILURES.labels(reason="too_late")._value.get()

    async def body(service: FlowSumsService) -> None:
        await until(lambda: metrics.FAILURES.labels(reason="too_late")._value.get() == before + 1)
        assert service.failure == ""

    serve("", body, says(tmp_path, left_out))
    assert [record.levelname for record in caplog.records if "because" in record.message] == ["WARNING"]


def test_a_lag_that_grows_is_a_failure(tmp_path: Path) -> None:
    async def body(service: FlowSumsService) -> None:
        await until(lambda: "20 min" in service.failure)
        assert metrics.LAG_SECONDS._value.get() == 1200
        await until(lambda: service.failure == "")

    serve("", body, says(tmp_path, round_of(lag_s=1200.0), round_of()))


def test_switched_off(postgres_dsn: str) -> None:
    async def body(service: FlowSumsService) -> None:
        await asyncio.sleep(0)
        assert service.pid is None
        assert service.failure == ""

    serve(postgres_dsn, body, enabled=False)
