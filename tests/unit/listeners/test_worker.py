"""Workers whose daemon is killed: they end, and its ports are free for the next one, whatever they were at."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_ENDS_NEVER = """
import asyncio
from mtd.listeners.worker import run_worker

class Work:
    def __init__(self, job, output):
        output.write(b"begun")

    async def run(self, commands):
        await asyncio.Event().wait()

run_worker(Work)
"""
_DAEMON = """
import asyncio, socket
from mtd.listeners.syslog.config import SyslogConfig
from mtd.listeners.syslog.service import SyslogService
from mtd.model.device import Device

class Recorder:
    pressure = PRESSURE

    def record_lines(self, *_):
        return True

    record_pushed = record_lines

async def main():
    config = SyslogConfig(enabled=True, host="127.0.0.1", udp_port=0, workers=2, lines_per_s=1e6, flush_s=0.02)
    service = SyslogService(config, Recorder())
    known = {"device_id": "a", "tenant_id": "t", "name": "a", "host": "127.0.0.1", "port": 1}
    service.apply_devices([Device(**known, username="u", password="p")])
    await service.start()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while not service._workers._waiting_bytes > LEAST_BYTES:  # then it takes nothing, and workers hold what comes
        for _ in range(20):
            sender.sendto(b"script,info " + b"x" * 4000, ("127.0.0.1", service.udp_port))
        await asyncio.sleep(0.01)
    print(service.udp_port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_worker_ends_when_nobody_reads_what_it_tells_whatever_it_waits_for() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _ENDS_NEVER], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(b"{}\n")
            process.stdin.flush()
            assert process.stdout.read(5) == b"begun"
            process.stdout.close()
            assert process.wait(60) == 1
        finally:
            process.kill()


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


@pytest.mark.parametrize("is_held_up", [False, True])
def test_the_port_of_a_killed_daemon_is_free_again(is_held_up: bool) -> None:
    pressure, least = ("0.9", "1_000_000") if is_held_up else ("0.0", "-1")
    program = _DAEMON.replace("PRESSURE", pressure).replace("LEAST_BYTES", least)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            assert not is_free(port)
        finally:
            process.kill()
    deadline = time.monotonic() + 60
    while not is_free(port):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # noqa: TID251 - no loop here
