"""Processes of ours that are started, heard, told more, and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest

from mtd.core.backoff import Backoff
from mtd.core.errors import Bug
from mtd.core.worker_process import Hear, Patience, WorkerProcess
from mtd.testing import run_async
from mtd.testing.metrics import metric

# Gives back each line of its input as a frame: four bytes of length, and the line the other way round.
ECHO = """
import os, struct, sys
for line in sys.stdin.buffer:
    os.write(1, struct.pack(">I", len(line)) + line[::-1])
"""
WAIT = "import sys; sys.stdin.read()"
# Shows signs of life from its loop, as long as that runs.
BEATING = """
import sys, time
from mtd.core.pulse import Heart
heart = Heart()
print("hello", flush=True)
while True:
    heart.beat()
    time.sleep(0.01)
"""
# A program for ``mtd.core.worker_main``, whose work is {}.
WORKING = """
import mtd.core.worker_main as main
main.BEAT_S, main._LONGEST_WORK_S = 0.02, {}
def run(job, stop):
    main.say("hello")
    {}
main.work(run)
"""


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


async def nothing(reader: asyncio.StreamReader) -> None:
    await reader.read()


def serve(
    body: Callable[[WorkerProcess], Awaitable[None]],
    program: str,
    *,
    hear: Hear = nothing,
    job: Callable[[], bytes] = lambda: b"job\n",
    on_end: Callable[[], None] = lambda: None,
    fds: tuple[int, ...] = (),
    stop_s: float = 1.0,
    silence_s: float = 0.0,
) -> None:
    async def main() -> None:
        backoff = Backoff(first_s=0.05, cap_s=0.1)
        worker = WorkerProcess(
            "test",
            ("-c", program),
            job,
            hear,
            fds=fds,
            patience=Patience(stop_s, silence_s),
            on_end=on_end,
            backoff=backoff,
        )
        await worker.start()
        try:
            await body(worker)
        finally:
            await worker.stop()
        assert worker.pid is None

    run_async(main(), timeout_s=60)


def test_frames_are_heard_and_lines_are_told() -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader) -> None:
        try:
            while True:
                (length,) = struct.unpack(">I", await reader.readexactly(4))
                heard.append((await reader.readexactly(length))[::-1])
        except asyncio.IncompleteReadError:
            return

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: len(heard) == 1)
        large = b"x" * 3_000_000 + b"\n"  # more than a pipe and a line of it hold
        worker.write(b"more\n" + large)
        await until(lambda: len(heard) == 3)
        assert heard == [b"job\n", b"more\n", large]
        assert worker.died == ""

    serve(body, ECHO, hear=hear)


def test_what_was_told_is_heard_before_the_end() -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader) -> None:
        heard.append(await reader.read())

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: worker.pid is not None)
        worker.write(b"last\n")

    serve(body, ECHO, hear=hear, stop_s=20)
    assert heard == [b"\0\0\0\4\nboj\0\0\0\5\ntsal"]


def test_each_start_has_a_job_of_its_own() -> None:
    jobs, ends = count(1), []
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader) -> None:
        heard.append(await reader.read())

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: len(heard) >= 2 and len(ends) >= 2)
        assert worker.died == "its worker ended: without a word, exit code 3"
        worker.recovered()
        assert worker.died == ""

    program = "import sys; sys.stdout.write(sys.stdin.readline()); sys.stdout.flush(); raise SystemExit(3)"
    serve(body, program, hear=hear, job=lambda: b"%d\n" % next(jobs), on_end=lambda: ends.append(1))
    assert heard[:2] == [b"1\n", b"2\n"]


@pytest.mark.parametrize("error", [Bug("makes no sense"), RuntimeError("makes no sense")])
def test_who_can_not_be_understood_is_started_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    pids: set[int] = set()

    async def hear(reader: asyncio.StreamReader) -> None:
        await reader.readline()
        raise error

    async def body(worker: WorkerProcess) -> None:
        def seen() -> bool:
            pids.add(worker.pid or 0)
            return len(pids - {0}) == 2

        await until(seen)
        assert "makes no sense" in worker.died
        assert not Path(f"/proc/{min(pids - {0})}").exists() or worker.pid == min(pids - {0})

    serve(body, f"print('hello', flush=True); {WAIT}", hear=hear)
    unexpected = [record for record in caplog.records if record.exc_info]
    assert bool(unexpected) is isinstance(error, RuntimeError)


def test_a_killed_worker_is_started_again() -> None:
    async def body(worker: WorkerProcess) -> None:
        await until(lambda: worker.pid is not None)
        first = worker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: worker.pid not in (None, first))
        assert worker.died == "its worker ended: without a word, exit code -9"

    serve(body, WAIT)


def test_who_does_not_read_what_it_is_told_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtd.core.worker_process._MOST_UNREAD_BYTES", 1_000_000)

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: worker.pid is not None)
        first = worker.pid
        worker.write(b"x" * 2_000_000)
        await until(lambda: worker.pid not in (None, first))

    serve(body, "import threading; threading.Event().wait()")


def test_without_a_worker_nothing_is_told() -> None:
    async def body(worker: WorkerProcess) -> None:
        worker.write(b"nobody hears\n")
        await until(lambda: worker.pid is not None)
        await worker.stop()
        worker.write(b"nobody hears\n")

    serve(body, WAIT)


def test_a_socket_is_inherited() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:

        async def body(worker: WorkerProcess) -> None:
            assert await asyncio.to_thread(ours.recv, 100) == b"hello"

        program = f"import socket; socket.socket(fileno={theirs.fileno()}).send(b'hello'); {WAIT}"
        serve(body, program, fds=(theirs.fileno(),))


def test_one_that_is_stopped_while_it_is_launched_leaves_nothing() -> None:
    async def body(worker: WorkerProcess) -> None:
        await asyncio.sleep(0)

    serve(body, "import threading; threading.Event().wait()")


# -- workers that hang -------------------------------------------------------------


class Greeted:
    """Notes that a worker said something, which it does once it works."""

    def __init__(self) -> None:
        self.greetings = 0

    async def __call__(self, reader: asyncio.StreamReader) -> None:
        while await reader.readline():
            self.greetings += 1


def silences() -> float:
    return metric("mtd_core_worker_silences_total", worker="test")


def test_a_worker_that_is_stopped_in_its_tracks_is_killed_and_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, greeted = silences(), Greeted()

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: greeted.greetings > 0 and worker.pid is not None)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        await until(lambda: greeted.greetings > 1)
        assert "no sign of life" in worker.died

    serve(body, BEATING, hear=greeted, silence_s=3)
    assert silences() > before
    assert "look for a machine without free memory" in caplog.text


def test_a_worker_whose_work_does_not_end_is_killed_and_says_where_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, greeted = silences(), Greeted()

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: greeted.greetings > 1)

    program = WORKING.format(0.2, "while True: pass")
    serve(body, program, hear=greeted, job=lambda: b"{}\n", silence_s=3)
    assert silences() > before
    assert "in run" in caplog.text


@pytest.mark.parametrize("work", ["stop.wait(3600)", "while not stop.is_set(): pass"])
def test_a_worker_that_works_or_waits_is_left_alone(work: str) -> None:
    before, greeted = silences(), Greeted()

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: greeted.greetings == 1)
        assert worker._pulse is not None
        beats = worker._pulse.beats
        await until(lambda: worker._pulse is not None and worker._pulse.beats > beats + 100)
        assert worker.died == ""

    serve(body, WORKING.format(1.0, work), hear=greeted, job=lambda: b"{}\n", silence_s=30)
    assert (silences() - before, greeted.greetings) == (0, 1)


def test_a_worker_that_never_begins_is_killed() -> None:
    before = silences()

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: "no sign of life" in worker.died)

    serve(body, WAIT, silence_s=0.3)
    assert silences() > before


def test_where_all_stood_still_no_worker_is_killed() -> None:
    """As a virtual machine does, or a container that is frozen."""
    greeted = Greeted()

    async def body(worker: WorkerProcess) -> None:
        await until(lambda: greeted.greetings > 0)
        first, pulse = worker.pid, worker._pulse
        assert first is not None
        assert pulse is not None
        os.kill(first, signal.SIGSTOP)
        await asyncio.sleep(0.7)  # so that what it showed until then was seen
        threading.Event().wait(3.5)  # the loop, and so the look at the pulse, comes late
        asyncio.get_running_loop().call_later(0.2, os.kill, first, signal.SIGCONT)
        beats = pulse.beats
        await until(lambda: pulse.beats > beats)
        assert worker.pid == first

    serve(body, BEATING, hear=greeted, silence_s=3)
