"""Parts are started in order and stopped in reverse, whatever becomes of one of them."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mtd.app.folder import RuntimeFile
from mtd.app.stages import Stages
from mtd.testing import run_async


class Parts:
    """Notes what is done to them."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def start(self, name: str) -> None:
        self.done.append(f"start {name}")

    def stop(self, name: str) -> Callable[[], Awaitable[None]]:
        async def stop() -> None:
            self.done.append(f"stop {name}")

        return stop


def test_what_was_started_last_is_stopped_first_and_failures_keep_nobody() -> None:
    async def main() -> None:
        stages, parts = Stages(), Parts()

        async def fails() -> None:
            parts.done.append("stop b")
            raise OSError("no")

        async def hangs() -> None:
            parts.done.append("stop c")
            await asyncio.Event().wait()

        await stages.begin("a", parts.start("a"), parts.stop("a"))
        assert stages.waiting_for == "a"
        await stages.begin("b", parts.start("b"), fails)
        stages.add("c", hangs)
        await stages.stop(0.05)
        assert parts.done == ["start a", "start b", "stop c", "stop b", "stop a"]
        assert stages.names == []

    run_async(main())


def test_a_part_that_fails_half_way_is_stopped_too() -> None:
    async def main() -> None:
        stages, parts = Stages(), Parts()

        async def start() -> None:
            raise OSError("the port is taken")

        with pytest.raises(OSError, match="port is taken"):
            await stages.begin("a", start(), parts.stop("a"))
        await stages.stop(5)
        assert parts.done == ["stop a"]

    run_async(main())


def test_where_the_daemon_is_only_its_operator_may_read(tmp_path: Path) -> None:
    file = RuntimeFile(tmp_path)
    file.write("password=geheim", 1, 2)
    (found,) = tmp_path.iterdir()
    assert json.loads(found.read_text())["dsn"] == "password=geheim"
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    file.remove()
    file.remove()
    assert not list(tmp_path.iterdir())
